// kernel: builds kernels as programs, lists and removes them, fetches their sources.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/kernel_build.h"
#include "cli/kernel_coverage.h"
#include "cli/kernel_doctor.h"
#include "cli/progress.h"
#include "cli/verb.h"
#include "kernel/build_record.h"
#include "kernel/builds.h"
#include "kernel/git_revision.h"
#include "nlohmann/json.hpp"
#include "program/nearest_word.h"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void PrintJson(const Json& json) {
  std::puts(json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

bool IsVersion(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '.');
  const auto digits = [](const std::string& part) {
    return !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
  };
  return parts.size() == 2 && digits(parts[0]) && digits(parts[1]);
}

absl::Status CheckVersion(const std::string& version) {
  if (IsVersion(version)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--debian takes a version such as ",
                                                 absl::StrJoin(KnownKernelVersions(), ", "),
                                                 ", not '", version, "'"));
}

// The git tree that --rev means: --git, the kernel tree this is run in, or the only one that was
// used before.
absl::StatusOr<std::string> GitTree(const Options& options) {
  if (!options.flag_git.empty()) return AbsolutePath(options.flag_git);
  for (fs::path here = AbsolutePath("."); here != here.root_path(); here = here.parent_path()) {
    if (IsKernelTree(here.string())) return here.string();
  }
  std::set<std::string> used;
  for (const KernelBuild& build : ListKernelBuilds()) {
    if (build.source.kind == KernelSource::Kind::kRevision) used.insert(build.source.path);
  }
  if (used.size() == 1) return *used.begin();
  return absl::InvalidArgumentError("--rev needs --git DIR, the git tree the revision is of");
}

absl::StatusOr<KernelSource> SourceFromFlags(const Options& options) {
  const int given = static_cast<int>(!options.flag_debian.empty()) +
                    static_cast<int>(!options.flag_tree.empty()) +
                    static_cast<int>(!options.flag_rev.empty());
  if (given > 1) {
    return absl::InvalidArgumentError("--debian, --tree and --rev exclude each other");
  }
  if (!options.flag_git.empty() && options.flag_rev.empty()) {
    return absl::InvalidArgumentError("--git goes with --rev; a tree as it is: --tree");
  }
  KernelSource source;
  if (!options.flag_tree.empty()) {
    source.kind = KernelSource::Kind::kTree;
    source.path = AbsolutePath(options.flag_tree);
    return source;
  }
  if (!options.flag_rev.empty()) {
    absl::StatusOr<std::string> tree = GitTree(options);
    if (!tree.ok()) return tree.status();
    absl::StatusOr<std::string> commit = ResolveRevision(*tree, options.flag_rev);
    if (!commit.ok()) return commit.status();
    source.kind = KernelSource::Kind::kRevision;
    source.path = *tree;
    source.revision = options.flag_rev;
    source.commit = *commit;
    return source;
  }
  source.version =
      options.flag_debian.empty() ? std::string(kDefaultKernelVersion) : options.flag_debian;
  if (absl::Status s = CheckVersion(source.version); !s.ok()) return s;
  return source;
}

absl::StatusOr<Exit> Build(const Options& options) {
  absl::StatusOr<KernelSource> source = SourceFromFlags(options);
  if (!source.ok()) return source.status();
  if (options.flag_debug_vm && options.flag_no_debug_vm) {
    return absl::InvalidArgumentError("--debug-vm and --no-debug-vm exclude each other");
  }
  if (options.flag_jobs > 1024) return absl::InvalidArgumentError("--jobs takes at most 1024");
  KernelOrder order;
  order.source = *source;
  order.flavour.kasan = options.flag_kasan;
  order.flavour.coverage = options.flag_coverage;
  order.flavour.debug_vm = !options.flag_no_debug_vm;
  for (const std::string& fragment : options.flag_config) {
    order.flavour.fragments.push_back(AbsolutePath(fragment));
  }
  order.jobs = options.flag_jobs;
  absl::StatusOr<KernelDelivery> delivery = BuildKernel(order);
  if (!delivery.ok()) return delivery.status();
  const KernelBuild& build = delivery->build;
  if (options.flag_json) {
    PrintJson({{"name", build.name},
               {"release", build.release},
               {"origin", build.origin},
               {"executable", build.executable},
               {"up_to_date", delivery->up_to_date},
               {"seconds", delivery->seconds}});
    return Exit::kOk;
  }
  std::printf("%s (Linux %s) %s\n", build.name.c_str(), build.release.c_str(),
              delivery->up_to_date
                  ? "is up to date"
                  : absl::StrCat("built in ", ShortTime(delivery->seconds)).c_str());
  std::printf("next: ./mmdiff fuzz --impl reference,linux%s\n",
              build.name == kDefaultKernelVersion ? "" : (":" + build.name).c_str());
  return Exit::kOk;
}

