#include "harness/isolate.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "harness/starting.h"

namespace mmdiff {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

// A file descriptor that is closed at the end of its scope.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  void Reset(int fd) {
    Close();
    fd_ = fd;
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

bool MakePipe(Fd* read_end, Fd* write_end) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return false;
  read_end->Reset(fds[0]);
  write_end->Reset(fds[1]);
  return true;
}

bool WriteAll(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

// In the child, before the body.
void PrepareChild(pid_t parent, int output, const IsolateLimits& limits) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);  // the parent died before the line above
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  if (limits.memory_bytes != 0 && !kSanitized) {
    const rlimit memory{limits.memory_bytes, limits.memory_bytes};
    setrlimit(RLIMIT_AS, &memory);
  }
  // A sanitizer's own handlers make the report; anybody else's would hide the signal.
  if (!kSanitized) {
    for (const int sig :
         {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGTERM, SIGINT, SIGALRM}) {
      signal(sig, SIG_DFL);
    }
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The frames above belong to the parent's program, so an exception must not reach them.
std::string CallBody(const std::function<std::string(Beacon&)>& body, Beacon& beacon) noexcept {
  return body(beacon);
}

[[noreturn]] void ChildMain(const std::function<std::string(Beacon&)>& body, Beacon& beacon,
                            int answer_fd) {
  const std::string answer = CallBody(body, beacon);
  const uint64_t size = answer.size();
  const bool sent = WriteAll(answer_fd, reinterpret_cast<const char*>(&size), sizeof(size)) &&
                    WriteAll(answer_fd, answer.data(), answer.size());
  fflush(nullptr);
  _exit(sent ? 0 : 1);
}

using Clock = std::chrono::steady_clock;

int MillisecondsUntil(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30));
}

// Reads what is there; false at the end of the stream. Keeps at most `keep` bytes, the last ones,
// if that is not 0.
bool ReadSome(int fd, std::string* text, size_t keep) {
  char buffer[16384];
  const ssize_t n = read(fd, buffer, sizeof(buffer));
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  text->append(buffer, static_cast<size_t>(n));
  if (keep != 0 && text->size() > 2 * keep) text->erase(0, text->size() - keep);
  return true;
}

// True if the child ended; it stays a zombie, so that its process group cannot be another's yet.
bool HasEnded(pid_t child) {
  siginfo_t info;
  info.si_pid = 0;
  return waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == child;
}

// Follows the child until it ended or the time is over. True if it ended by itself. A grandchild
// may hold the pipes open after the child is gone: the child's end counts.
bool Watch(pid_t child, const Beacon& beacon, int answer_fd, int output_fd,
           const IsolateLimits& limits, std::string* answer, std::string* output) {
  constexpr int kTick = 20;  // how late an end without an end of the pipes is noticed
  auto deadline = Clock::now() + std::chrono::milliseconds(limits.time_ms);
  std::array<pollfd, 2> fds = {pollfd{answer_fd, POLLIN, 0}, pollfd{output_fd, POLLIN, 0}};
  bool ended = false;
  for (;;) {
    const bool open = fds[0].fd >= 0 || fds[1].fd >= 0;
    if (beacon.starting()) deadline = Clock::now() + std::chrono::milliseconds(limits.time_ms);
    const int left = MillisecondsUntil(deadline);
    const int wait = ended ? 0 : open ? std::min(left, kTick) : std::min(left, 1);
    const int ready = poll(fds.data(), fds.size(), wait);
    if (ready > 0) {
      if (fds[0].revents != 0 && !ReadSome(answer_fd, answer, 0)) fds[0].fd = -1;
      if (fds[1].revents != 0 && !ReadSome(output_fd, output, limits.output_bytes)) fds[1].fd = -1;
      if (MillisecondsUntil(deadline) > 0) continue;
    }
    if (ended) return true;  // and the pipes are empty
    ended = HasEnded(child);
    if (!ended && MillisecondsUntil(deadline) == 0) return false;
  }
}

}  // namespace

