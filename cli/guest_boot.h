// guest boot: boots an image, says what it is and what it offers, and lets it go.
#ifndef MMDIFF_CLI_GUEST_BOOT_H_
#define MMDIFF_CLI_GUEST_BOOT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/options.h"

namespace mmdiff {

// The verb `guest boot [VERSION]`. Costs a boot; the first time for an image, a build of the
// module.
absl::StatusOr<Exit> BootGuest(const Options& options);

// Before a verb runs implementations: fetches the default image if `specs` names it and it is not
// there, and compiles what goes into the guests. What else is missing is left for whoever makes the
// implementations to complain about. With MMDIFF_NO_BUILD=1 nothing is fetched.
absl::Status PrepareGuests(const std::string& specs);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_GUEST_BOOT_H_
