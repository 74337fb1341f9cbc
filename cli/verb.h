// The verbs of the command line: one function and one file each.
//
// A verb prints its result to standard output (text, or one JSON object with --json) and gives the
// exit code; an error status means that it could not be done, and says what to do about it.
#ifndef MMDIFF_CLI_VERB_H_
#define MMDIFF_CLI_VERB_H_

#include "absl/status/statusor.h"
#include "cli/options.h"

namespace mmdiff {

#define MMDIFF_VERB(name, arguments, min, max, doc) \
  absl::StatusOr<Exit> Verb_##name(const Options& options);
#include "cli/verbs.def"

}  // namespace mmdiff

#endif  // MMDIFF_CLI_VERB_H_
