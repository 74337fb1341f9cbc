#include "cli/seeds.h"

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "harness/project_path.h"
#include "program/binary.h"
#include "targets/stats_page.h"

namespace mmdiff {

absl::StatusOr<std::vector<std::string>> CommittedCorpora(bool with_crashes) {
  std::vector<std::string> directories;
  if (std::string corpora = ProjectPath("corpora"); !corpora.empty())
    directories.push_back(corpora);
  if (std::string crashes = ProjectPath("crashes"); with_crashes && !crashes.empty()) {
    directories.push_back(crashes);
  }
  if (directories.empty()) {
    return absl::NotFoundError(
        "the committed corpora were not found; name a directory with --corpus");
  }
  return directories;
}

std::string SeedName(const std::vector<uint8_t>& bytes) {
  return absl::StrFormat("%016x", InputHash(bytes.data(), bytes.size()));
}

std::vector<uint8_t> SeedOf(const Program& program, const Demands& demands) {
  Program suitable = program;
  MakeSuit(demands, kMaxOps, &suitable);
  return Encode(suitable);
}

absl::StatusOr<size_t> WriteSeeds(const std::vector<std::string>& directories,
                                  const std::string& binary_dir, const Demands& demands) {
  absl::StatusOr<std::vector<NamedProgram>> programs = ReadPrograms(directories);
  if (!programs.ok()) return programs.status();
  for (const NamedProgram& named : *programs) {
    const std::vector<uint8_t> bytes = SeedOf(named.program, demands);
    const std::string path = absl::StrCat(binary_dir, "/", SeedName(bytes));
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out) {
      return absl::ErrnoToStatus(errno,
                                 absl::StrCat("cannot write ", path, "; name another --work"));
    }
  }
  return programs->size();
}

}  // namespace mmdiff
