// repro --in: the C program of a finding, run in a kernel of its own.
#ifndef MMDIFF_CLI_REPRO_IN_GUEST_H_
#define MMDIFF_CLI_REPRO_IN_GUEST_H_

#include <string>

#include "absl/status/statusor.h"
#include "cli/isolated_program.h"
#include "cli/verb.h"
#include "program/program.h"

namespace mmdiff {

// Boots the guest of `--in` with `c`, ToC of `program`, as its only program, and prints what that
// printed and whether it is what was to be expected. kDivergence if it is not, or if the program or
// the guest did not come to their end. `observed` is what the program showed on --impl.
absl::StatusOr<Exit> RunReproInGuest(const Program& program, const std::string& c,
                                     const Observed& observed, const Options& options);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_REPRO_IN_GUEST_H_