absl::StatusOr<ChildEnd> RunInChild(const std::function<std::string(Beacon&)>& body,
                                    const IsolateLimits& limits) {
  absl::StatusOr<Beacon> beacon = Beacon::Create();
  if (!beacon.ok()) return beacon.status();
  Fd answer_read, answer_write, output_read, output_write;
  if (!MakePipe(&answer_read, &answer_write) || !MakePipe(&output_read, &output_write)) {
    return absl::ErrnoToStatus(errno, "pipe to a child process");
  }
  fcntl(answer_read.get(), F_SETFL, O_NONBLOCK);
  fcntl(output_read.get(), F_SETFL, O_NONBLOCK);
  fflush(nullptr);  // what is buffered must not be printed by the child as well
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return absl::ErrnoToStatus(errno, "fork of a child process");
  if (child == 0) {
    PrepareChild(parent, output_write.get(), limits);
    Starting::TellAt(&beacon->progress()->starting);
    ChildMain(body, *beacon, answer_write.get());
  }
  setpgid(child, child);  // either side may be first
  answer_write.Close();
  output_write.Close();

  std::string answer;
  ChildEnd end;
  const bool ended =
      Watch(child, *beacon, answer_read.get(), output_read.get(), limits, &answer, &end.output);
  kill(-child, SIGKILL);
  if (!ended) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (end.output.size() > limits.output_bytes) {
    end.output.erase(0, end.output.size() - limits.output_bytes);
  }
  end.lit = beacon->lit();
  end.position = beacon->position();
  uint64_t size = 0;
  if (answer.size() >= sizeof(size)) std::memcpy(&size, answer.data(), sizeof(size));
  if (!ended) {
    end.kind = ChildEnd::Kind::kTimedOut;
  } else if (WIFSIGNALED(status)) {
    end.kind = ChildEnd::Kind::kSignalled;
    end.code = WTERMSIG(status);
  } else if (WEXITSTATUS(status) == 0 && answer.size() >= sizeof(size) &&
             answer.size() - sizeof(size) == size) {
    end.kind = ChildEnd::Kind::kReturned;
    end.answer = answer.substr(sizeof(size));
  } else {
    end.kind = ChildEnd::Kind::kExited;
    end.code = WEXITSTATUS(status);
  }
  return end;
}

const char* IsolatedKindName(IsolatedOutcome::Kind kind) {
  switch (kind) {
    case IsolatedOutcome::Kind::kOk:
      return "ok";
    case IsolatedOutcome::Kind::kFinding:
      return "finding";
    case IsolatedOutcome::Kind::kCrash:
      return "crash";
    case IsolatedOutcome::Kind::kSanitizer:
      return "sanitizer";
    case IsolatedOutcome::Kind::kBug:
      return "bug";
    case IsolatedOutcome::Kind::kHang:
      return "hang";
    case IsolatedOutcome::Kind::kExit:
      return "exit";
  }
  return "unknown";
}

namespace {

// "SIGSEGV"; "signal 40" for those without a name.
std::string SignalName(int sig) {
  const char* name = sigabbrev_np(sig);
  return name != nullptr ? absl::StrCat("SIG", name) : absl::StrCat("signal ", sig);
}

// The line of the output that says most, in the order that SignatureOfDeath has: an assertion's,
// then a sanitizer's. Empty if there is none.
std::string TellingLine(const std::string& output, IsolatedOutcome::Kind* kind) {
  using Kind = IsolatedOutcome::Kind;
  struct Mark {
    const char* text;
    Kind kind;
  };
  constexpr std::array kMarks = {Mark{"BUG: ", Kind::kBug}, Mark{"Assertion `", Kind::kBug},
                                 Mark{"Sanitizer: ", Kind::kSanitizer},
                                 Mark{"runtime error: ", Kind::kSanitizer}};
  for (const Mark& mark : kMarks) {
    const size_t at = output.find(mark.text);
    if (at == std::string::npos) continue;
    const size_t start = output.rfind('\n', at) + 1;  // npos + 1 is 0
    *kind = mark.kind;
    return output.substr(start, output.find('\n', at) - start);
  }
  return "";
}

}  // namespace

