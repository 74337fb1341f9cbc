#include "kernel/launch.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>

#include "kernel/wire.h"

namespace mmdiff {
namespace {

static_assert(sizeof(mmdiff_wire) <= MMDIFF_WIRE_PCI_BYTES &&
              sizeof(mmdiff_wire) > MMDIFF_WIRE_PCI_BYTES / 2);

// While a program runs, so often is looked whether the process still lives.
constexpr long kSliceNs = 10'000'000;
// A virtual machine is looked at some times without a pause, which is short, for it needs the cores
// itself; then with pauses of this length.
constexpr int kSpins = 200;
constexpr long kFirstSleepNs = 50'000, kLongestSleepNs = 500'000;

// In the child, between fork and exec: only what is safe after the fork of a threaded process.
[[noreturn]] void BecomeKernel(pid_t parent, int wire_fd, int console_fd, char* const* argv) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  personality(ADDR_NO_RANDOMIZE);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  struct sigaction by_default = {};
  by_default.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &by_default, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // Out of the way of the numbers they are to get.
  wire_fd = fcntl(wire_fd, F_DUPFD, 64);
  console_fd = fcntl(console_fd, F_DUPFD, 64);
  const int null = open("/dev/null", O_RDONLY);
  if (wire_fd < 0 || console_fd < 0 || null < 0 || dup2(null, 0) < 0 || dup2(console_fd, 1) < 0 ||
      dup2(console_fd, 2) < 0 || dup2(wire_fd, kLaunchWireFd) < 0) {
    _exit(127);
  }
  syscall(SYS_close_range, kLaunchWireFd + 1, ~0u, 0);
  execv(argv[0], argv);
  const char* why = std::strerror(errno);
  for (const char* part : {"cannot execute: ", why, "\n"}) {
    if (write(2, part, std::strlen(part)) < 0) break;
  }
  _exit(127);
}

}  // namespace

size_t WireBytes(Machine machine) {
  return machine == Machine::kQemu ? MMDIFF_WIRE_PCI_BYTES : sizeof(mmdiff_wire);
}

pid_t LaunchProcess(const std::vector<std::string>& argv, int wire_fd, int console_fd) {
  std::vector<std::string> words = argv;
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) BecomeKernel(parent, wire_fd, console_fd, pointers.data());
  if (pid > 0) setpgid(pid, pid);  // whoever comes first
  return pid;
}

uint32_t LoadWord(uint32_t* word) {
  return std::atomic_ref<uint32_t>(*word).load(std::memory_order_acquire);
}

void RaiseWord(Machine machine, uint32_t* word, uint32_t value) {
  std::atomic_ref<uint32_t>(*word).store(value, std::memory_order_release);
  if (machine == Machine::kProcess) {
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }
}

bool WordWait::Wait(uint32_t* word, uint32_t seen) {
  if (machine_ == Machine::kQemu) return Poll(word, seen);
  const timespec slice{0, kSliceNs};
  const long woken = syscall(SYS_futex, word, FUTEX_WAIT, seen, &slice, nullptr, 0);
  return woken != 0 && errno == ETIMEDOUT;
}

bool WordWait::Poll(uint32_t* word, uint32_t seen) {
  for (int i = 0; sleep_ns_ == 0 && i < kSpins; ++i) {
    if (LoadWord(word) != seen) return false;
    __builtin_ia32_pause();
  }
  for (long slept = 0; slept < kSliceNs; slept += sleep_ns_) {
    sleep_ns_ = std::clamp(sleep_ns_ + sleep_ns_ / 4, kFirstSleepNs, kLongestSleepNs);
    const timespec pause{0, sleep_ns_};
    nanosleep(&pause, nullptr);
    if (LoadWord(word) != seen) return false;
  }
  return true;
}

}  // namespace mmdiff
