#include "cli/kernel_build.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/campaign.h"
#include "cli/child_program.h"
#include "cli/interrupt.h"
#include "cli/program_files.h"
#include "cli/project_script.h"
#include "cli/stage_line.h"
#include "harness/project_path.h"
#include "harness/registry.h"
#include "kernel/build_record.h"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;

// A file lock that other processes wait for. The programs that are started while it is held inherit
// it, so that it lasts until the last of them has ended, even if this process is killed.
class Lock {
 public:
  Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() {
    if (fd_ >= 0) close(fd_);
  }
  absl::Status Take(const std::string& path, const std::string& what, StageLine* line) {
    fd_ = open(path.c_str(), O_RDWR | O_CREAT, 0666);  // NOLINT: inherited on purpose
    if (fd_ < 0) {
      return absl::PermissionDeniedError(absl::StrCat(
          "cannot write ", path, "; set MMDIFF_KERNELS to a directory that can be written"));
    }
    while (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      if (campaign_interrupted.load()) return Interrupted();
      line->Update(absl::StrCat("another process builds ", what, "; waiting for it"), "");
      usleep(200000);
    }
    return absl::OkStatus();
  }

 private:
  int fd_ = -1;
};

// Follows the log that the kernel's build writes: the stage it is in, how many files are done.
class BuildLog {
 public:
  explicit BuildLog(std::string path) : path_(std::move(path)) {}

  void Read() {
    std::ifstream in(path_, std::ios::binary);
    if (!in) return;
    in.seekg(0, std::ios::end);
    const std::streamoff size = in.tellg();
    if (size < at_) at_ = 0;
    in.seekg(at_);
    std::string line;
    while (std::getline(in, line) && !in.eof()) {
      at_ += static_cast<std::streamoff>(line.size()) + 1;
      Step(line);
    }
  }
  const char* stage() const { return stage_; }
  std::string detail() const {
    return files_ == 0 ? "" : absl::StrCat(files_, files_ == 1 ? " file" : " files");
  }

 private:
  void Step(const std::string& line) {
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipWhitespace());
    if (words.size() < 2) return;
    if (words[0] == "CC" || words[0] == "AS") {
      ++files_;
      stage_ = "compiling";
    } else if (words[0] == "LD" &&
               (absl::StrContains(words[1], "vmlinux") || words[1] == "linux")) {
      stage_ = "linking";
    }
  }

  std::string path_;
  std::streamoff at_ = 0;
  size_t files_ = 0;
  const char* stage_ = "configuring";
};

// A hash of mmdiff's part of a kernel; empty if it is not here.
std::string Recipe() {
  absl::StatusOr<std::string> script =
      ProjectScript("MMDIFF_KERNEL_BUILD_SH", "kernel/uml/build.sh");
  if (!script.ok()) return "";
  absl::StatusOr<std::string> hash = HashFiles({*script});
  const std::string wire = ProjectPath("kernel/wire.h");
  const std::string project =
      wire.empty() ? "" : fs::path(wire).parent_path().parent_path().string();
  return HashText(absl::StrCat(hash.ok() ? *hash : "", KernelRecipe(project)));
}

absl::Status RunSources(std::vector<std::string> arguments, StageLine* line) {
  return RunSpeakingScript("kernel/sources.sh", std::move(arguments), "getting the source", line)
      .status();
}

// The first line of the file that tells where a source in the cache came from.
std::string Origin(const std::string& tree) {
  std::ifstream in(tree + ".origin");
  std::string line;
  std::getline(in, line);
  return line;
}

// Where the source lies, or will lie.
std::string SourceTree(const KernelSource& source, const std::string& cache) {
  switch (source.kind) {
    case KernelSource::Kind::kDebian:
      return absl::StrCat(cache, "/sources/linux-source-", source.version);
    case KernelSource::Kind::kRevision:
      return absl::StrCat(cache, "/sources/rev-", source.commit.substr(0, 12));
    case KernelSource::Kind::kTree:
      break;
  }
  return source.path;
}

// Gets the source if it is not there.
absl::Status GetSource(const KernelSource& source, const std::string& cache, StageLine* line) {
  std::error_code error;
  if (source.kind == KernelSource::Kind::kTree) {
    if (IsKernelTree(source.path)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        source.path, " is no kernel source: it has no Makefile, Kconfig, mm/memory.c and arch/um; ",
        "--tree takes the root of a kernel tree"));
  }
  if (fs::is_directory(SourceTree(source, cache), error)) return absl::OkStatus();
  if (source.kind == KernelSource::Kind::kDebian) {
    return RunSources({"fetch", source.version, cache}, line);
  }
  return RunSources({"revision", source.path, source.commit, cache}, line);
}

