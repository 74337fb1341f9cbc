// What this machine has and lacks for booting prebuilt kernels.
#ifndef MMDIFF_CLI_GUEST_DOCTOR_H_
#define MMDIFF_CLI_GUEST_DOCTOR_H_

#include <vector>

#include "cli/checks.h"

namespace mmdiff {

// Looks at QEMU, compilers, memory, and the images. Changes nothing; asks QEMU for its version and
// its accelerators, and compiles an empty program. Costs some hundred milliseconds.
std::vector<Check> CheckForGuests();

}  // namespace mmdiff

#endif  // MMDIFF_CLI_GUEST_DOCTOR_H_
