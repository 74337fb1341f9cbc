// test: hands over to the front door, which builds everything and runs ctest.
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/verb.h"
#include "harness/project_path.h"

namespace mmdiff {

absl::StatusOr<Exit> Verb_test(const Options& options) {
  const std::string front_door = ProjectPath("mmdiff");
  if (front_door.empty() || ProjectPath("CMakePresets.json").empty()) {
    return absl::FailedPreconditionError(
        "the test suite is part of the source tree, and this program is installed; run ./mmdiff "
        "test there");
  }
  std::vector<std::string> arguments = {front_door, "test"};
  if (options.flag_long) arguments.emplace_back("--long");
  if (options.flag_json) arguments.emplace_back("--json");
  arguments.insert(arguments.end(), options.words.begin(), options.words.end());
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(front_door.c_str(), argv.data());
  return absl::ErrnoToStatus(errno, "cannot run " + front_door);
}

}  // namespace mmdiff