// MiB of the files below, links not followed.
uint64_t SizeMib(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    if (!at->is_symlink(ignored) && at->is_regular_file(ignored)) bytes += at->file_size(ignored);
  }
  return bytes >> 20;
}

struct SourceRow {
  std::string name, origin;
};
std::vector<SourceRow> Sources(const std::string& cache) {
  std::vector<SourceRow> rows;
  std::error_code error;
  for (fs::directory_iterator at(cache + "/sources", error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    std::error_code ignored;
    if (name[0] == '.' || !at->is_directory(ignored)) continue;
    std::ifstream in(at->path().string() + ".origin");
    std::string origin;
    std::getline(in, origin);
    rows.push_back({name, origin});
  }
  std::sort(rows.begin(), rows.end(),
            [](const SourceRow& a, const SourceRow& b) { return a.name < b.name; });
  return rows;
}

absl::StatusOr<Exit> List(const Options& options) {
  absl::StatusOr<std::string> cache = KernelCache();
  if (!cache.ok()) return cache.status();
  const std::vector<KernelBuild> builds = ListKernelBuilds();
  const std::vector<SourceRow> sources = Sources(*cache);
  if (options.flag_json) {
    Json json = {{"cache", *cache}, {"builds", Json::array()}, {"sources", Json::array()}};
    for (const KernelBuild& build : builds) {
      json["builds"].push_back({{"name", build.name},
                                {"release", build.release},
                                {"origin", build.origin},
                                {"kasan", build.flavour.kasan},
                                {"coverage", build.flavour.coverage},
                                {"debug_vm", build.flavour.debug_vm},
                                {"fragments", build.flavour.fragments},
                                {"built", build.built},
                                {"executable", build.executable}});
    }
    for (const SourceRow& source : sources) {
      json["sources"].push_back({{"name", source.name}, {"origin", source.origin}});
    }
    PrintJson(json);
    return Exit::kOk;
  }
  if (builds.empty() && sources.empty()) {
    std::printf("no kernels in %s; ./mmdiff kernel build builds the default one\n", cache->c_str());
    return Exit::kOk;
  }
  std::printf("%-28s %-14s %9s  %-16s  %s\n", "kernel", "release", "size", "built (UTC)",
              "made from");
  for (const KernelBuild& build : builds) {
    std::printf("%-28s %-14s %5d MiB  %-16s  %s\n", build.name.c_str(), build.release.c_str(),
                static_cast<int>(SizeMib(build.directory)), build.built.c_str(),
                build.origin.c_str());
  }
  std::printf("\n%-28s %s\n", "source", "origin");
  for (const SourceRow& source : sources) {
    std::printf("%-28s %s\n", source.name.c_str(), source.origin.c_str());
  }
  std::printf("\nin %s\n", cache->c_str());
  return Exit::kOk;
}

// Removes a directory of the cache with all in it; what is half removed has no name any more.
absl::Status RemoveTree(const std::string& directory) {
  const fs::path path = directory;
  const fs::path gone =
      path.parent_path() / absl::StrCat(".removing-", path.filename().string(), "-", getpid());
  std::error_code error;
  fs::rename(path, gone, error);
  if (!error) fs::remove_all(gone, error);
  if (!error) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("cannot remove ", directory, ": ", error.message()));
}

// Removes a build that nobody is building just now.
absl::Status RemoveBuild(const std::string& directory) {
  const fs::path path = directory;
  const std::string lock =
      absl::StrCat(path.parent_path().string(), "/.", path.filename().string(), ".lock");
  const int fd = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    return absl::FailedPreconditionError(
        absl::StrCat(directory, " is being built by another process"));
  }
  absl::Status removed = RemoveTree(directory);
  unlink(lock.c_str());
  if (fd >= 0) close(fd);
  return removed;
}

