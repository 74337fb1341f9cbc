// Explain: why does this program end as it does.
//
// Takes a (preferably minimised) program and says: which fields differ, or which invariant is
// broken, in words; which operations touched the object; which optimisation must be off for the
// difference to go away; which arguments do not matter; which choices were taken. Deterministic. It
// changes nothing and keeps no findings. Costs one run for the slice and one for each switch and
// each value tried: about (switches + 8 * arguments) runs, bounded by `max_runs`. A program that
// kills an implementation kills the caller too: run it in a child (isolate.h).
#ifndef MMDIFF_HARNESS_EXPLAIN_H_
#define MMDIFF_HARNESS_EXPLAIN_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/lockstep.h"
#include "harness/signature.h"
#include "harness/slice.h"
#include "program/program.h"

namespace mmdiff {

// Makes contestants from specs; MakeAll of registry.h, or fakes in tests.
using ContestantsFactory = std::function<absl::StatusOr<Contestants>(std::string_view specs)>;

struct ExplainOptions {
  uint32_t max_runs = 2000;  // for switches and arguments together
  bool try_switches = true;
  bool try_arguments = true;
  // Made of the same specs, to be used in place of others; null: some are made.
  Lockstep* lockstep = nullptr;
};

// A switch, and what happens without it.
struct SwitchVerdict {
  std::string name;
  bool goes_away = false;  // the signature is not seen when it is toggled
  bool was_on = true;
  std::string instead;  // what the run gives then: "ok", or another signature
};

// An argument, and whether its value matters.
struct ArgumentVerdict {
  uint32_t op_index = 0;
  uint32_t arg = 0;   // kMaxArgs: the CPU
  std::string name;   // "npages", "cpu"
  std::string value;  // as text
  bool matters = true;
  std::vector<std::string> same;       // values tried, as text, that give the same signature
  std::vector<std::string> different;  // values tried that do not
};

struct Explanation {
  RunOutcome outcome = RunOutcome::ok;
  Signature signature;
  Program program;
  RunResult result;
  std::string object;  // the diverging record in words
  std::vector<SliceStep> slice;
  std::vector<SwitchVerdict> switches;
  std::vector<ArgumentVerdict> arguments;
  std::vector<std::string> choices;  // taken by the implementation that differs, in that operation
  uint32_t runs = 0;
  bool complete = true;  // false if max_runs cut it off
};

// Runs `program` on `specs` and explains what comes of it. An outcome of ok is explained too (there
// is just nothing to say). Error: what `make` gives.
absl::StatusOr<Explanation> Explain(const Program& program, std::string_view specs,
                                    const ContestantsFactory& make,
                                    const ExplainOptions& options = {});

// For people; ends in a newline.
std::string ExplanationText(const Explanation& explanation);
// One JSON object, keys in a fixed order; no newline at the end.
std::string ExplanationJson(const Explanation& explanation);

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_EXPLAIN_H_
