// Lockstep target: everything between a fuzz engine and the lockstep runner.
//
// Takes the engine's bytes, runs them as a program on the implementations under test, keeps what
// goes wrong and counts into the stats page. A finding is a return value here, never an abort,
// unless the engine can only learn of it that way. It knows no engine. A run costs decoding,
// lockstep and two dozen relaxed stores. Inputs that are not as the implementations demand are made
// so (MakeSuit), and it is these that are run and kept.
//
// Configured by the environment, which any engine passes on:
//   MMDIFF_IMPL           implementations (default "reference,model")
//   MMDIFF_FINDINGS       directory for findings (default "crashes")
//   MMDIFF_STATS_PAGE     file that SharedStats::Create made; none: counts stay in this process
//   MMDIFF_SEED           for the record
//   MMDIFF_MAX_OPS        operations of one program (default kMaxFuzzOps)
//   MMDIFF_FULL_EVERY     RunOptions::full_every
//   MMDIFF_FULL_AT_END    RunOptions::full_at_end_every
//   MMDIFF_ON_FINDING     "continue" (default), "stop" (exit 0 after keeping it) or "abort" (for
//   AFL++) MMDIFF_MINIMISE       seconds for minimising one finding; 0: keep it as it is
//   MMDIFF_CHILD_MS       time limit of a run in a child
//   MMDIFF_DEATH          directory of a death to keep; the process does that and ends
//   MMDIFF_REPLAY         program (text) to run once in this build; the process ends with 1 if it
//   shows a
//                         finding, which is kept, and with 0 if not
#ifndef MMDIFF_TARGETS_LOCKSTEP_TARGET_H_
#define MMDIFF_TARGETS_LOCKSTEP_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "harness/demands.h"
#include "harness/lockstep.h"
#include "targets/finding_keeper.h"
#include "targets/stats_page.h"

namespace mmdiff {

// The line a worker writes to stderr for each finding it kept; JSON follows.
inline constexpr const char kFindingLine[] = "MMDIFF-FINDING ";

enum class OnFinding { kContinue, kStop, kAbort };

struct TargetConfig {
  KeeperOptions keeper;
  std::string stats_page;
  size_t max_ops = 0;
  RunOptions run;
  OnFinding on_finding = OnFinding::kContinue;
};
// From the environment. Error: a variable that does not parse; names it and what is allowed.
absl::StatusOr<TargetConfig> TargetConfigFromEnvironment();

class LockstepTarget {
 public:
  static absl::StatusOr<std::unique_ptr<LockstepTarget>> Create(const TargetConfig& config);

  // Runs one input. True if all implementations agreed.
  bool Run(const uint8_t* data, size_t size);

  // What the implementations that run elsewhere count of their own coverage (CoverageEdges() of
  // each, one after the other), to hand to an engine that does not see it: how many edges, and the
  // hits of each in the last program. `to` must be all zero.
  uint32_t CoverageEdges();
  void CopyCoverage(uint8_t* to);

  const LockstepCounters& counters() const { return lockstep_.counters(); }

 private:
  LockstepTarget(const TargetConfig& config, FindingKeeper keeper, Contestants contestants,
                 Demands demands, std::optional<SharedStats> stats);
  void Count(size_t left_out);
  void Keep();

  TargetConfig config_;
  FindingKeeper keeper_;
  Lockstep lockstep_;
  Demands demands_;
  std::optional<SharedStats> stats_;
  Program program_;
  RunResult result_;
  std::set<std::string> seen_;  // signatures as the fast run gives them
};

// What is kept of a death: `directory` holds program.mmdiff and death.json (kind, code, lit, op,
// leader, in_reference, output), written by the supervisor. Minimises it in children of this
// process, keeps it, and writes kept.json. Returns the exit code of the process.
int KeepDeathFromDirectory(const std::string& directory, const TargetConfig& config);

// Runs the program of a text file in a child of this process and keeps what it shows. Returns the
// exit code.
int ReplayFile(const std::string& path, const TargetConfig& config);

// A KeptFinding as one line of JSON.
std::string KeptFindingJson(const KeptFinding& kept);

}  // namespace mmdiff

#endif  // MMDIFF_TARGETS_LOCKSTEP_TARGET_H_
