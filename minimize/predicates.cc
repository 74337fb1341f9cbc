#include "minimize/predicates.h"

#include <memory>
#include <utility>

namespace mmdiff {

Predicate DivergencePredicate(Lockstep* lockstep, Signature signature, const RunOptions& options) {
  // Shared by the copies that std::function makes; its vectors are reused by all runs.
  auto result = std::make_shared<RunResult>();
  RunOptions run = options;
  run.confirm = false;  // what comes of it is confirmed when it is explained
  return [lockstep, signature = std::move(signature), run, result](const Program& p) -> Verdict {
    if (lockstep->Run(p, run, result.get()) == RunOutcome::ok) return false;
    if (!(SignatureOf(*result) == signature)) return false;
    return {true, result->op_index};
  };
}

Predicate ChildPredicate(const std::string& specs, const ContestantsFactory& make,
                         const Signature& signature, const RunOptions& options,
                         const IsolateLimits& limits) {
  // Made once, by the first run: each child has a copy that nothing has run on yet.
  auto lockstep = std::make_shared<std::unique_ptr<Lockstep>>();
  return [=](const Program& p) -> Verdict {
    if (*lockstep == nullptr) {
      absl::StatusOr<Contestants> contestants = make(specs);
      if (!contestants.ok()) return false;
      *lockstep = std::make_unique<Lockstep>(*std::move(contestants));
    }
    const auto outcome = RunIsolated(p, **lockstep, options, limits);
    if (!outcome.ok() || outcome->ok() || !(outcome->signature == signature)) return false;
    if (outcome->op == RunProgress::kIdle) return true;
    return {true, outcome->op};
  };
}

}  // namespace mmdiff
