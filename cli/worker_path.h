// Where the fuzz target and its working files lie. Looks at names only; starts nothing.
#ifndef MMDIFF_CLI_WORKER_PATH_H_
#define MMDIFF_CLI_WORKER_PATH_H_

#include <string>

#include "absl/status/statusor.h"

namespace mmdiff {

// Where the fuzz target is: `given`, MMDIFF_FUZZ_WORKER, beside this program, or in the tree of the
// preset fuzz. Error: it is nowhere, and how to build it.
absl::StatusOr<std::string> FindWorker(const std::string& given);
// A directory for working corpora that belongs to this program, these implementations and this
// worker.
std::string DefaultWorkDirectory(const std::string& specs, const std::string& worker);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_WORKER_PATH_H_
