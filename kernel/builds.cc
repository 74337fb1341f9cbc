#include "kernel/builds.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "kernel/build_record.h"
#include "kernel/git_revision.h"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;

constexpr char kExecutable[] = "linux";

std::string FirstLine(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return std::string(absl::StripAsciiWhitespace(line));
}

// As one word of a shell command.
std::string Quoted(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("._-/+:@~^").find(static_cast<char>(c)) != std::string_view::npos;
  });
  return plain ? text : absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// "7.2+coverage+kasan" in its parts.
struct Flavoured {
  std::string base;
  bool kasan = false, coverage = false, nodebug = false;
  std::vector<std::string> configs;  // names of fragments, in order
  std::string unknown;               // the first part that is no flavour

  std::string Suffix() const {
    std::string suffix =
        absl::StrCat(kasan ? "+kasan" : "", coverage ? "+coverage" : "", nodebug ? "+nodebug" : "");
    for (const std::string& name : configs) absl::StrAppend(&suffix, "+config-", name);
    return suffix;
  }
  // The flags of `kernel build` for it.
  std::string BuildFlags() const {
    std::string flags = absl::StrCat(kasan ? " --kasan" : "", coverage ? " --coverage" : "",
                                     nodebug ? " --no-debug-vm" : "");
    for (const std::string& name : configs) absl::StrAppend(&flags, " --config ", Quoted(name));
    return flags;
  }
};

Flavoured SplitFlavour(std::string_view which) {
  std::vector<std::string> parts = absl::StrSplit(std::string(which), '+');
  Flavoured result;
  result.base = parts[0];
  for (size_t i = 1; i < parts.size(); ++i) {
    if (parts[i] == "kasan") {
      result.kasan = true;
    } else if (parts[i] == "coverage") {
      result.coverage = true;
    } else if (parts[i] == "nodebug") {
      result.nodebug = true;
    } else if (absl::StartsWith(parts[i], "config-") && parts[i].size() > 7) {
      result.configs.push_back(parts[i].substr(7));
    } else if (result.unknown.empty()) {
      result.unknown = parts[i].empty() ? "+" : parts[i];
    }
  }
  return result;
}

