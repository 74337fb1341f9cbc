// Project scripts: runs a script of the source tree to its end and shows what it says meanwhile.
//
// Scripts say what they do in lines that begin with "mmdiff: "; the last of them is the reason if
// they fail. Ctrl-C ends the script. Never waits for input. Costs a process, and a look at its
// output a few times a second.
#ifndef MMDIFF_CLI_PROJECT_SCRIPT_H_
#define MMDIFF_CLI_PROJECT_SCRIPT_H_

#include <sys/wait.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/child_program.h"
#include "cli/stage_line.h"

namespace mmdiff {

struct ScriptOutcome {
  int wait_status = 0;
  std::string output;  // without the lines that were dealt with as they came
  bool ok() const { return wait_status == 0; }
  int exit() const { return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1; }
};

// Runs a program to its end. `on_line` gets each line it prints and says whether it is dealt with;
// `on_tick` is called a few times a second. Ctrl-C ends the program and gives Cancelled.
absl::StatusOr<ScriptOutcome> RunWatched(const ChildSpec& spec,
                                         const std::function<bool(const std::string&)>& on_line,
                                         const std::function<void()>& on_tick);

// Runs the script `part` of the source tree; what it says is shown on `line`, first `stage`. Gives
// what else it printed. Errors: NotFound if it ends with 2, Internal if with anything but 0, with
// its last words; Cancelled for Ctrl-C; FailedPrecondition if the script is not here.
absl::StatusOr<std::string> RunSpeakingScript(const char* part, std::vector<std::string> arguments,
                                              std::string stage, StageLine* line);

// Where the script `part` of the source tree lies, or what the environment `variable` (null: none)
// names in its place. Errors: InvalidArgument if that is no executable, FailedPrecondition if there
// is no source tree.
absl::StatusOr<std::string> ProjectScript(const char* variable, const char* part);

// The last `n` lines.
std::string LastLines(const std::string& text, size_t n);

// What an interrupted call gives.
absl::Status Interrupted();

}  // namespace mmdiff

#endif  // MMDIFF_CLI_PROJECT_SCRIPT_H_
