#include "cli/guest_doctor.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "kernel/builds.h"
#include "kernel/guest/guest.h"
#include "kernel/guest/images.h"
#include "kernel/guest/machine.h"
#include "kernel/run_program.h"
#include "kernel/wire.h"

namespace mmdiff {
namespace {

constexpr uint64_t kSpaceMib = 1024;   // an image takes 150 to 400
constexpr uint64_t kMemoryMib = 1024;  // a guest, QEMU's own, and the shared memory

void CheckQemu(std::vector<Check>* checks) {
  const std::string install = "apt-get install -y --no-install-recommends qemu-system-x86";
  const absl::StatusOr<std::string> qemu = FindQemu();
  if (!qemu.ok()) return;  // among the packages
  const RanProgram version = RunProgram({*qemu, "--version"});
  Check check{"QEMU runs", version.ok() ? Check::State::kOk : Check::State::kMissing,
              version.output.substr(0, version.output.find('\n')), install};
  if (version.spawn_error != 0) check.found = std::strerror(version.spawn_error);
  checks->push_back(check);
  if (!version.ok()) return;
  const RanProgram accelerators = RunProgram({*qemu, "-accel", "help"});
  const bool tcg = absl::StrContains(accelerators.output, "tcg");
  checks->push_back({"QEMU can emulate (TCG)", tcg ? Check::State::kOk : Check::State::kMissing,
                     tcg ? "yes" : "no", install});
  const RanProgram devices = RunProgram({*qemu, "-device", "help"});
  const bool ivshmem = absl::StrContains(devices.output, "ivshmem-plain");
  checks->push_back({"QEMU can share memory (ivshmem-plain)",
                     ivshmem ? Check::State::kOk : Check::State::kMissing, ivshmem ? "yes" : "no",
                     install});
}

Check CheckMemfd() {
  Check check{"shared memory of 64 MiB (memfd)", Check::State::kMissing, "",
              "allow memfd_create and more memory; in a container: a larger --memory"};
  const int fd = memfd_create("mmdiff-doctor", MFD_CLOEXEC);
  if (fd >= 0 && ftruncate(fd, MMDIFF_WIRE_PCI_BYTES) == 0) {
    check.state = Check::State::kOk;
    check.found = "there";
  } else {
    check.found = std::strerror(errno);
  }
  if (fd >= 0) close(fd);
  return check;
}

Check CheckMemory() {
  std::ifstream in("/proc/meminfo");
  uint64_t mib = 0;
  for (std::string line; std::getline(in, line);) {
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(": \t"), absl::SkipEmpty());
    uint64_t kib = 0;
    if (words.size() >= 2 && words[0] == "MemAvailable" && absl::SimpleAtoi(words[1], &kib)) {
      mib = kib >> 10;
    }
  }
  return {"free memory (a guest takes up to 700 MiB, and there is one for each job)",
          mib >= kMemoryMib ? Check::State::kOk : Check::State::kWarning, absl::StrCat(mib, " MiB"),
          "end other programs, or use --jobs 1"};
}

// Init is linked statically.
Check CheckStaticCompiler() {
  Check check{"gcc links static programs (a guest's init)", Check::State::kMissing, "no",
              "apt-get install -y --no-install-recommends gcc libc6-dev"};
  const RanProgram ran = RunProgram(
      {"sh", "-c", "echo 'int main(void) { return 0; }' | gcc -static -x c -o /dev/null -"});
  if (ran.ok()) {
    check.state = Check::State::kOk;
    check.found = "yes";
  }
  return check;
}

void CheckImages(std::vector<Check>* checks) {
  const absl::StatusOr<std::string> cache = KernelCache();
  if (!cache.ok()) {
    checks->push_back(
        {"the cache of images", Check::State::kMissing, "", std::string(cache.status().message())});
    return;
  }
  checks->push_back(CheckSpace(absl::StrCat("free space for images in ", *cache), *cache, kSpaceMib,
                               "set MMDIFF_KERNELS to a directory on another disk"));
  const absl::StatusOr<GuestImage> image = FindGuestImage("");
  checks->push_back(
      {"the default image", image.ok() ? Check::State::kOk : Check::State::kWarning,
       image.ok() ? absl::StrCat("Linux ", image->release) : "not fetched",
       "./mmdiff guest fetch default; ./mmdiff fuzz --impl reference,guest fetches it too"});
  for (const GuestImage& each : ListGuestImages()) {
    const bool headers = !each.headers.empty();
    checks->push_back({absl::StrCat("headers of ", each.release),
                       headers ? Check::State::kOk : Check::State::kWarning,
                       headers ? "there" : "Debian has none any more",
                       "only what user programs are told can be compared; ./mmdiff guest list "
                       "--available says which images have headers"});
  }
}

}  // namespace

std::vector<Check> CheckForGuests() {
  std::vector<Check> checks;
  CheckPackages({"guest"}, &checks);
  CheckQemu(&checks);
  checks.push_back(CheckMemfd());
  checks.push_back(CheckMemory());
  checks.push_back(CheckStaticCompiler());
  CheckImages(&checks);
  return checks;
}

}  // namespace mmdiff
