// Project path: where the parts of mmdiff that are no program lie.
//
// Looks only; a part that is not there is an empty path. Costs a few file lookups.
#ifndef MMDIFF_HARNESS_PROJECT_PATH_H_
#define MMDIFF_HARNESS_PROJECT_PATH_H_

#include <string>

namespace mmdiff {

// Where a part of the project lies ("corpora", "crashes", "mutants", "ci/packages.txt"): in the
// source tree that MMDIFF_ROOT names, else in share/mmdiff beside the installed program, else where
// this was built. Empty if it is nowhere.
std::string ProjectPath(const std::string& part);
// Where this program lies: its directory.
std::string ProgramDirectory();
// The directory of build trees; empty if this is an installed program.
std::string BuildDirectory();

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_PROJECT_PATH_H_
