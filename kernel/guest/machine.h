// Machine: the virtual machine that a guest runs in, as a command line of QEMU.
//
// Two memory nodes of one processor each, both with a part for what can be moved and a part for
// what cannot; no disk, no network, no clock but its own; a console that goes to the output, and
// the shared memory as a PCI device. Emulated, so that it runs anywhere and does the same
// everywhere. Knows the layout of no image. Costs the making of some strings.
#ifndef MMDIFF_KERNEL_GUEST_MACHINE_H_
#define MMDIFF_KERNEL_GUEST_MACHINE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mmdiff {

struct GuestMachine {
  std::string kernel;     // path of a bzImage
  std::string initrd;     // path
  uint32_t cpus = 2;      // processors; the first is of node 0, the others are of node 1
  uint32_t memory = 512;  // MiB, one half for each node
};

// QEMU: $MMDIFF_QEMU, or qemu-system-x86_64 of PATH, as a path. Error: NotFound.
absl::StatusOr<std::string> FindQemu();

// What to start it with.
std::vector<std::string> QemuArguments(const GuestMachine& machine);

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_GUEST_MACHINE_H_
