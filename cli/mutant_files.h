// The mutants: known bugs as patches under mutants/, each with a header that says what it is.
//
//   # id: name            the name of the file without .patch, [a-z0-9_]+
//   # area: words         the part of the model it breaks
//   # origin: words       the bug it is made from
//   # mechanism: words    what the change does wrong
//   # caught-by: words    what must notice it
//
// Reading only; building and hunting is in mutants.cc.
#ifndef MMDIFF_CLI_MUTANT_FILES_H_
#define MMDIFF_CLI_MUTANT_FILES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mmdiff {

struct MutantFile {
  std::string id, area, origin, mechanism, caught_by;
  std::string path;
};
// All patches of the directory, sorted by id. Error: one without the header lines, or with an id
// that is not its name; names file and line.
absl::StatusOr<std::vector<MutantFile>> ReadMutants(const std::string& directory);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_MUTANT_FILES_H_
