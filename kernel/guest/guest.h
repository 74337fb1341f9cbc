// Guest: a kernel as it was built for others, in a virtual machine, as a worker.
//
// From an image to WorkerOptions (kernel/worker.h): compiles mmdiff's module against the image's
// headers and its init, packs both into an initrd, and says how QEMU is started. What was compiled
// is kept beside the image for each state of mmdiff's own sources. Never fetches images and starts
// no machine. Costs some seconds the first time, some milliseconds after.
#ifndef MMDIFF_KERNEL_GUEST_GUEST_H_
#define MMDIFF_KERNEL_GUEST_GUEST_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "kernel/guest/images.h"
#include "kernel/worker.h"
#include "program/world_demands.h"

namespace mmdiff {

struct Guest {
  GuestImage image;
  std::string module;  // mmdiff.ko as it was given; empty: it is built if there are headers
  std::string init;    // a static program to run in place of mmdiff's init; for tests
  uint32_t cpus = 2;   // 1 to 8
};

// A guest by what a user writes after "guest:":
//   ""                             the default image
//   6.18, 6.18.15                  an image that was fetched (kernel/guest/images.h)
//   a directory                    an image that lies elsewhere, or what packages of a kernel and
//                                  its headers were unpacked into
//   a file[,module=FILE]           a kernel (bzImage), and mmdiff's module for it
// and after each of them [,cpus=N][,init=FILE]. Error: NotFound, with the command that fetches it;
// InvalidArgument for what cannot be a guest.
absl::StatusOr<Guest> FindGuest(std::string_view which);

// Makes a guest ready to be started. Error: NotFound if QEMU or a compiler is missing, or the
// sources of what goes into a guest; Internal if they cannot be compiled, with what the compiler
// said.
absl::StatusOr<WorkerOptions> PrepareGuest(const Guest& guest);

// Whether PrepareGuest would find all of it there.
bool GuestIsPrepared(const Guest& guest);

// What a guest demands of worlds: x86-64's page tables, the batches of its kernel, its own CPUs and
// real TLBs, of which nobody knows what they keep; without a module, no swap and what system calls
// can ask for.
WorldDemands GuestDemands(const Guest& guest);

// Whether it runs without mmdiff's module, by system calls (kernel/guest/public_grade.h).
bool GuestIsPublic(const Guest& guest);

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_GUEST_GUEST_H_
