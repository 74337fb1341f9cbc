// Building kernels: gets the source, runs kernel/uml/build.sh and keeps the record.
//
// The only place that starts builds. What is up to date is not built again; two processes never
// build the same kernel at once; a build that failed or was interrupted is not found by anybody.
// Building one from nothing takes a minute or two, after a change about twenty seconds, finding it
// up to date some ten milliseconds.
#ifndef MMDIFF_CLI_KERNEL_BUILD_H_
#define MMDIFF_CLI_KERNEL_BUILD_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kernel/builds.h"

namespace mmdiff {

struct KernelOrder {
  KernelSource source;
  KernelFlavour flavour;
  uint64_t jobs = 0;  // 0: one for each core
  // Look at a tree file by file even if no time says that it has changed.
  bool thorough = true;
};
struct KernelDelivery {
  KernelBuild build;
  bool up_to_date = false;  // there was nothing to do
  double seconds = 0;
};

// Builds a kernel, with progress on standard error. Errors: NotFound for a version that Debian does
// not have, InvalidArgument for what is no kernel tree, Internal for a build that failed (with its
// last words and its log), Cancelled for Ctrl-C.
absl::StatusOr<KernelDelivery> BuildKernel(const KernelOrder& order);

// Gets Debian's source of a version into the cache, with progress; gives where it lies. Errors as
// above. Nothing happens if it is there.
absl::StatusOr<std::string> FetchKernelSource(const std::string& version);

// Before a verb runs implementations: builds the default kernel if `specs` names it and it is not
// there, and builds anew those that are there but older than their tree or than mmdiff's own part
// of them. What else is missing is left for whoever makes the implementations to complain about.
// With MMDIFF_NO_BUILD=1 nothing is built, and what is out of date is said on standard error.
// With `coverage` the builds are such that count their edges, and this process and those it starts
// run these (FindKernelToRun); if clang-19 is not there, standard error says what to install.
absl::Status PrepareKernels(const std::string& specs, bool coverage);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_KERNEL_BUILD_H_