std::string Now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  gmtime_r(&now, &utc);
  char text[32];
  return std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &utc) != 0 ? text : "";
}

std::vector<std::string> BuildCommand(const std::string& script, const std::string& tree,
                                      const std::string& out, const KernelOrder& order) {
  std::vector<std::string> argv = {script, "--tree", tree, "--out", out};
  if (order.flavour.kasan) argv.emplace_back("--kasan");
  if (!order.flavour.debug_vm) argv.emplace_back("--no-debug-vm");
  if (order.flavour.coverage) argv.emplace_back("--coverage");
  for (const std::string& fragment : order.flavour.fragments) {
    argv.insert(argv.end(), {"--config", fragment});
  }
  uint64_t jobs = order.jobs;
  if (const char* text = std::getenv("MMDIFF_BUILD_JOBS"); jobs == 0 && text != nullptr) {
    if (!absl::SimpleAtoi(text, &jobs)) jobs = 0;
  }
  if (jobs == 0) jobs = std::max(1u, std::thread::hardware_concurrency());
  argv.insert(argv.end(), {"--jobs", absl::StrCat(jobs)});
  return argv;
}

// What a failed build most likely needs.
std::string Remedy(const std::string& words) {
  if (absl::StrContains(words, "No space left")) {
    return "; the disk is full: make room, or set MMDIFF_KERNELS to a directory on another";
  }
  if (absl::StrContains(words, "not found") || absl::StrContains(words, "No such file")) {
    return "; mmdiff kernel doctor says whether a tool is missing";
  }
  return "";
}

absl::Status RunBuild(const KernelOrder& order, const std::string& script, const std::string& tree,
                      KernelBuild* build, StageLine* line) {
  BuildLog log(build->directory + "/build.log");
  const std::string stage = absl::StrCat("building ", build->name, ", ");
  absl::StatusOr<ScriptOutcome> outcome = RunWatched(
      {BuildCommand(script, tree, build->directory, order), {}, true},
      [](const std::string&) { return false; },
      [&] {
        log.Read();
        line->Update(stage + log.stage(), log.detail());
      });
  if (!outcome.ok()) return outcome.status();
  std::ifstream release(build->directory + "/release");
  std::getline(release, build->release);
  if (outcome->ok() && IsExecutableFile(build->executable)) return absl::OkStatus();
  const std::string words =
      outcome->ok() ? "it left no executable" : LastLines(outcome->output, 25);
  return absl::InternalError(absl::StrCat("building the kernel ", build->name, " failed:\n", words,
                                          "\nmmdiff: the whole log is ", build->directory,
                                          "/build.log", Remedy(words)));
}

// Why a complete build must be built again; empty if it need not be.
std::string OutOfDate(const KernelBuild& build) {
  const std::string recipe = Recipe();
  if (!recipe.empty() && recipe != build.recipe) return "mmdiff's part of it has changed";
  absl::StatusOr<std::string> fragments = HashFiles(build.flavour.fragments);
  if (!fragments.ok() || *fragments != build.fragments_hash) {
    return "a configuration fragment has changed";
  }
  const std::string changed = ChangedSince(build);
  return changed.empty() ? "" : absl::StrCat(changed, " has changed");
}

absl::StatusOr<KernelDelivery> BuildLocked(const KernelOrder& order, const std::string& cache,
                                           KernelBuild build, StageLine* line) {
  absl::StatusOr<std::string> script =
      ProjectScript("MMDIFF_KERNEL_BUILD_SH", "kernel/uml/build.sh");
  if (!script.ok()) return script.status();
  absl::StatusOr<std::string> fragments = HashFiles(order.flavour.fragments);
  if (!fragments.ok()) {
    return absl::Status(fragments.status().code(),
                        absl::StrCat("--config: ", fragments.status().message()));
  }
  // A source that was never changed needs no look, nor to be there, if the build is good.
  const std::string tree = SourceTree(order.source, cache);
  const bool look_closer = order.thorough && order.source.kind == KernelSource::Kind::kTree;
  absl::StatusOr<KernelBuild> before = ReadKernelRecord(build.directory);
  if (before.ok() && !look_closer && OutOfDate(*before).empty()) {
    const std::string origin = Origin(tree);
    if (origin.empty() || origin == before->origin) {
      return KernelDelivery{*before, true, line->seconds()};
    }
  }
  if (absl::Status s = GetSource(order.source, cache, line); !s.ok()) return s;
  build.origin = Origin(tree).empty() ? tree : Origin(tree);
  build.recipe = Recipe();
  build.fragments_hash = *fragments;
  if (absl::Status s = DropKernelRecord(build.directory); !s.ok()) return s;
  if (absl::Status s = RunBuild(order, *script, tree, &build, line); !s.ok()) return s;
  build.built = Now();
  if (absl::Status s = WriteKernelRecord(build); !s.ok()) return s;
  return KernelDelivery{build, false, line->seconds()};
}

}  // namespace

