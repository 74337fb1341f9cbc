// What this machine has and lacks for building and running kernels.
#ifndef MMDIFF_CLI_KERNEL_DOCTOR_H_
#define MMDIFF_CLI_KERNEL_DOCTOR_H_

#include <vector>

#include "cli/checks.h"

namespace mmdiff {

// Looks at tools, memory, /dev/shm, ptrace, the cache and its builds. Changes nothing but a file in
// /dev/shm, which it removes; starts one child process. Costs a few milliseconds.
std::vector<Check> CheckForKernels();

}  // namespace mmdiff

#endif  // MMDIFF_CLI_KERNEL_DOCTOR_H_
