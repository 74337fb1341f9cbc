#include "kernel/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "harness/choice.h"
#include "harness/starting.h"
#include "kernel/report.h"

namespace mmdiff {
namespace {

static_assert(sizeof(mmdiff_wire_op) == sizeof(Op) && offsetof(mmdiff_wire_op, code) == 0 &&
              offsetof(Op, code) == 0 && offsetof(mmdiff_wire_op, thread) == offsetof(Op, thread) &&
              offsetof(mmdiff_wire_op, cpu) == offsetof(Op, cpu) &&
              offsetof(mmdiff_wire_op, arg) == offsetof(Op, arg));
static_assert(sizeof(mmdiff_wire_world) == sizeof(World) &&
              offsetof(mmdiff_wire_world, orders) == offsetof(World, orders));
#define MMDIFF_WORLD(name, dflt, min, max, doc) \
  static_assert(offsetof(mmdiff_wire_world, name) == offsetof(World, name));
#include "program/world.def"
static_assert(sizeof(mmdiff_wire_choice) == sizeof(Choice) &&
              offsetof(mmdiff_wire_choice, kind) == offsetof(Choice, kind) &&
              offsetof(mmdiff_wire_choice, a) == offsetof(Choice, a) &&
              offsetof(mmdiff_wire_choice, b) == offsetof(Choice, b) &&
              offsetof(mmdiff_wire_choice, c) == offsetof(Choice, c));
static_assert(MMDIFF_WIRE_OPS == kMaxOps);

// What every kernel that is a process is booted with: little memory, no console but stderr, no
// clock of its own, and a warning or a bad page (taint 5) ends it, so that the first report is the
// last. Warnings are printed from loglevel 5 on.
constexpr const char* kCommandLine[] = {
    "mem=512M", "time-travel=inf-cpu", "con=null",        "console=stderr0",
    "stderr=1", "loglevel=5",          "panic_on_warn=1", "panic_on_taint=0x20",
};
constexpr size_t kConsoleLimit = 1u << 20;  // the console is cut down when it is larger
// A virtual machine that does nothing at all is given up after so many times its limit.
constexpr int kClockPerCpu = 6;
// How long a kernel that has said how it ends may take to print why and end.
constexpr uint32_t kLastWordsMs = 2000;
// So much is shown of what a kernel printed that did not boot.
constexpr size_t kBootWordsBytes = 2048;

using Clock = std::chrono::steady_clock;

absl::Status SystemError(const char* what) {
  return absl::InternalError(
      absl::StrCat(what, " for a kernel: ", std::strerror(errno), "; is there memory left?"));
}

std::string Name(const WorkerOptions& options) {
  return options.name.empty() ? absl::StrCat("kernel ", options.executable) : options.name;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Worker>> Worker::Start(const WorkerOptions& options) {
  const Starting starting;
  bool again = true;
  absl::StatusOr<std::unique_ptr<Worker>> worker;
  for (uint32_t boot = 0; !worker.ok() && again && (boot == 0 || boot < options.boots); ++boot) {
    again = false;
    worker = StartOnce(options, &again);
  }
  return worker;
}

absl::StatusOr<std::unique_ptr<Worker>> Worker::StartOnce(const WorkerOptions& options,
                                                          bool* again) {
  std::unique_ptr<Worker> worker(new Worker);
  if (absl::Status s = worker->Prepare(options); !s.ok()) return s;
  if (absl::Status s = worker->Spawn(options); !s.ok()) return s;
  if (absl::Status s = worker->WaitForBoot(options, again); !s.ok()) return s;
  return worker;
}

Worker::~Worker() {
  if (borrowed()) pid_ = -1;  // it goes back as it is
  Kill();
  if (end_fd_ >= 0) close(end_fd_);
  if (wire_ != nullptr) munmap(wire_, sizeof(mmdiff_wire));
  if (wire_fd_ >= 0) close(wire_fd_);
  if (console_fd_ >= 0) close(console_fd_);
}

absl::Status Worker::Prepare(const WorkerOptions& options) {
  options_ = options;
  struct stat file;
  if (stat(options.executable.c_str(), &file) != 0) {
    return absl::NotFoundError(absl::StrCat("there is no ", Name(options), "; ", options.remedy));
  }
  if (!S_ISREG(file.st_mode) || access(options.executable.c_str(), X_OK) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.executable, " is not an executable; ", options.remedy));
  }
  wire_fd_ = memfd_create("mmdiff-wire", MFD_CLOEXEC);
  if (wire_fd_ < 0 || ftruncate(wire_fd_, static_cast<off_t>(WireBytes(options.machine))) != 0) {
    return SystemError("no shared memory");
  }
  void* memory =
      mmap(nullptr, sizeof(mmdiff_wire), PROT_READ | PROT_WRITE, MAP_SHARED, wire_fd_, 0);
  if (memory == MAP_FAILED) return SystemError("no address space");
  wire_ = static_cast<mmdiff_wire*>(memory);
  wire_->magic = MMDIFF_WIRE_MAGIC;
  wire_->version = MMDIFF_WIRE_VERSION;
  wire_->op_index = MMDIFF_WIRE_IDLE;
  // A file and not a pipe, so that nobody has to read while the kernel prints.
  console_fd_ = memfd_create("mmdiff-console", MFD_CLOEXEC);
  if (console_fd_ < 0 || fcntl(console_fd_, F_SETFL, O_APPEND) != 0) {
    return SystemError("no room for the console");
  }
  return absl::OkStatus();
}

absl::Status Worker::Spawn(const WorkerOptions& options) {
  std::vector<std::string> words = {options.executable};
  if (options.machine == Machine::kProcess) {
    words.push_back(absl::StrCat("mmdiff=", kLaunchWireFd));
    words.insert(words.end(), std::begin(kCommandLine), std::end(kCommandLine));
  }
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  owner_ = getpid();
  pid_ = LaunchProcess(words, wire_fd_, console_fd_);
  if (pid_ < 0) return SystemError("no process");
  end_fd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  return absl::OkStatus();
}

absl::Status Worker::WaitForBoot(const WorkerOptions& options, bool* again) {
  const bool booted = WaitFor(&wire_->booted, 1, options.boot_ms);
  std::string why;
  if (!booted && pid_ >= 0) {
    Kill();
    why = absl::StrCat("did not boot within ", options.boot_ms,
                       " ms: it is no kernel made for mmdiff, or the machine is overloaded");
  } else if (!booted) {
    why = absl::StrCat("did not boot: it ", HowItEnded());
    *again = true;
  } else if (wire_->magic != MMDIFF_WIRE_MAGIC || wire_->version != MMDIFF_WIRE_VERSION) {
    Kill();
    why = absl::StrCat("speaks version ", wire_->version, " of the wire and this mmdiff ",
                       MMDIFF_WIRE_VERSION);
  }
  if (why.empty()) {
    console_from_ = console_seen_ = lseek(console_fd_, 0, SEEK_END);
    return absl::OkStatus();
  }
  std::string console = Console();
  const KernelReport report = ReadKernelReport(console);
  if (!report.title.empty()) absl::StrAppend(&why, " after \"", report.title, "\"");
  *again |= !booted && !report.title.empty();
  if (console.size() > kBootWordsBytes) console.erase(0, console.size() - kBootWordsBytes);
  return absl::FailedPreconditionError(
      absl::StrCat("the ", Name(options), " ", why, "; ", options.remedy,
                   console.empty() ? "" : absl::StrCat(". It printed:\n", console)));
}

bool Worker::borrowed() const { return pid_ >= 0 && owner_ != getpid(); }

bool Worker::usable() const {
  if (pid_ < 0) return false;
  return !borrowed() || (lent_ && end_fd_ >= 0 && getppid() == owner_);
}

void Worker::Lend() { lent_ = true; }

void Worker::TakeBack() {
  lent_ = false;
  if (!usable()) return;
  if (!Reap() && LoadWord(&wire_->request) != LoadWord(&wire_->reply)) Kill();
  // What was printed meanwhile belongs to programs of others.
  console_cut_.clear();
  console_from_ = console_seen_ = lseek(console_fd_, 0, SEEK_END);
}

std::string Worker::release() const {
  return std::string(wire_->release, strnlen(wire_->release, sizeof(wire_->release)));
}
std::string Worker::features() const {
  std::string words(wire_->features, strnlen(wire_->features, sizeof(wire_->features)));
  const std::string grade = wire_->grade == MMDIFF_WIRE_PUBLIC ? "public" : "exact";
  if (options_.machine == Machine::kQemu && !absl::StartsWith(words, grade)) {
    words.insert(0, grade + " ");
  }
  while (words.ends_with(' ')) words.pop_back();
  return words;
}

bool Worker::Reap() {
  if (pid_ < 0) return true;
  if (borrowed()) {  // only its parent can wait for it
    pollfd end{end_fd_, POLLIN, 0};
    if (poll(&end, 1, 0) != 1) return false;
    pid_ = -1;
    return true;
  }
  siginfo_t info{};
  const int looked = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  if (looked == 0 && info.si_pid == 0) return false;
  if (looked != 0 && errno == EINTR) return false;
  // While it is not reaped the number of its group cannot be anybody else's.
  if (looked == 0) kill(-pid_, SIGKILL);
  if (looked != 0 || waitpid(pid_, &wait_status_, 0) < 0) wait_status_ = 0;  // reaped by others
  pid_ = -1;
  return true;
}

void Worker::Kill() {
  if (pid_ < 0) return;
  if (!usable()) {  // a copy of it in a forked child
    pid_ = -1;
    return;
  }
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);
  if (borrowed()) {
    pollfd end{end_fd_, POLLIN, 0};
    poll(&end, 1, static_cast<int>(kLastWordsMs));
    pid_ = -1;
    return;
  }
  while (waitpid(pid_, &wait_status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

// What a virtual machine emulates takes as long as the host lets it: its limit is of its own CPU
// time, and of the clock only as a last resort.
std::chrono::nanoseconds Worker::TimeUsed(Clock::time_point since, int64_t cpu_since) const {
  const std::chrono::nanoseconds by_clock = Clock::now() - since;
  const int64_t cpu = CpuTimeNs();
  if (options_.machine != Machine::kQemu || cpu < 0) return by_clock;
  return std::max<std::chrono::nanoseconds>(std::chrono::nanoseconds(cpu - cpu_since),
                                            by_clock / kClockPerCpu);
}

// CPU time of the process, or -1 if it cannot be told.
int64_t Worker::CpuTimeNs() const {
  clockid_t clock;
  timespec time;
  if (pid_ < 0 || clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    return -1;
  }
  return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec;
}

bool Worker::WaitFor(uint32_t* word, uint32_t value, uint32_t ms) {
  const Clock::time_point begin = Clock::now();
  const int64_t cpu_begin = options_.machine == Machine::kQemu ? CpuTimeNs() : 0;
  WordWait wait(options_.machine);
  for (;;) {
    const uint32_t seen = LoadWord(word);
    if (seen == value) return true;
    if (!wait.Wait(word, seen)) continue;
    // It may have answered just before it ended.
    if (Reap()) return LoadWord(word) == value;
    TrimConsole();
    if (TimeUsed(begin, cpu_begin) >= std::chrono::milliseconds(ms)) {
      return LoadWord(word) == value;
    }
  }
}

// Waits for the end of a kernel that has announced it, then makes sure of it.
void Worker::LetItEnd() {
  const timespec pause{0, 1'000'000};
  for (uint32_t ms = 0; ms < kLastWordsMs && !Reap(); ++ms) nanosleep(&pause, nullptr);
  Kill();
}

void Worker::TrimConsole() {
  struct stat file;
  if (fstat(console_fd_, &file) != 0 || file.st_size <= static_cast<off_t>(kConsoleLimit)) return;
  console_cut_ = Console();
  if (ftruncate(console_fd_, 0) == 0) console_from_ = console_seen_ = 0;
}

// Whether the kernel has reported something in the last program and gone on.
bool Worker::ReportsQuietly() {
  struct stat file;
  if (fstat(console_fd_, &file) != 0 || file.st_size == console_seen_) return false;
  const std::string text = ConsoleFrom(console_seen_);
  console_seen_ = file.st_size;
  return !ReadKernelReport(text).kind.empty();
}

std::string Worker::Console() const {
  std::string text = console_cut_ + ConsoleFrom(console_from_);
  if (text.size() > kConsoleBytes) text.erase(0, text.size() - kConsoleBytes);
  return text;
}

std::string Worker::BootWords() const { return ConsoleFrom(0, console_from_); }

// The last part of what was printed after the first `from` bytes, up to byte `to`.
std::string Worker::ConsoleFrom(int64_t from, int64_t to) const {
  struct stat file;
  if (fstat(console_fd_, &file) != 0) return "";
  const int64_t size = std::min<int64_t>(file.st_size, to);
  from = std::max(from, size - static_cast<int64_t>(kConsoleBytes));
  std::string text(static_cast<size_t>(std::max<int64_t>(0, size - from)), '\0');
  const ssize_t n = pread(console_fd_, text.data(), text.size(), from);
  text.resize(n < 0 ? 0 : static_cast<size_t>(n));
  std::erase(text, '\r');  // of a serial line
  return text;
}

std::string Worker::HowItEnded() const {
  if (owner_ != getpid()) return "ended";  // nobody but its parent is told how
  if (!WIFSIGNALED(wait_status_)) {
    return absl::StrCat("ended with exit code ", WEXITSTATUS(wait_status_));
  }
  const char* name = sigabbrev_np(WTERMSIG(wait_status_));
  return absl::StrCat("was killed by signal ", WTERMSIG(wait_status_),
                      name == nullptr ? "" : absl::StrCat(" (SIG", name, ")"));
}

WorkerRun Worker::Run(const World& world, const std::vector<Op>& ops, uint32_t snap_from,
                      uint32_t flags) {
  mmdiff_wire& wire = *wire_;
  const uint32_t nops = static_cast<uint32_t>(std::min<size_t>(ops.size(), MMDIFF_WIRE_OPS));
  std::memcpy(&wire.world, &world, sizeof(world));
  if (nops != 0) std::memcpy(wire.ops, ops.data(), nops * sizeof(Op));
  wire.nops = nops;
  wire.snap_from = snap_from;
  wire.flags = flags;
  wire.op_index = wire.fate_op = MMDIFF_WIRE_IDLE;
  wire.fate = MMDIFF_WIRE_OK;
  wire.ops_run = wire.choices_used = wire.state_bytes_used = 0;
  wire.text[0] = '\0';
  const uint32_t number = wire.request + 1;
  if (number % 1024 == 0) TrimConsole();
  RaiseWord(options_.machine, &wire.request, number);
  std::optional<Starting> limited_here;
  if (options_.machine == Machine::kQemu) limited_here.emplace();
  const bool replied = WaitFor(&wire.reply, number, options_.program_ms);
  limited_here.reset();

  WorkerRun run;
  run.answered = std::min(wire.ops_run, nops);
  const bool quiet = replied && wire.fate == MMDIFF_WIRE_OK;
  if (quiet && !ReportsQuietly()) return run;
  if (quiet) {
    run.end = WorkerEnd::kReport;
    Kill();
  } else if (replied) {
    run.end = wire.fate == MMDIFF_WIRE_LEAK ? WorkerEnd::kLeak : WorkerEnd::kReport;
    LetItEnd();
    run.text = std::string(wire.text, strnlen(wire.text, sizeof(wire.text)));
  } else if (pid_ >= 0) {
    run.end = WorkerEnd::kHung;
    Kill();
    run.text = absl::StrCat("no answer within ", options_.program_ms, " ms");
  } else {
    run.end = WorkerEnd::kDied;
    run.text = absl::StrCat("the kernel's process ", HowItEnded());
  }
  run.console = Console();
  // The operation that was under way has no answer, those before it have.
  const uint32_t current = wire.op_index;
  if (current != MMDIFF_WIRE_IDLE) run.answered = std::max(run.answered, std::min(current, nops));
  const uint32_t last = nops == 0 ? 0 : nops - 1;
  run.op_index = wire.fate_op != MMDIFF_WIRE_IDLE ? wire.fate_op : run.answered;
  run.op_index = std::min({run.op_index, run.answered, last});
  return run;
}

}  // namespace mmdiff
