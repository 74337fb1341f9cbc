// Finding keeper: from "this program went wrong" to a minimised, explained directory under
// crashes/.
//
// Keeps the raw program first, before anything that takes time; then minimises it with the same
// signature, explains it and keeps that. Divergences are minimised in this process, deaths and
// hangs in children. It never decides whether something is a finding. Costs some milliseconds to
// seconds; call it once a signature.
#ifndef MMDIFF_TARGETS_FINDING_KEEPER_H_
#define MMDIFF_TARGETS_FINDING_KEEPER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/findings.h"
#include "harness/isolate.h"
#include "harness/lockstep.h"
#include "harness/signature.h"
#include "program/program.h"

namespace mmdiff {

struct KeeperOptions {
  std::string specs;  // implementations, as on the command line
  std::string findings_dir;
  uint64_t seed = 0;  // for the record
  double minimise_seconds = 30;
  uint32_t child_ms = 2000;  // time limit of one run of a program that crashes or hangs
  bool minimise = true;
};

struct KeptFinding {
  std::string signature;  // Signature::FileName()
  std::string kind;       // "divergence", "invariant", "crash", ...
  std::string path;       // directory
  std::string message;    // one line
  uint64_t ops = 0;       // of the minimised program
  uint64_t original_ops = 0;
  uint64_t runs = 0;    // of the reducer
  bool is_new = false;  // the store had nothing with this signature
  Repeats repeats;      // how often it came again
  std::string warning;  // if the store could not be written
};

// Runs `program` thoroughly (full comparison after each operation). Fills `result`.
RunOutcome RunThoroughly(Lockstep& lockstep, const Program& program, RunResult* result);

// The report of a death, for people and as JSON.
std::string DeathReport(const Program& program, const IsolatedOutcome& outcome);
std::string DeathReportJson(const Program& program, const IsolatedOutcome& outcome);

class FindingKeeper {
 public:
  // Fails if the implementations cannot be made or `findings_dir` is no directory.
  static absl::StatusOr<FindingKeeper> Create(const KeeperOptions& options);

  // A program that ended in `result`, in this process. `counts` goes into the record. What the
  // store knows already is counted there and not minimised again.
  absl::StatusOr<KeptFinding> KeepDivergence(const Program& program, const RunResult& result,
                                             const std::map<std::string, uint64_t>& counts);
  // Only keeps the raw program of a process that died or hung.
  absl::StatusOr<KeptFinding> KeepRawDeath(const Program& program, const IsolatedOutcome& outcome);
  // Runs it again in a child, minimises and keeps what comes of it. `outcome` is what the
  // supervisor saw.
  absl::StatusOr<KeptFinding> KeepDeath(const Program& program, const IsolatedOutcome& outcome);

  const KeeperOptions& options() const { return options_; }

 private:
  FindingKeeper(KeeperOptions options, FindingStore store, std::unique_ptr<Lockstep> lockstep);

  // The signature to keep a program under that shows `signature`: the same, unless the store holds
  // a program under it that no longer shows it, an old bug that was put right. `known` is set if it
  // holds one that does.
  Signature Unoccupied(const Signature& signature, bool* known);
  Finding BlankFinding(const Program& program, const Signature& signature, std::string kind) const;
  absl::StatusOr<KeptFinding> Save(const Finding& finding, std::string message);

  KeeperOptions options_;
  FindingStore store_;
  std::unique_ptr<Lockstep> lockstep_;
};

}  // namespace mmdiff

#endif  // MMDIFF_TARGETS_FINDING_KEEPER_H_