bool LooksLikeVersion(std::string_view word) {
  return !word.empty() && std::isdigit(static_cast<unsigned char>(word[0])) != 0 &&
         word.find('.') != std::string_view::npos &&
         word.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool LooksLikePath(std::string_view word) {
  return word.find('/') != std::string_view::npos || word[0] == '~' || word[0] == '.';
}

// Letters, digits, dot, dash and underscore of a file name.
std::string Tame(const std::string& name) {
  std::string tame;
  for (const char c : name) {
    const bool good =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
    tame += good ? c : '_';
  }
  return tame;
}

absl::StatusOr<KernelBuild> ReadByName(const std::string& name) {
  absl::StatusOr<std::string> directory = KernelBuildDirectory(name);
  if (!directory.ok()) return directory.status();
  return ReadKernelRecord(*directory);
}

std::string OthersText() {
  std::vector<std::string> names;
  for (const KernelBuild& build : ListKernelBuilds()) names.push_back(build.name);
  return names.empty() ? "nothing is built yet" : "built are " + absl::StrJoin(names, ", ");
}

absl::StatusOr<KernelBuild> FindByVersion(const Flavoured& which) {
  const std::string name = which.base + which.Suffix();
  absl::StatusOr<KernelBuild> build = ReadByName(name);
  if (build.ok() || build.status().code() == absl::StatusCode::kFailedPrecondition) return build;
  const auto& known = KnownKernelVersions();
  if (std::find(known.begin(), known.end(), which.base) != known.end()) {
    return absl::NotFoundError(absl::StrCat("the kernel ", name, " is not built: ./mmdiff kernel ",
                                            "build --debian ", which.base, which.BuildFlags()));
  }
  return absl::NotFoundError(absl::StrCat("there is no kernel ", name, "; known versions are ",
                                          absl::StrJoin(known, ", "), "; ", OthersText(),
                                          "; any other source: ./mmdiff kernel build --tree DIR"));
}

// A build from outside the cache, or made there by hand.
KernelBuild Outside(const fs::path& executable) {
  KernelBuild build;
  build.name = executable.string();
  build.executable = executable.string();
  build.release = FirstLine(executable.parent_path() / "release");
  return build;
}

absl::StatusOr<KernelBuild> FindByPath(const std::string& path, const Flavoured& flavoured) {
  std::error_code error;
  if (IsExecutableFile(path)) return Outside(path);
  if (!fs::is_directory(path, error)) {
    return absl::NotFoundError(absl::StrCat(
        path, " is no executable, no kernel source and no build; mmdiff kernel list prints all"));
  }
  if (absl::StatusOr<KernelBuild> build = ReadKernelRecord(path); build.ok()) return build;
  if (IsKernelTree(path)) {
    KernelSource source;
    source.kind = KernelSource::Kind::kTree;
    source.path = path;
    absl::StatusOr<KernelBuild> build =
        ReadByName(KernelBuildName(source, {}) + flavoured.Suffix());
    if (build.ok() || build.status().code() == absl::StatusCode::kFailedPrecondition) return build;
    return absl::NotFoundError(absl::StrCat("the kernel ", path, flavoured.Suffix(),
                                            " is not built: ./mmdiff kernel build --tree ",
                                            Quoted(path), flavoured.BuildFlags()));
  }
  const fs::path executable = fs::path(path) / kExecutable;
  if (IsExecutableFile(executable)) return Outside(executable);
  return absl::NotFoundError(
      absl::StrCat(path, " is no kernel source (mm/memory.c is not there) and holds no build"));
}

// The git trees that kernels were built from.
std::set<std::string> GitTrees(const std::vector<KernelBuild>& builds) {
  std::set<std::string> trees;
  std::error_code error;
  for (const KernelBuild& build : builds) {
    const std::string& path = build.source.path;
    if (!path.empty() && fs::exists(fs::path(path), error)) trees.insert(path);
  }
  return trees;
}

absl::StatusOr<KernelBuild> FindByRevision(const Flavoured& which) {
  const std::vector<KernelBuild> builds = ListKernelBuilds();
  const std::string suffix = which.Suffix();
  std::string resolved;  // what to build
  for (const std::string& tree : GitTrees(builds)) {
    absl::StatusOr<std::string> commit = ResolveRevision(tree, which.base);
    if (!commit.ok()) continue;
    KernelSource source;
    source.kind = KernelSource::Kind::kRevision;
    source.commit = *commit;
    absl::StatusOr<KernelBuild> build = ReadByName(KernelBuildName(source, {}) + suffix);
    if (build.ok()) return build;
    resolved = absl::StrCat("'", which.base, "' is ", commit->substr(0, 12), " of ", tree,
                            ", which is not built: ./mmdiff kernel build --rev ",
                            Quoted(which.base), " --git ", Quoted(tree), which.BuildFlags());
  }
  if (!resolved.empty()) return absl::NotFoundError(resolved);
  // The git tree may be gone; the record still knows.
  for (const KernelBuild& build : builds) {
    if (build.source.kind != KernelSource::Kind::kRevision) continue;
    const bool same = build.source.revision == which.base ||
                      (which.base.size() >= 7 && absl::StartsWith(build.source.commit, which.base));
    if (same && absl::EndsWith(build.name, build.source.commit.substr(0, 12) + suffix)) {
      return build;
    }
  }
  return absl::NotFoundError(absl::StrCat(
      "there is no kernel '", which.base, suffix, "': it is no version (",
      absl::StrJoin(KnownKernelVersions(), ", "),
      "), no path and no revision of a git tree that a ", "kernel was built from; ", OthersText(),
      "; a revision: ./mmdiff kernel build --rev ", Quoted(which.base), " --git DIR"));
}

}  // namespace

const std::vector<std::string>& KnownKernelVersions() {
  static const auto* versions = new std::vector<std::string>{"6.12", "7.2", "7.3"};
  return *versions;
}

std::string FlavourSuffix(const KernelFlavour& flavour) {
  Flavoured parts;
  parts.kasan = flavour.kasan;
  parts.coverage = flavour.coverage;
  parts.nodebug = !flavour.debug_vm;
  for (const std::string& path : flavour.fragments) {
    parts.configs.push_back(Tame(fs::path(path).stem().string()));
  }
  return parts.Suffix();
}

std::string KernelBuildName(const KernelSource& source, const KernelFlavour& flavour) {
  const std::string suffix = FlavourSuffix(flavour);
  switch (source.kind) {
    case KernelSource::Kind::kDebian:
      return source.version + suffix;
    case KernelSource::Kind::kRevision:
      return absl::StrCat("rev-", source.commit.substr(0, 12), suffix);
    case KernelSource::Kind::kTree:
      break;
  }
  return absl::StrCat("tree-", Tame(fs::path(source.path).filename().string()), "-",
                      HashText(source.path).substr(0, 8), suffix);
}

