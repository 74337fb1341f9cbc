// Checks: what a machine has and lacks, as a list that doctors print.
//
// Looks at files and at PATH; changes nothing and runs nothing. Costs a few hundred file lookups.
#ifndef MMDIFF_CLI_CHECKS_H_
#define MMDIFF_CLI_CHECKS_H_

#include <string>
#include <vector>

#include "cli/options.h"

namespace mmdiff {

struct Check {
  enum class State { kOk, kWarning, kMissing };
  std::string name;
  State state = State::kOk;
  std::string found;
  std::string remedy;  // shown unless the state is kOk
};

// Whether a command is in PATH.
bool OnPath(const std::string& command);
// One check for each package of ci/packages.txt of these groups; all if there are none given.
void CheckPackages(const std::vector<std::string>& groups, std::vector<Check>* checks);
// A check of the free space where `path` lies, or will lie.
Check CheckSpace(const std::string& name, const std::string& path, uint64_t mib,
                 const std::string& remedy);
// Prints them, as text or as one JSON object; `closing` is said if something is missing. Gives kOk
// if nothing is.
Exit PrintChecks(const std::vector<Check>& checks, bool json, const std::string& closing);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_CHECKS_H_
