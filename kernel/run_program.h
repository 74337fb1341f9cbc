// RunProgram: runs a short program to its end and gives what it printed.
//
// Waits as long as the program takes and kills nothing; not for what a user may want to interrupt.
// Costs a fork and an exec.
#ifndef MMDIFF_KERNEL_RUN_PROGRAM_H_
#define MMDIFF_KERNEL_RUN_PROGRAM_H_

#include <string>
#include <vector>

namespace mmdiff {

struct RanProgram {
  int spawn_error = 0;  // an errno if it could not be started
  int status = 0;       // as of waitpid
  std::string output;   // standard and error output
  bool ok() const { return spawn_error == 0 && status == 0; }
};

// argv[0] is looked up in PATH if it has no slash.
RanProgram RunProgram(std::vector<std::string> argv);

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_RUN_PROGRAM_H_
