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

namespace {

// Whether the program ends with this signature in a child, and in which operation.
bool ShowsInChild(const Program& p, Lockstep& lockstep, const Signature& signature,
                  const RunOptions& options, const IsolateLimits& limits, uint32_t* op) {
  const auto outcome = RunIsolated(p, lockstep, options, limits);
  if (!outcome.ok() || outcome->ok() || !(outcome->signature == signature)) return false;
  *op = outcome->op;
  return true;
}

RunOptions Unconfirmed(RunOptions options) {
  options.confirm = false;
  return options;
}

}  // namespace

Predicate ChildPredicate(const std::string& specs, const ContestantsFactory& make,
                         const Signature& signature, const RunOptions& options,
                         const IsolateLimits& limits) {
  // Made once, by the first run: each child has a copy that nothing has run on yet.
  auto lockstep = std::make_shared<std::unique_ptr<Lockstep>>();
  auto predicate = std::make_shared<Predicate>();
  return [=](const Program& p) -> Verdict {
    if (*lockstep == nullptr) {
      absl::StatusOr<Contestants> contestants = make(specs);
      if (!contestants.ok()) return false;
      *lockstep = std::make_unique<Lockstep>(*std::move(contestants));
      *predicate = ChildPredicate(lockstep->get(), signature, options, limits);
    }
    return (*predicate)(p);
  };
}

Predicate ChildPredicate(Lockstep* lockstep, const Signature& signature, const RunOptions& options,
                         const IsolateLimits& limits) {
  return [=, run = Unconfirmed(options)](const Program& p) -> Verdict {
    uint32_t op = RunProgress::kIdle;
    if (!ShowsInChild(p, *lockstep, signature, run, limits, &op)) return false;
    if (op == RunProgress::kIdle) return true;
    return {true, op};
  };
}

}  // namespace mmdiff
