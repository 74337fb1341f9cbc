#include "cli/isolated_program.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "harness/registry.h"

namespace mmdiff {

IsolateLimits ObserveLimits(const std::string& specs) {
  IsolateLimits limits;
  limits.time_ms = 5000 + StartupMs(specs);
  return limits;
}

absl::StatusOr<Observed> Observe(const Program& program, const std::string& specs, bool confirm) {
  absl::StatusOr<Contestants> made = MakeAll(specs);
  if (!made.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--impl: ", made.status().message(), "; mmdiff list impls prints all"));
  }
  auto lockstep = std::make_unique<Lockstep>(*std::move(made));
  RunOptions options = RunOptions::Thorough();
  options.confirm = confirm;
  absl::StatusOr<IsolatedOutcome> outcome =
      RunIsolated(program, *lockstep, options, ObserveLimits(specs));
  if (!outcome.ok()) return outcome.status();
  return Observed{*std::move(outcome), std::move(lockstep)};
}

bool SafeInProcess(const IsolatedOutcome& outcome) {
  return outcome.kind == IsolatedOutcome::Kind::kOk ||
         outcome.kind == IsolatedOutcome::Kind::kFinding;
}

}  // namespace mmdiff