absl::StatusOr<std::string> KernelCache() {
  if (const char* kernels = std::getenv("MMDIFF_KERNELS"); kernels != nullptr && *kernels != '\0') {
    return AbsolutePath(kernels);
  }
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') {
    return absl::StrCat(cache, "/mmdiff/kernels");
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
    return absl::StrCat(home, "/.cache/mmdiff/kernels");
  }
  return absl::FailedPreconditionError(
      "there is no place for kernels: set MMDIFF_KERNELS to a directory");
}

absl::StatusOr<std::string> KernelBuildDirectory(std::string_view name) {
  absl::StatusOr<std::string> cache = KernelCache();
  if (!cache.ok()) return cache;
  return absl::StrCat(*cache, "/builds/", std::string(name));
}

absl::StatusOr<KernelBuild> FindKernelBuild(std::string_view which) {
  if (which.empty()) which = kDefaultKernelVersion;
  std::error_code error;
  const bool path = LooksLikePath(which);
  // A path may hold a + of its own.
  if (path && fs::exists(AbsolutePath(which), error)) {
    return FindByPath(AbsolutePath(which), Flavoured());
  }
  const Flavoured parts = SplitFlavour(which);
  if (path && fs::exists(AbsolutePath(parts.base), error) && parts.unknown.empty()) {
    return FindByPath(AbsolutePath(parts.base), parts);
  }
  if (!parts.unknown.empty() || parts.base.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", std::string(which), "' names no kernel: after the version, path or revision ",
        "come +kasan, +coverage, +nodebug or +config-NAME"));
  }
  if (absl::StartsWith(parts.base, "~") || absl::StartsWith(parts.base, "/") ||
      absl::StartsWith(parts.base, ".")) {
    return FindByPath(AbsolutePath(parts.base), parts);
  }
  if (LooksLikeVersion(parts.base)) return FindByVersion(parts);
  if (!path) {
    absl::StatusOr<KernelBuild> build = ReadByName(parts.base + parts.Suffix());
    if (build.ok() || build.status().code() == absl::StatusCode::kFailedPrecondition) return build;
  }
  return FindByRevision(parts);
}

absl::StatusOr<KernelBuild> FindKernelToRun(std::string_view which) {
  const char* wanted = std::getenv("MMDIFF_KERNEL_COVERAGE");
  absl::StatusOr<KernelBuild> build = FindKernelBuild(which);
  if (wanted == nullptr || std::string_view(wanted) != "1") return build;
  const std::string named(which.empty() ? kDefaultKernelVersion : which);
  if (build.ok() && (build->flavour.coverage || build->directory.empty())) return build;
  absl::StatusOr<KernelBuild> counting = FindKernelBuild(absl::StrCat(named, "+coverage"));
  return counting.ok() ? counting : build;
}

std::vector<KernelBuild> ListKernelBuilds() {
  std::map<std::string, KernelBuild> found;
  absl::StatusOr<std::string> directory = KernelBuildDirectory("");
  std::error_code error;
  if (directory.ok()) {
    for (fs::directory_iterator at(*directory, error), end; !error && at != end;
         at.increment(error)) {
      absl::StatusOr<KernelBuild> build = ReadKernelRecord(at->path());
      if (!build.ok()) continue;
      const std::string name = build->name;
      found.emplace(name, *std::move(build));
    }
  }
  std::vector<KernelBuild> builds;
  builds.reserve(found.size());
  for (auto& [name, build] : found) builds.push_back(std::move(build));
  return builds;
}

bool IsKernelTree(const std::string& directory) {
  std::error_code error;
  for (const char* part : {"Makefile", "Kconfig", "mm/memory.c", "arch/um"}) {
    if (!fs::exists(fs::path(directory) / part, error)) return false;
  }
  return true;
}

std::string AbsolutePath(std::string_view path) {
  std::string text(path);
  if (text == "~" || absl::StartsWith(text, "~/")) {
    const char* home = std::getenv("HOME");
    if (home != nullptr) text = home + text.substr(1);
  }
  std::error_code error;
  const fs::path absolute = fs::weakly_canonical(text, error);
  std::string result = error ? fs::absolute(text, error).string() : absolute.string();
  if (result.size() > 1 && result.back() == '/') result.pop_back();
  return result;
}

}  // namespace mmdiff
