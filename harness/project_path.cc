#include "harness/project_path.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace mmdiff {

namespace fs = std::filesystem;

std::string ProgramDirectory() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return error ? "." : self.parent_path().string();
}

std::string ProjectPath(const std::string& part) {
  std::vector<std::string> places;
  if (const char* root = std::getenv("MMDIFF_ROOT")) places.push_back(root);
  const std::string here = ProgramDirectory();
  places.push_back(absl::StrCat(here, "/../share/mmdiff"));
  // Only a program that still lies in its build tree looks into its source tree.
  if (absl::StartsWith(here, MMDIFF_BINARY_ROOT)) places.push_back(MMDIFF_SOURCE_ROOT);
  std::error_code error;
  for (const std::string& place : places) {
    const std::string path = absl::StrCat(place, "/", part);
    if (fs::exists(path, error)) return fs::weakly_canonical(path, error).string();
  }
  return "";
}

std::string BuildDirectory() {
  if (const char* build = std::getenv("MMDIFF_BUILD_DIR")) return build;
  if (absl::StartsWith(ProgramDirectory(), MMDIFF_BINARY_ROOT)) {
    return fs::path(MMDIFF_BINARY_ROOT).parent_path().string();
  }
  return "";
}

}  // namespace mmdiff
