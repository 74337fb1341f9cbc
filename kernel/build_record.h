// The record of a kernel's build: what it was made of and whether it is still up to date.
//
// Reads and writes build.json and compares hashes and times; never builds anything. Reading a
// record costs one small file; the recipe some hundred; ChangedSince looks at 20 000 times.
#ifndef MMDIFF_KERNEL_BUILD_RECORD_H_
#define MMDIFF_KERNEL_BUILD_RECORD_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kernel/builds.h"

namespace mmdiff {

// The build in a directory. Error: NotFound if it is not complete.
absl::StatusOr<KernelBuild> ReadKernelRecord(const std::string& directory);
// Writes the record, which makes the build complete; `build.directory` must exist.
absl::Status WriteKernelRecord(const KernelBuild& build);
// Takes the record away: the build is incomplete until it is written again.
absl::Status DropKernelRecord(const std::string& directory);

// A hash of all files below `parts` of `project`, and of the wire and the tables that mmdiff and
// kernels share. Empty if there are none below `parts`.
std::string HashOfParts(const std::string& project, const std::vector<std::string>& parts);
// A hash of what a kernel's executable is made from besides the kernel: kernel/uml, the executor,
// the wire and the tables both sides share, below `project`. Empty if they are not there.
std::string KernelRecipe(const std::string& project);
// A hash of the contents of these files. Error: NotFound for one that cannot be read.
absl::StatusOr<std::string> HashFiles(const std::vector<std::string>& paths);

// Of a build of a tree: a source file that has changed since, relative to the tree; empty if there
// is none, or if the tree is gone. Looks at the times of the files that go into the executable,
// about 20 000, in some 50 ms.
std::string ChangedSince(const KernelBuild& build);

// Whether it is a regular file that this user may run.
bool IsExecutableFile(const std::string& path);
// A hash of a text, 16 hexadecimal digits, the same everywhere.
std::string HashText(std::string_view text);

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_BUILD_RECORD_H_
