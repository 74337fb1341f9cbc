// A program run as a child, its error output read line by line without blocking.
//
// The child has its own process group, so that Ctrl-C reaches only the parent, and dies with its
// parent. It never waits unless told to. Starting one costs a fork and an exec.
#ifndef MMDIFF_CLI_CHILD_PROGRAM_H_
#define MMDIFF_CLI_CHILD_PROGRAM_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace mmdiff {

struct ChildSpec {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH if it has no slash
  std::vector<std::pair<std::string, std::string>> environment;  // set on top of this process's own
  bool join_output =
      false;  // standard output goes where error output goes; otherwise it is dropped
};

class ChildProgram {
 public:
  // Fails if the program cannot be started (not found, no more processes).
  static absl::StatusOr<ChildProgram> Start(const ChildSpec& spec);
  // Runs a program to its end; gives its wait status and everything it printed.
  struct Finished {
    int wait_status = 0;
    std::string output;
    bool ok() const { return wait_status == 0; }
  };
  static absl::StatusOr<Finished> Run(const ChildSpec& spec);

  ChildProgram(ChildProgram&& other) noexcept;
  ChildProgram& operator=(ChildProgram&& other) noexcept;
  ~ChildProgram();  // kills the child if it still runs

  pid_t pid() const { return pid_; }
  int fd() const { return fd_; }  // to poll for output; -1 at its end
  // The complete lines that came since the last call.
  std::vector<std::string> ReadLines();
  // The last 64 KiB of all output.
  const std::string& tail() const { return tail_; }
  // The wait status if the child has ended; reaps it. Keeps answering afterwards.
  std::optional<int> Poll();
  void Signal(int signal);

 private:
  ChildProgram(pid_t pid, int fd) : pid_(pid), fd_(fd) {}
  pid_t pid_ = -1;
  int fd_ = -1;
  std::string partial_, tail_;
  std::optional<int> status_;
};

}  // namespace mmdiff

#endif  // MMDIFF_CLI_CHILD_PROGRAM_H_
