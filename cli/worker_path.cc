#include "cli/worker_path.h"

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "harness/project_path.h"
#include "targets/stats_page.h"

namespace mmdiff {

namespace fs = std::filesystem;

absl::StatusOr<std::string> FindWorker(const std::string& given) {
  std::error_code error;
  if (!given.empty()) {
    if (fs::is_regular_file(given, error)) return fs::absolute(given, error).string();
    return absl::NotFoundError(absl::StrCat("there is no fuzz target ", given));
  }
  std::vector<std::string> places;
  if (const char* worker = std::getenv("MMDIFF_FUZZ_WORKER")) places.emplace_back(worker);
  places.push_back(ProgramDirectory() + "/mmdiff-fuzz");
  if (const std::string build = BuildDirectory(); !build.empty()) {
    places.push_back(build + "/fuzz/targets/mmdiff-fuzz");
  }
  for (const std::string& place : places) {
    if (fs::is_regular_file(place, error)) return place;
  }
  return absl::NotFoundError(
      "the fuzz target mmdiff-fuzz is not built; ./mmdiff fuzz builds it, or: cmake --preset fuzz "
      "&& "
      "cmake --build --preset fuzz --target mmdiff-fuzz (needs clang-14 and libclang-rt-14-dev)");
}

std::string DefaultWorkDirectory(const std::string& specs, const std::string& worker) {
  const std::string key = specs + "\n" + worker;
  const uint64_t hash = InputHash(reinterpret_cast<const uint8_t*>(key.data()), key.size());
  std::string base = BuildDirectory();
  if (!base.empty() && access(base.c_str(), W_OK) == 0) {
    base += "/work";
  } else if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') {
    base = absl::StrCat(cache, "/mmdiff");
  } else if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
    base = absl::StrCat(home, "/.cache/mmdiff");
  } else {
    base = absl::StrCat(fs::temp_directory_path().string(), "/mmdiff-", getuid());
  }
  return absl::StrCat(base, "/", absl::Hex(hash, absl::kZeroPad16));
}

}  // namespace mmdiff
