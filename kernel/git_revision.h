// Git revisions: which commit a name means in a user's tree.
//
// Runs git as a child process, a few milliseconds; it only reads, and takes no locks.
#ifndef MMDIFF_KERNEL_GIT_REVISION_H_
#define MMDIFF_KERNEL_GIT_REVISION_H_

#include <string>

#include "absl/status/statusor.h"

namespace mmdiff {

// The full commit that `revision` ("v7.2", "HEAD~3", a branch, a part of a hash) names in the git
// tree `directory`. Errors: NotFound if it names none there, with git's own words;
// FailedPrecondition if git cannot be run.
absl::StatusOr<std::string> ResolveRevision(const std::string& directory,
                                            const std::string& revision);

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_GIT_REVISION_H_
