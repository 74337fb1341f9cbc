#include "kernel/guest/assembly.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "harness/durable_files.h"
#include "harness/project_path.h"
#include "kernel/build_record.h"
#include "kernel/builds.h"
#include "kernel/guest/initrd.h"
#include "kernel/run_program.h"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;

constexpr char kInitrd[] = "initrd";
constexpr char kModule[] = "mmdiff.ko";
constexpr char kPrefix[] = "mmdiff-";
constexpr size_t kKept = 6;
// Of the image's own modules, what a guest without ours needs: a disk in memory, to swap to.
constexpr const char* kModulesWithoutOurs[] = {"brd"};
// Compiling takes seconds; whoever waits longer for another process waits for one that hangs.
constexpr uint32_t kLockMs = 120'000;

const DurableFiles& Files() {
  static const auto* files =
      new DurableFiles([](std::string_view, const std::string&) { return 0; });
  return *files;
}

std::string LastLines(const std::string& text, size_t n) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  if (lines.size() > n) lines.erase(lines.begin(), lines.end() - static_cast<ptrdiff_t>(n));
  return absl::StrJoin(lines, "\n");
}

// Runs a program that must succeed.
absl::StatusOr<std::string> Run(const std::vector<std::string>& argv, const std::string& what) {
  RanProgram ran = RunProgram(argv);
  if (ran.spawn_error != 0) {
    return absl::NotFoundError(absl::StrCat(argv[0], " cannot be run (", what,
                                            "); ./mmdiff guest doctor says what to install"));
  }
  if (ran.status == 0) return std::move(ran.output);
  return absl::InternalError(
      absl::StrCat(what, " failed (", absl::StrJoin(argv, " "), "):\n", LastLines(ran.output, 25)));
}

// Something that changes when the file does.
std::string Stamp(const std::string& path) {
  struct stat file = {};
  if (stat(path.c_str(), &file) != 0) return absl::StrCat(path, " -");
  return absl::StrCat(path, " ", file.st_size, " ", file.st_mtim.tv_sec, ".", file.st_mtim.tv_nsec);
}

absl::Status CompileInit(const fs::path& sources, const std::string& to) {
  const fs::path project = sources.parent_path().parent_path().parent_path();
  std::vector<std::string> argv = {"gcc", "-static",        "-O2", "-Wall",
                                   "-I",  project.string(), "-o",  to};
  std::error_code error;
  for (fs::directory_iterator at(sources, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".c") argv.push_back(at->path().string());
  }
  std::sort(argv.begin() + 8, argv.end());
  absl::StatusOr<std::string> said = Run(argv, "compiling a guest's init");
  return said.status();
}

// The image's module of this name, unpacked; empty if it has none.
absl::StatusOr<std::string> ImageModule(const std::string& modules, const std::string& name) {
  std::error_code error;
  for (fs::recursive_directory_iterator at(modules, error), end; !error && at != end;
       at.increment(error)) {
    const std::string file = at->path().filename().string(), path = at->path().string();
    if (file == name + ".ko") return DurableFiles::Read(path);
    if (file == name + ".ko.xz") return Run({"xz", "-dc", path}, "unpacking a module");
    if (file == name + ".ko.zst") return Run({"zstd", "-dc", path}, "unpacking a module");
  }
  return "";
}

// Packs init, `module` if it is not empty, and else what replaces it.
absl::StatusOr<std::string> Pack(const Guest& guest, const std::string& init,
                                 const std::string& module) {
  Initrd initrd;
  for (const char* directory : {"dev", "proc", "sys", "modules"}) initrd.AddDirectory(directory);
  initrd.AddDevice("dev/console", 5, 1);
  absl::StatusOr<std::string> contents = DurableFiles::Read(init);
  if (!contents.ok()) return contents;
  initrd.AddFile("init", *contents, true);
  if (!module.empty()) {
    contents = DurableFiles::Read(module);
    if (!contents.ok()) return contents;
    initrd.AddFile(kModule, *contents, false);
  } else if (!guest.image.modules.empty()) {
    for (const char* name : kModulesWithoutOurs) {
      contents = ImageModule(guest.image.modules, name);
      if (!contents.ok()) return contents;
      if (!contents->empty())
        initrd.AddFile(absl::StrCat("modules/", name, ".ko"), *contents, false);
    }
  }
  return std::move(initrd).Finish();
}

// Where the directories of an image's parts lie.
absl::StatusOr<std::string> PartsPlace(const GuestImage& image) {
  if (!image.directory.empty() && access(image.directory.c_str(), W_OK) == 0) {
    return image.directory;
  }
  absl::StatusOr<std::string> cache = KernelCache();
  if (!cache.ok()) return cache;
  const std::string place = absl::StrCat(*cache, "/guest-parts/", HashText(image.vmlinuz));
  if (absl::Status s = Files().MakeDirectories(place); !s.ok()) return s;
  return place;
}

struct Sources {
  std::string init, build_module;  // paths; the latter empty if no module is to be built
  std::string hash;
};

