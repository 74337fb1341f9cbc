// What a program shows on some implementations, found out without risk: in a child process.
#ifndef MMDIFF_CLI_ISOLATED_PROGRAM_H_
#define MMDIFF_CLI_ISOLATED_PROGRAM_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "harness/isolate.h"
#include "harness/lockstep.h"
#include "program/program.h"

namespace mmdiff {

struct Observed {
  IsolatedOutcome outcome;
  // What it was made with; in this process nothing has run on it, but a virtual machine is booted.
  std::unique_ptr<Lockstep> lockstep;
};

// Runs `program` thoroughly in a child. `confirm`: RunOptions::confirm. Error: wrong `specs`, or no
// child could be started.
absl::StatusOr<Observed> Observe(const Program& program, const std::string& specs,
                                 bool confirm = true);
// Limits for one program that may hang, on these implementations.
IsolateLimits ObserveLimits(const std::string& specs);
// The finding of this kind happens in lockstep and can be repeated in this process.
bool SafeInProcess(const IsolatedOutcome& outcome);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_ISOLATED_PROGRAM_H_