absl::StatusOr<KernelDelivery> BuildKernel(const KernelOrder& order) {
  absl::StatusOr<std::string> cache = KernelCache();
  if (!cache.ok()) return cache.status();
  KernelBuild build;
  build.name = KernelBuildName(order.source, order.flavour);
  build.directory = *KernelBuildDirectory(build.name);
  build.executable = build.directory + "/linux";
  build.source = order.source;
  build.flavour = order.flavour;
  if (absl::Status s = MakeDirectory(build.directory); !s.ok()) {
    return absl::Status(s.code(), absl::StrCat(s.message(), "; set MMDIFF_KERNELS to another"));
  }
  const InterruptGuard guard;
  StageLine line(stderr);
  Lock lock;
  const std::string lock_path = absl::StrCat(*cache, "/builds/.", build.name, ".lock");
  if (absl::Status s = lock.Take(lock_path, build.name, &line); !s.ok()) return s;
  absl::StatusOr<KernelDelivery> delivery = BuildLocked(order, *cache, build, &line);
  // A directory in which nothing was begun is not left behind.
  std::error_code error;
  if (!delivery.ok() && fs::is_empty(build.directory, error)) fs::remove(build.directory, error);
  return delivery;
}

absl::StatusOr<std::string> FetchKernelSource(const std::string& version) {
  absl::StatusOr<std::string> cache = KernelCache();
  if (!cache.ok()) return cache;
  const InterruptGuard guard;
  StageLine line(stderr);
  KernelSource source;
  source.version = version;
  if (absl::Status s = GetSource(source, *cache, &line); !s.ok()) return s;
  return SourceTree(source, *cache);
}

namespace {

bool InPath(const std::string& program) {
  const char* path = std::getenv("PATH");
  for (const absl::string_view directory : absl::StrSplit(path == nullptr ? "" : path, ':')) {
    if (!directory.empty() && IsExecutableFile(absl::StrCat(directory, "/", program))) return true;
  }
  return false;
}

// What must be built before `which` can run; nothing if it is there and up to date, or if nobody
// knows what it is.
std::optional<KernelOrder> Needed(const std::string& which, bool coverage) {
  KernelOrder order;
  order.thorough = false;
  absl::StatusOr<KernelBuild> build = FindKernelBuild(which);
  if (build.ok()) {
    if (build->directory.empty()) return std::nullopt;
    order.source = build->source;
    order.flavour = build->flavour;
  } else if (build.status().code() == absl::StatusCode::kNotFound &&
             (which.empty() || which == kDefaultKernelVersion)) {
    order.source.version = std::string(kDefaultKernelVersion);
  } else {
    return std::nullopt;
  }
  if (coverage && !order.flavour.kasan && !order.flavour.coverage) {
    order.flavour.coverage = true;
    build = FindKernelBuild(KernelBuildName(order.source, order.flavour));
  }
  if (!build.ok()) return order;
  const std::string reason = OutOfDate(*build);
  if (reason.empty()) return std::nullopt;
  std::fprintf(stderr, "mmdiff: the kernel %s is out of date: %s\n", build->name.c_str(),
               reason.c_str());
  return order;
}

}  // namespace

absl::Status PrepareKernels(const std::string& specs, bool coverage) {
  absl::StatusOr<std::vector<std::string>> split = SplitSpecs(specs);
  if (!split.ok()) return absl::OkStatus();  // whoever makes the implementations says why
  const char* variable = std::getenv("MMDIFF_NO_BUILD");
  const bool no_build = variable != nullptr && std::string(variable) == "1";
  bool any = false;
  for (const std::string& spec : *split) {
    const std::string head = spec.substr(0, spec.find(','));
    if (head != "linux" && !absl::StartsWith(head, "linux:")) continue;
    if (!any && coverage && !InPath("clang-19")) {
      coverage = false;
      std::fputs(
          "mmdiff: the fuzzer will not see which code of the kernel runs: that needs "
          "clang-19; as root: apt-get install clang-19 lld-19 llvm-19 libclang-rt-19-dev\n",
          stderr);
    }
    any = true;
    const std::optional<KernelOrder> order =
        Needed(head == "linux" ? "" : head.substr(6), coverage);
    if (!order || no_build) continue;
    absl::StatusOr<KernelDelivery> delivery = BuildKernel(*order);
    if (!delivery.ok()) return delivery.status();
  }
  if (any && coverage) setenv("MMDIFF_KERNEL_COVERAGE", "1", 0);
  return absl::OkStatus();
}

}  // namespace mmdiff
