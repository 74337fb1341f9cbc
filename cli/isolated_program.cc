#include "cli/isolated_program.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "harness/registry.h"

namespace mmdiff {

IsolateLimits ObserveLimits(const std::string& specs) {
  IsolateLimits limits;
  limits.time_ms = 5000 + StartupMs(specs);
  return limits;
}

absl::StatusOr<IsolatedOutcome> Observe(const Program& program, const std::string& specs) {
  if (absl::StatusOr<Contestants> made = MakeAll(specs); !made.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--impl: ", made.status().message(), "; mmdiff list impls prints all"));
  }
  return RunIsolated(program, specs, MakeAll, RunOptions::Thorough(), ObserveLimits(specs));
}

bool SafeInProcess(const IsolatedOutcome& outcome) {
  return outcome.kind == IsolatedOutcome::Kind::kOk ||
         outcome.kind == IsolatedOutcome::Kind::kFinding;
}

}  // namespace mmdiff