absl::StatusOr<Sources> FindSources(const Guest& guest) {
  Sources sources;
  sources.init = ProjectPath("kernel/guest/init");
  if (sources.init.empty()) {
    return absl::NotFoundError(
        "kernel/guest/init is not here: guests are prepared with mmdiff's sources; set MMDIFF_ROOT "
        "to the source tree");
  }
  // An init of its own knows nothing of our module.
  const bool build = guest.module.empty() && guest.init.empty() && !guest.image.headers.empty();
  if (build) sources.build_module = ProjectPath("kernel/guest/module/build.sh");
  const std::string project =
      fs::path(sources.init).parent_path().parent_path().parent_path().string();
  std::vector<std::string> parts = {"kernel/guest/init"};
  if (build) parts.insert(parts.end(), {"kernel/guest/module", "kernel/executor"});
  std::string text = absl::StrCat(HashOfParts(project, parts), "\n", guest.image.release, "\n",
                                  Stamp(guest.image.vmlinuz), "\n");
  if (build) absl::StrAppend(&text, Stamp(guest.image.headers + "/Module.symvers"), "\n");
  for (const std::string& file : {guest.module, guest.init}) {
    if (!file.empty()) absl::StrAppend(&text, Stamp(file), "\n");
  }
  sources.hash = HashText(text);
  return sources;
}

// Compiles and packs into `directory`, which is empty. The module is built where the last one was,
// so that only what has changed is compiled.
absl::Status Assemble(const Guest& guest, const Sources& sources, const std::string& place,
                      const std::string& directory) {
  std::string init = guest.init;
  if (init.empty()) {
    init = directory + "/init";
    if (absl::Status s = CompileInit(sources.init, init); !s.ok()) return s;
  }
  std::string module = guest.module;
  if (!sources.build_module.empty()) {
    const std::string build = place + "/module-build";
    absl::StatusOr<std::string> said =
        Run({sources.build_module, guest.image.headers, build},
            absl::StrCat("building mmdiff's module for Linux ", guest.image.release));
    if (!said.ok()) return said.status();
    // What a debugger would want of it is several times the rest.
    module = absl::StrCat(directory, "/", kModule);
    said = Run({"strip", "--strip-debug", "-o", module, absl::StrCat(build, "/", kModule)},
               "stripping mmdiff's module");
    if (!said.ok()) return said.status();
  }
  absl::StatusOr<std::string> initrd = Pack(guest, init, module);
  if (!initrd.ok()) return initrd.status();
  return Files().Write(absl::StrCat(directory, "/", kInitrd), *initrd);
}

// Leaves the newest few of what was packed: others may still boot what is older than the sources.
void RemoveOld(const std::string& place) {
  std::vector<std::pair<fs::file_time_type, fs::path>> packed;
  std::error_code error;
  for (fs::directory_iterator at(place, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (!absl::StartsWith(at->path().filename().string(), kPrefix)) continue;
    packed.emplace_back(at->last_write_time(ignored), at->path());
  }
  std::sort(packed.begin(), packed.end());
  for (size_t i = 0; i + kKept < packed.size(); ++i) fs::remove_all(packed[i].second, error);
}

// Where the parts are, or will be.
struct Plan {
  Sources sources;
  std::string place, directory, initrd;
};

absl::StatusOr<Plan> MakePlan(const Guest& guest) {
  Plan plan;
  absl::StatusOr<Sources> sources = FindSources(guest);
  if (!sources.ok()) return sources.status();
  absl::StatusOr<std::string> place = PartsPlace(guest.image);
  if (!place.ok()) return place.status();
  plan.sources = *std::move(sources);
  plan.place = *std::move(place);
  plan.directory = absl::StrCat(plan.place, "/", kPrefix, plan.sources.hash);
  plan.initrd = absl::StrCat(plan.directory, "/", kInitrd);
  return plan;
}

}  // namespace

bool GuestIsAssembled(const Guest& guest) {
  const absl::StatusOr<Plan> plan = MakePlan(guest);
  return plan.ok() && DurableFiles::Exists(plan->initrd);
}

absl::StatusOr<GuestParts> AssembleGuest(const Guest& guest) {
  const absl::StatusOr<Plan> plan = MakePlan(guest);
  if (!plan.ok()) return plan.status();
  const GuestParts parts{plan->initrd};
  if (DurableFiles::Exists(plan->initrd)) return parts;
  absl::StatusOr<DirectoryLock> lock =
      DirectoryLock::Take(absl::StrCat(plan->place, "/.mmdiff.lock"), kLockMs);
  if (!lock.ok()) return lock.status();
  if (DurableFiles::Exists(plan->initrd)) return parts;
  // Only whoever has the lock is in here, so one name is enough.
  const std::string unfinished = absl::StrCat(plan->place, "/.mmdiff-unfinished");
  std::error_code error;
  fs::remove_all(unfinished, error);
  if (absl::Status s = Files().MakeDirectories(unfinished); !s.ok()) return s;
  if (absl::Status s = Assemble(guest, plan->sources, plan->place, unfinished); !s.ok()) return s;
  if (absl::Status s = Files().Rename(unfinished, plan->directory); !s.ok()) return s;
  RemoveOld(plan->place);
  return parts;
}

}  // namespace mmdiff
