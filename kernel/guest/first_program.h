// First program: a C program as the only one of a guest that was booted for it alone.
//
// Compiles it statically, packs it with an init that mounts what programs need, boots the image,
// and gives back what the program printed and how it ended. Nothing of mmdiff is in that guest, so
// what the program shows there is the kernel's own doing. It does not know what the program is.
// Costs two compilations and a boot, 5 to 15 seconds.
#ifndef MMDIFF_KERNEL_GUEST_FIRST_PROGRAM_H_
#define MMDIFF_KERNEL_GUEST_FIRST_PROGRAM_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "kernel/guest/guest.h"

namespace mmdiff {

struct FirstProgram {
  std::string source;  // C
  uint32_t orders =
      0;  // of anonymous folios that the kernel may use, one bit each, as World has it
  std::string scratch;       // an existing directory, for what is compiled
  uint32_t run_ms = 60'000;  // that the program may take; the boot has a limit of its own
};

struct FirstProgramEnd {
  std::string output;   // of the program, without carriage returns
  std::string console;  // what the kernel said besides, before and after
  // "exit code 0", "signal 11"; "did not end within 60000 ms" or "the guest ended" if it never came
  // so far.
  std::string how;
  bool ended = false;  // by itself, with exit code 0
};

// Errors: NotFound if QEMU, a compiler or mmdiff's sources are missing; InvalidArgument if the
// program does not compile, with what the compiler said; Internal if the guest does not boot.
absl::StatusOr<FirstProgramEnd> RunFirstProgram(const Guest& guest, const FirstProgram& program);

// Takes a console apart at the lines that the init prints around the program's output.
FirstProgramEnd ReadFirstProgramConsole(const std::string& console);

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_GUEST_FIRST_PROGRAM_H_
