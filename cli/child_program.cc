#include "cli/child_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

extern char** environ;

namespace mmdiff {
namespace {

constexpr size_t kTail = 64u << 10;

// The environment of the child: this process's with `changes` on top.
std::vector<std::string> Environment(
    const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const char* equals = std::strchr(*entry, '=');
    const std::string_view whole(*entry);
    const std::string_view name =
        equals != nullptr ? whole.substr(0, static_cast<size_t>(equals - *entry)) : whole;
    bool changed = false;
    for (const auto& change : changes) changed = changed || change.first == name;
    if (!changed) result.emplace_back(*entry);
  }
  for (const auto& [name, value] : changes) result.push_back(absl::StrCat(name, "=", value));
  return result;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& s : strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);
  return pointers;
}

// In the child, after fork: only calls that are safe there.
[[noreturn]] void Exec(char** argv, char** envp, int output, int failure, bool join_output,
                       pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDIN_FILENO);
  dup2(join_output ? output : null, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  signal(SIGPIPE, SIG_DFL);
  execvpe(argv[0], argv, envp);
  const int error = errno;
  [[maybe_unused]] const ssize_t n = write(failure, &error, sizeof(error));
  _exit(127);
}

}  // namespace

absl::StatusOr<ChildProgram> ChildProgram::Start(const ChildSpec& spec) {
  int output[2];
  int failure[2];
  if (pipe2(output, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  if (pipe2(failure, O_CLOEXEC) != 0) {
    const int error = errno;
    close(output[0]);
    close(output[1]);
    return absl::ErrnoToStatus(error, "pipe");
  }
  std::vector<std::string> arguments = spec.argv;
  std::vector<std::string> variables = Environment(spec.environment);
  std::vector<char*> argv = Pointers(arguments);
  std::vector<char*> envp = Pointers(variables);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    Exec(argv.data(), envp.data(), output[1], failure[1], spec.join_output, parent);
  }
  const int fork_error = errno;
  close(output[1]);
  close(failure[1]);
  int exec_error = 0;
  ssize_t n = 0;
  if (pid > 0) {
    do {
      n = read(failure[0], &exec_error, sizeof(exec_error));
    } while (n < 0 && errno == EINTR);
  }
  close(failure[0]);
  if (pid < 0 || n == sizeof(exec_error)) {
    close(output[0]);
    if (pid > 0) waitpid(pid, nullptr, 0);
    return absl::ErrnoToStatus(pid < 0 ? fork_error : exec_error,
                               absl::StrCat("cannot start ", spec.argv[0]));
  }
  fcntl(output[0], F_SETFL, O_NONBLOCK);
  return ChildProgram(pid, output[0]);
}

absl::StatusOr<ChildProgram::Finished> ChildProgram::Run(const ChildSpec& spec) {
  absl::StatusOr<ChildProgram> child = Start(spec);
  if (!child.ok()) return child.status();
  Finished finished;
  while (child->fd() >= 0) {
    pollfd p = {child->fd(), POLLIN, 0};
    poll(&p, 1, 1000);
    for (const std::string& line : child->ReadLines())
      absl::StrAppend(&finished.output, line, "\n");
  }
  std::optional<int> status;
  while (!(status = child->Poll())) usleep(1000);
  finished.wait_status = *status;
  return finished;
}

ChildProgram::ChildProgram(ChildProgram&& other) noexcept { *this = std::move(other); }

ChildProgram& ChildProgram::operator=(ChildProgram&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(fd_, other.fd_);
  std::swap(partial_, other.partial_);
  std::swap(tail_, other.tail_);
  std::swap(status_, other.status_);
  return *this;
}

ChildProgram::~ChildProgram() {
  if (pid_ > 0 && !Poll()) {
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (fd_ >= 0) close(fd_);
}

std::vector<std::string> ChildProgram::ReadLines() {
  std::vector<std::string> lines;
  if (fd_ < 0) return lines;
  char buffer[1 << 14];
  for (;;) {
    const ssize_t n = read(fd_, buffer, sizeof(buffer));
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    }
    if (n <= 0) {
      close(fd_);
      fd_ = -1;
      if (!partial_.empty()) lines.push_back(std::move(partial_));
      partial_.clear();
      break;
    }
    const std::string_view bytes(buffer, static_cast<size_t>(n));
    tail_.append(bytes);
    if (tail_.size() > 2 * kTail) tail_.erase(0, tail_.size() - kTail);
    for (const char c : bytes) {
      if (c != '\n') {
        partial_ += c;
        continue;
      }
      lines.push_back(std::move(partial_));
      partial_.clear();
    }
  }
  return lines;
}

std::optional<int> ChildProgram::Poll() {
  if (status_ || pid_ <= 0) return status_;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  return status_;
}

void ChildProgram::Signal(int signal) {
  if (pid_ > 0 && !Poll()) kill(-pid_, signal);
}

}  // namespace mmdiff
