#include "kernel/build_record.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr char kRecord[] = "build.json";
constexpr char kExecutable[] = "linux";
constexpr char kStarted[] = "started";  // its time is when the last build began

// FNV-1a, 64 bits.
class Hash {
 public:
  void Add(std::string_view bytes) {
    for (const char c : bytes) Step(static_cast<uint8_t>(c));
    Step(0);  // so that "ab", "c" and "a", "bc" differ
  }
  std::string Text() const { return absl::StrCat(absl::Hex(value_, absl::kZeroPad16)); }

 private:
  void Step(uint8_t byte) { value_ = (value_ ^ byte) * 0x100000001b3u; }
  uint64_t value_ = 0xcbf29ce484222325u;
};

bool ReadFile(const fs::path& path, std::string* text) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  *text = out.str();
  return in.good();
}

std::string Text(const Json& json, const char* key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_string() ? at->get<std::string>() : "";
}

bool Flag(const Json& json, const char* key, bool dflt) {
  const auto at = json.find(key);
  return at != json.end() && at->is_boolean() ? at->get<bool>() : dflt;
}

constexpr std::pair<KernelSource::Kind, const char*> kKinds[] = {
    {KernelSource::Kind::kDebian, "debian"},
    {KernelSource::Kind::kTree, "tree"},
    {KernelSource::Kind::kRevision, "revision"}};

// Every file of `directory` that `wanted` takes, sorted.
template <typename Wanted>
std::vector<fs::path> FilesBelow(const fs::path& directory, Wanted wanted) {
  std::vector<fs::path> files;
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator at(directory, options, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored) && wanted(at->path())) files.push_back(at->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool IsSource(const fs::path& path) {
  const std::string name = path.filename().string();
  for (const char* end : {".c", ".h", ".S", ".lds"}) {
    if (absl::EndsWith(name, end)) return true;
  }
  return absl::StartsWith(name, "Makefile") || absl::StartsWith(name, "Kconfig") ||
         name == "Kbuild";
}

}  // namespace

absl::StatusOr<KernelBuild> ReadKernelRecord(const std::string& where) {
  const fs::path directory = where;
  const absl::Status incomplete =
      absl::NotFoundError(absl::StrCat(directory.string(), " holds no complete build"));
  std::string text;
  if (!ReadFile(directory / kRecord, &text)) return incomplete;
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !IsExecutableFile(directory / kExecutable)) return incomplete;
  KernelBuild build;
  build.name = Text(json, "name");
  build.executable = (directory / kExecutable).string();
  build.release = Text(json, "release");
  build.directory = directory.string();
  const std::string kind = Text(json, "kind");
  bool known = false;
  for (const auto& [value, name] : kKinds) {
    if (kind != name) continue;
    build.source.kind = value;
    known = true;
  }
  if (!known || build.name.empty()) return incomplete;
  build.source.version = Text(json, "version");
  build.source.path = Text(json, "path");
  build.source.revision = Text(json, "revision");
  build.source.commit = Text(json, "commit");
  build.flavour.kasan = Flag(json, "kasan", false);
  build.flavour.coverage = Flag(json, "coverage", false);
  build.flavour.debug_vm = Flag(json, "debug_vm", true);
  if (const auto fragments = json.find("fragments");
      fragments != json.end() && fragments->is_array()) {
    for (const Json& fragment : *fragments) {
      if (fragment.is_string()) build.flavour.fragments.push_back(fragment.get<std::string>());
    }
  }
  build.origin = Text(json, "origin");
  build.recipe = Text(json, "recipe");
  build.fragments_hash = Text(json, "fragments_hash");
  build.built = Text(json, "built");
  return build;
}

