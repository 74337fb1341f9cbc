// Builds: the cache of kernels that were built as programs, and how one is named.
//
// A build is a directory below $MMDIFF_KERNELS (default: ~/.cache/mmdiff/kernels) with the
// executable and a record, build.json, that is there only when the build is complete. This finds
// and lists them; it never builds, downloads or runs a kernel. Finding one by version or path costs
// a few file reads; by a git revision, a run of git besides.
#ifndef MMDIFF_KERNEL_BUILDS_H_
#define MMDIFF_KERNEL_BUILDS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mmdiff {

// The version that plain `linux` means, and all that are known to build.
inline constexpr std::string_view kDefaultKernelVersion = "6.12";
const std::vector<std::string>& KnownKernelVersions();

// What a kernel is built with, besides its source.
struct KernelFlavour {
  bool kasan = false;
  bool coverage = false;
  bool debug_vm = true;
  std::vector<std::string> fragments;  // absolute paths of configuration fragments
};
// "+kasan+coverage+nodebug+config-NAME", each part only if it applies; empty for the default.
std::string FlavourSuffix(const KernelFlavour& flavour);

// Where a kernel comes from: exactly one of the three.
struct KernelSource {
  enum class Kind { kDebian, kTree, kRevision };
  Kind kind = Kind::kDebian;
  std::string version;   // kDebian: "7.2"
  std::string path;      // kTree: the tree; kRevision: the git tree; absolute
  std::string revision;  // kRevision: as the user gave it
  std::string commit;    // kRevision: the full commit
};
// "7.2", "tree-linux-1a2b3c4d" or "rev-0123456789ab", with the suffix of the flavour.
std::string KernelBuildName(const KernelSource& source, const KernelFlavour& flavour);

struct KernelBuild {
  std::string name;        // "7.2+kasan"; for an executable outside the cache, its path
  std::string executable;  // absolute
  std::string release;     // "7.2.13"; empty if not known

  // From the record; empty for what lies outside the cache.
  std::string directory;
  KernelSource source;
  KernelFlavour flavour;
  std::string origin;  // "linux-source-7.2 7.2.13-1", the tree, or the commit and its git tree
  std::string recipe;  // KernelRecipe() when it was built
  std::string fragments_hash;  // of the contents of the fragments
  std::string built;           // UTC, "2026-01-31 09:30"
};

// The root of the cache. Error: FailedPrecondition if neither MMDIFF_KERNELS nor a home directory
// is set.
absl::StatusOr<std::string> KernelCache();
// Where the build of this name lies or will lie; nothing is made.
absl::StatusOr<std::string> KernelBuildDirectory(std::string_view name);

// A build by what a user writes after "linux:":
//   ""               the default, 6.12
//   7.2, 7.2+kasan   a version, a flavour of it, or any name that ListKernelBuilds gives
//   a path           a kernel tree (with a flavour after it: ~/linux+kasan), the directory
//                    of a build, or an executable; what holds no / must start with ~ or .
//   a revision       of a git tree that a kernel was built from
// Error: NotFound, with the command that would build it; InvalidArgument for what cannot be a name.
absl::StatusOr<KernelBuild> FindKernelBuild(std::string_view which);

// The same, but with MMDIFF_KERNEL_COVERAGE=1, which fuzzing sets, a build of the same kernel with
// coverage is preferred if there is one. What it does is the same, and so is its name in findings.
absl::StatusOr<KernelBuild> FindKernelToRun(std::string_view which);

// All complete builds of the cache, by name. Records that cannot be read are left out.
std::vector<KernelBuild> ListKernelBuilds();

// Whether `directory` looks like the root of a kernel's source.
bool IsKernelTree(const std::string& directory);
// `path` with a leading ~ replaced, absolute and without links, . and ..; also for what is not
// there.
std::string AbsolutePath(std::string_view path);

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_BUILDS_H_
