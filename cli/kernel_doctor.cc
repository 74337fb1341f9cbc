#include "cli/kernel_doctor.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "kernel/builds.h"

namespace mmdiff {
namespace {

constexpr uint64_t kSpaceMib = 3072;   // a source and a build
constexpr uint64_t kSharedMib = 1024;  // the memory of a kernel, and room for a second one

// User Mode Linux keeps its memory in a file there and runs code from it.
Check CheckSharedMemory() {
  Check check{
      "/dev/shm, executable (the kernel's memory)", Check::State::kMissing, "",
      "mount -o remount,exec /dev/shm, or mount a tmpfs there; in a container: a --shm-size "
      "of 1g"};
  std::string path = "/dev/shm/mmdiff-doctor-XXXXXX";
  const int fd = mkstemp(path.data());
  if (fd < 0) {
    check.found = absl::StrCat("cannot be written: ", std::strerror(errno));
    return check;
  }
  unlink(path.c_str());
  void* page = MAP_FAILED;
  if (ftruncate(fd, 4096) == 0) {
    page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, 0);
  }
  const int error = errno;
  struct statvfs space = {};
  const bool known = fstatvfs(fd, &space) == 0;
  close(fd);
  if (page == MAP_FAILED) {
    check.found = absl::StrCat("cannot be mapped executable: ", std::strerror(error));
    return check;
  }
  munmap(page, 4096);
  const uint64_t mib = known ? static_cast<uint64_t>(space.f_bavail) * space.f_frsize >> 20 : 0;
  check.found = absl::StrCat(mib, " MiB");
  check.state = mib >= kSharedMib ? Check::State::kOk : Check::State::kWarning;
  return check;
}

// User Mode Linux tries ptrace on a child when it starts.
Check CheckPtrace() {
  Check check{
      "ptrace of a child", Check::State::kWarning, "refused",
      "allow the system call ptrace; in a container: --cap-add=SYS_PTRACE or another seccomp "
      "profile"};
  const pid_t child = fork();
  if (child < 0) {
    check.found = "no process could be started";
    return check;
  }
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
    raise(SIGSTOP);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, WUNTRACED);
  if (WIFSTOPPED(status)) {
    check.state = Check::State::kOk;
    check.found = "allowed";
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
  }
  return check;
}

Check CheckMachineKind() {
  utsname name = {};
  uname(&name);
  const bool right = std::string(name.machine) == "x86_64";
  return {"x86-64", right ? Check::State::kOk : Check::State::kMissing, name.machine,
          "kernels run as programs on x86-64 only"};
}

void CheckCache(std::vector<Check>* checks) {
  const absl::StatusOr<std::string> cache = KernelCache();
  if (!cache.ok()) {
    checks->push_back({"the cache of kernels", Check::State::kMissing, "",
                       std::string(cache.status().message())});
    return;
  }
  checks->push_back(CheckSpace(
      absl::StrCat("free space for kernels in ", *cache, " (a source and its build take 2 GiB)"),
      *cache, kSpaceMib, "set MMDIFF_KERNELS to a directory on another disk"));
  const absl::StatusOr<KernelBuild> build = FindKernelBuild("");
  checks->push_back({"the default kernel", build.ok() ? Check::State::kOk : Check::State::kWarning,
                     build.ok() ? absl::StrCat("Linux ", build->release) : "not built",
                     "./mmdiff kernel build; ./mmdiff fuzz --impl reference,linux builds it too"});
}

}  // namespace

std::vector<Check> CheckForKernels() {
  std::vector<Check> checks;
  checks.push_back(CheckMachineKind());
  CheckPackages({"kernel"}, &checks);
  const size_t needed = checks.size();
  CheckPackages({"kernel-coverage"}, &checks);
  // Only --coverage needs these.
  for (size_t i = needed; i < checks.size(); ++i) {
    if (checks[i].state == Check::State::kMissing) checks[i].state = Check::State::kWarning;
  }
  const bool apt = OnPath("apt-get");
  checks.push_back({"apt-get (fetches Debian's sources)",
                    apt ? Check::State::kOk : Check::State::kWarning, apt ? "there" : "not there",
                    "give a kernel source with ./mmdiff kernel build --tree DIR"});
  checks.push_back(CheckSharedMemory());
  checks.push_back(CheckPtrace());
  CheckCache(&checks);
  return checks;
}

}  // namespace mmdiff