absl::StatusOr<Exit> Remove(const Options& options) {
  const std::string& name = options.words[1];
  absl::StatusOr<std::string> cache = KernelCache();
  if (!cache.ok()) return cache.status();
  std::error_code error;
  const bool plain = name.find('/') == std::string::npos && !name.empty() && name[0] != '.';
  std::string directory;
  absl::Status removed;
  if (plain && fs::is_directory(*cache + "/sources/" + name, error)) {
    directory = *cache + "/sources/" + name;
    removed = RemoveTree(directory);
    fs::remove(directory + ".origin", error);
  } else {
    // Also one that was never completed.
    directory = plain ? *KernelBuildDirectory(name) : "";
    if (!plain || !fs::is_directory(directory, error)) {
      absl::StatusOr<KernelBuild> build = FindKernelBuild(name);
      if (!build.ok()) return build.status();
      directory = build->directory;
    }
    if (fs::path(directory).parent_path() != fs::path(*KernelBuildDirectory("x")).parent_path()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is not in the cache ", *cache, " and is left alone"));
    }
    removed = RemoveBuild(directory);
  }
  if (!removed.ok()) return removed;
  if (options.flag_json) {
    PrintJson({{"removed", directory}});
  } else {
    std::printf("removed %s\n", directory.c_str());
  }
  return Exit::kOk;
}

absl::StatusOr<Exit> Fetch(const Options& options) {
  const std::string version =
      options.flag_debian.empty() ? std::string(kDefaultKernelVersion) : options.flag_debian;
  if (absl::Status s = CheckVersion(version); !s.ok()) return s;
  absl::StatusOr<std::string> tree = FetchKernelSource(version);
  if (!tree.ok()) return tree.status();
  if (options.flag_json) {
    PrintJson({{"source", *tree}});
  } else {
    std::printf("%s\n", tree->c_str());
  }
  return Exit::kOk;
}

// A flag that another subverb takes is a mistake, not something to ignore.
absl::Status OnlyFor(bool given, const char* flag, const std::string& verb,
                     const char* goes_with = "build") {
  if (!given) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, " does nothing for `mmdiff kernel ", verb, "`; it goes with ", goes_with));
}

}  // namespace

absl::StatusOr<Exit> Verb_kernel(const Options& options) {
  const std::string& verb = options.words[0];
  const std::vector<std::string_view> verbs = {"build",  "list",     "fetch",
                                               "remove", "coverage", "doctor"};
  if (std::find(verbs.begin(), verbs.end(), verb) == verbs.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no `mmdiff kernel ", verb, "`", DidYouMean(verb, verbs),
                     "; there are build, list, fetch, remove, coverage and doctor"));
  }
  const bool takes_name = verb == "remove";
  if (verb != "coverage" && options.words.size() != (takes_name ? 2u : 1u)) {
    return absl::InvalidArgumentError(
        takes_name ? "mmdiff kernel remove takes one name of `mmdiff kernel list`"
                   : absl::StrCat("`mmdiff kernel ", verb, "` takes no more words"));
  }
  for (const auto& [given, flag] : std::vector<std::pair<bool, const char*>>{
           {!options.flag_build.empty(), "--build"}, {!options.flag_output.empty(), "--output"}}) {
    if (absl::Status s = OnlyFor(given && verb != "coverage", flag, verb, "coverage"); !s.ok()) {
      return s;
    }
  }
  if (verb == "build") return Build(options);
  for (const auto& [given, flag] : std::vector<std::pair<bool, const char*>>{
           {!options.flag_tree.empty(), "--tree"},
           {!options.flag_rev.empty(), "--rev"},
           {!options.flag_git.empty(), "--git"},
           {!options.flag_config.empty(), "--config"},
           {!options.flag_debian.empty() && verb != "fetch", "--debian"},
           {options.flag_kasan, "--kasan"},
           {options.flag_coverage, "--coverage"},
           {options.flag_debug_vm, "--debug-vm"},
           {options.flag_no_debug_vm, "--no-debug-vm"}}) {
    if (absl::Status s = OnlyFor(given, flag, verb); !s.ok()) return s;
  }
  if (verb == "coverage") return PrintKernelCoverage(options);
  if (verb == "list") return List(options);
  if (verb == "fetch") return Fetch(options);
  if (verb == "remove") return Remove(options);
  return PrintChecks(CheckForKernels(), options.flag_json,
                     "./mmdiff kernel build installs packages, as root or with sudo");
}

}  // namespace mmdiff