IsolatedOutcome Attribute(const ChildEnd& end, const Program& program,
                          const std::vector<std::string>& leaders) {
  using Kind = IsolatedOutcome::Kind;
  IsolatedOutcome outcome;
  outcome.output = end.output;
  std::string op;
  if (end.lit && end.position.op < program.ops.size()) {
    outcome.op = end.position.op;
    op = DescOf(program.ops[outcome.op].code).name;
    if (end.position.in_reference) {
      outcome.impl = "reference";
    } else if (end.position.leader < leaders.size()) {
      outcome.impl = leaders[end.position.leader];
    }
  }
  const int sig = end.kind == ChildEnd::Kind::kSignalled ? end.code : 0;
  Kind told = Kind::kCrash;
  const std::string line = TellingLine(end.output, &told);
  std::string what;
  if (end.kind == ChildEnd::Kind::kTimedOut) {
    outcome.kind = Kind::kHang;
    outcome.signature = HangSignature(op);
    what = "time limit exceeded";
  } else if (!line.empty()) {
    outcome.kind = told;
    outcome.signature = SignatureOfDeath(end.output, sig, op);
    what = line;
  } else if (sig != 0) {
    outcome.kind = Kind::kCrash;
    outcome.signature = SignatureOfDeath(end.output, sig, op);
    what = SignalName(sig);
  } else {
    outcome.kind = Kind::kExit;
    what = absl::StrCat("exit code ", end.code);
    outcome.signature = CrashSignature(what, op);
  }
  outcome.detail = what;
  if (!op.empty()) absl::StrAppend(&outcome.detail, " in ", op, " (operation ", outcome.op, ")");
  if (!outcome.impl.empty()) absl::StrAppend(&outcome.detail, " of ", outcome.impl);
  return outcome;
}

namespace {

// What the child tells of a run that ended by itself: operation, signature, implementation and
// repeats, one a line, then the message.
std::string AnswerOf(const RunResult& result) {
  if (result.outcome == RunOutcome::ok) return "ok";
  const Signature signature = SignatureOf(result);
  const Divergence& d = result.divergence;
  return absl::StrCat(result.op_index, "\n", signature.hash, "\n", signature.text, "\n", d.name_b,
                      "\n", d.repeats.same, "\n", d.repeats.of, "\n", result.message);
}

absl::StatusOr<IsolatedOutcome> ReadAnswer(const std::string& answer) {
  IsolatedOutcome outcome;
  if (answer == "ok") return outcome;
  const std::vector<std::string> lines = absl::StrSplit(answer, absl::MaxSplits('\n', 6));
  if (lines.size() != 7 || !absl::SimpleAtoi(lines[0], &outcome.op) ||
      !absl::SimpleAtoi(lines[1], &outcome.signature.hash) ||
      !absl::SimpleAtoi(lines[4], &outcome.repeats.same) ||
      !absl::SimpleAtoi(lines[5], &outcome.repeats.of)) {
    return absl::InternalError(absl::StrCat("a child process answered \"", answer, "\""));
  }
  outcome.kind = IsolatedOutcome::Kind::kFinding;
  outcome.signature.text = lines[2];
  outcome.impl = lines[3];
  outcome.detail = lines[6];
  return outcome;
}

}  // namespace

absl::StatusOr<IsolatedOutcome> RunIsolated(const Program& program, Lockstep& lockstep,
                                            const RunOptions& options,
                                            const IsolateLimits& limits) {
  for (size_t i = 0; i < lockstep.leaders(); ++i) lockstep.leader(i).Lend();
  const auto end = RunInChild(
      [&](Beacon& beacon) {
        RunOptions in_child = options;
        in_child.progress = beacon.progress();
        RunResult result;
        beacon.Begin(program);
        lockstep.Run(program, in_child, &result);
        std::string answer = AnswerOf(result);
        beacon.End();
        return answer;
      },
      limits);
  for (size_t i = 0; i < lockstep.leaders(); ++i) lockstep.leader(i).TakeBack();
  if (!end.ok()) return end.status();
  if (end->kind == ChildEnd::Kind::kReturned) {
    auto outcome = ReadAnswer(end->answer);
    if (outcome.ok()) outcome->output = end->output;
    return outcome;
  }
  std::vector<std::string> leaders;
  for (size_t i = 0; i < lockstep.leaders(); ++i) leaders.push_back(lockstep.leader(i).info().name);
  return Attribute(*end, program, leaders);
}

absl::StatusOr<IsolatedOutcome> RunIsolated(const Program& program, std::string_view specs,
                                            const ContestantsFactory& make,
                                            const RunOptions& options,
                                            const IsolateLimits& limits) {
  absl::StatusOr<Contestants> contestants = make(specs);
  if (!contestants.ok()) return contestants.status();
  Lockstep lockstep(*std::move(contestants));
  return RunIsolated(program, lockstep, options, limits);
}

}  // namespace mmdiff