absl::Status WriteKernelRecord(const KernelBuild& build) {
  Json json;
  json["name"] = build.name;
  json["release"] = build.release;
  for (const auto& [kind, name] : kKinds) {
    if (build.source.kind == kind) json["kind"] = name;
  }
  json["version"] = build.source.version;
  json["path"] = build.source.path;
  json["revision"] = build.source.revision;
  json["commit"] = build.source.commit;
  json["origin"] = build.origin;
  json["kasan"] = build.flavour.kasan;
  json["coverage"] = build.flavour.coverage;
  json["debug_vm"] = build.flavour.debug_vm;
  json["fragments"] = build.flavour.fragments;
  json["fragments_hash"] = build.fragments_hash;
  json["recipe"] = build.recipe;
  json["built"] = build.built;
  const fs::path target = fs::path(build.directory) / kRecord;
  const fs::path temporary = target.string() + ".new";
  {
    std::ofstream out(temporary, std::ios::binary);
    out << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    if (!out.flush()) {
      return absl::InternalError(absl::StrCat("cannot write ", temporary.string(),
                                              "; is the disk full? MMDIFF_KERNELS names another"));
    }
  }
  std::error_code error;
  fs::rename(temporary, target, error);
  if (error) {
    return absl::InternalError(
        absl::StrCat("cannot write ", target.string(), ": ", error.message()));
  }
  return absl::OkStatus();
}

absl::Status DropKernelRecord(const std::string& directory) {
  std::error_code error;
  fs::remove(fs::path(directory) / kRecord, error);
  std::ofstream started(fs::path(directory) / kStarted, std::ios::trunc);
  started << "\n";
  if (error || !started.flush()) {
    return absl::PermissionDeniedError(absl::StrCat(
        "cannot write in ", directory, "; set MMDIFF_KERNELS to a directory that can be written"));
  }
  return absl::OkStatus();
}

std::string HashOfParts(const std::string& project, const std::vector<std::string>& parts) {
  std::vector<fs::path> files;
  for (const std::string& part : parts) {
    const std::vector<fs::path> below =
        FilesBelow(fs::path(project) / part, [](const fs::path&) { return true; });
    files.insert(files.end(), below.begin(), below.end());
  }
  if (files.empty()) return "";
  files.push_back(fs::path(project) / "kernel/wire.h");
  files.push_back(fs::path(project) / "harness/choices.def");
  for (const fs::path& table : FilesBelow(fs::path(project) / "program", [](const fs::path& path) {
         return path.extension() == ".def";
       })) {
    files.push_back(table);
  }
  Hash hash;
  std::string text;
  for (const fs::path& file : files) {
    ReadFile(file, &text);
    hash.Add(fs::path(file).lexically_relative(project).string());
    hash.Add(text);
  }
  return hash.Text();
}

std::string KernelRecipe(const std::string& project) {
  return HashOfParts(project, {"kernel/uml", "kernel/executor"});
}

absl::StatusOr<std::string> HashFiles(const std::vector<std::string>& paths) {
  Hash hash;
  std::string text;
  for (const std::string& path : paths) {
    if (!ReadFile(path, &text)) return absl::NotFoundError(absl::StrCat("cannot read ", path));
    hash.Add(text);
  }
  return hash.Text();
}

std::string ChangedSince(const KernelBuild& build) {
  if (build.source.kind != KernelSource::Kind::kTree || build.directory.empty()) return "";
  struct stat started = {};
  if (stat((build.directory + "/" + kStarted).c_str(), &started) != 0) return "";
  const auto time = [](const struct stat& s) {
    return std::pair(s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
  };
  for (const char* room : {"mm", "include", "kernel", "lib", "arch/um", "arch/x86/um",
                           "arch/x86/include", "fs", "block", "init", "ipc", "io_uring"}) {
    for (const fs::path& file : FilesBelow(fs::path(build.source.path) / room, IsSource)) {
      struct stat s = {};
      if (stat(file.c_str(), &s) == 0 && time(s) >= time(started)) {
        return file.lexically_relative(build.source.path).string();
      }
    }
  }
  return "";
}

bool IsExecutableFile(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
}

std::string HashText(std::string_view text) {
  Hash hash;
  hash.Add(text);
  return hash.Text();
}

}  // namespace mmdiff
