#include "kernel/git_revision.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

extern char** environ;

namespace mmdiff {
namespace {

// Reads to the end.
std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(buffer, static_cast<size_t>(n));
  }
}

struct Ran {
  int spawn_error = 0;
  int status = 0;
  std::string output;  // standard and error output
};

Ran RunGit(std::vector<std::string> arguments) {
  Ran ran;
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
    ran.spawn_error = errno;
    return ran;
  }
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDERR_FILENO);
  pid_t pid = -1;
  ran.spawn_error = posix_spawnp(&pid, "git", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_fds[1]);
  if (ran.spawn_error == 0) {
    ran.output = ReadAll(pipe_fds[0]);
    while (waitpid(pid, &ran.status, 0) < 0 && errno == EINTR) {
    }
  }
  close(pipe_fds[0]);
  return ran;
}

}  // namespace

absl::StatusOr<std::string> ResolveRevision(const std::string& directory,
                                            const std::string& revision) {
  if (revision.empty() || revision[0] == '-') {
    return absl::InvalidArgumentError(absl::StrCat("'", revision, "' is no git revision"));
  }
  const Ran ran = RunGit({"git", "-C", directory, "rev-parse", "--verify", "--end-of-options",
                          absl::StrCat(revision, "^{commit}")});
  if (ran.spawn_error != 0) {
    return absl::FailedPreconditionError(
        "git cannot be run; apt-get install -y --no-install-recommends git");
  }
  const std::string text(absl::StripAsciiWhitespace(ran.output));
  if (ran.status != 0) {
    return absl::NotFoundError(
        absl::StrCat("'", revision, "' is no commit of ", directory, " (", text, ")"));
  }
  // --end-of-options is echoed by some versions of git; the commit is the last word.
  const std::string commit = text.substr(text.find_last_of(" \n") + 1);
  if (commit.size() < 40) {
    return absl::NotFoundError(absl::StrCat("git gives no commit for '", revision, "': ", text));
  }
  return commit;
}

}  // namespace mmdiff
