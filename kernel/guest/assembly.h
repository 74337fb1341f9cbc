// Assembly: compiles what mmdiff puts into a guest and packs it.
//
// The result is kept in a directory of its own for each state of the sources and of the image, made
// under another name and renamed, under a lock, so that there is never half of one. Compiling takes
// two or three seconds; finding what is there, a hash of the sources.
#ifndef MMDIFF_KERNEL_GUEST_ASSEMBLY_H_
#define MMDIFF_KERNEL_GUEST_ASSEMBLY_H_

#include <string>

#include "absl/status/statusor.h"
#include "kernel/guest/guest.h"

namespace mmdiff {

struct GuestParts {
  std::string initrd;  // path
};

// Errors: see PrepareGuest.
absl::StatusOr<GuestParts> AssembleGuest(const Guest& guest);

// Whether it has been done for these sources.
bool GuestIsAssembled(const Guest& guest);

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_GUEST_ASSEMBLY_H_
