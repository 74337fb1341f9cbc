#include "cli/mutant_files.h"

#include <algorithm>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/program_files.h"

namespace mmdiff {
namespace {

absl::StatusOr<MutantFile> ReadMutant(const std::string& path) {
  absl::StatusOr<std::string> text = ReadText(path, 1u << 20);
  if (!text.ok()) return text.status();
  MutantFile mutant;
  mutant.path = path;
  std::string* last = nullptr;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (!absl::ConsumePrefix(&line, "#")) break;
    line = absl::StripAsciiWhitespace(line);
    if (absl::ConsumePrefix(&line, "id:")) {
      last = &mutant.id;
    } else if (absl::ConsumePrefix(&line, "area:")) {
      last = &mutant.area;
    } else if (absl::ConsumePrefix(&line, "origin:")) {
      last = &mutant.origin;
    } else if (absl::ConsumePrefix(&line, "mechanism:")) {
      last = &mutant.mechanism;
    } else if (absl::ConsumePrefix(&line, "caught-by:")) {
      last = &mutant.caught_by;
    }
    if (last == nullptr) continue;
    absl::StrAppend(last, last->empty() ? "" : " ", absl::StripAsciiWhitespace(line));
  }
  for (const auto& [name, value] : {std::pair<const char*, const std::string*>{"id", &mutant.id},
                                    {"area", &mutant.area},
                                    {"origin", &mutant.origin},
                                    {"caught-by", &mutant.caught_by}}) {
    if (value->empty()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": the header has no line '# ", name,
                                                     ": ...' (see mutants/README.md)"));
    }
  }
  if (mutant.id != std::filesystem::path(path).stem().string()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": the id '", mutant.id, "' is not the name of the file"));
  }
  return mutant;
}

}  // namespace

absl::StatusOr<std::vector<MutantFile>> ReadMutants(const std::string& directory) {
  std::vector<MutantFile> mutants;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() != ".patch") continue;
    absl::StatusOr<MutantFile> mutant = ReadMutant(entry.path().string());
    if (!mutant.ok()) return mutant.status();
    mutants.push_back(*std::move(mutant));
  }
  if (error) {
    return absl::ErrnoToStatus(error.value(),
                               absl::StrCat("cannot read the directory ", directory));
  }
  std::sort(mutants.begin(), mutants.end(),
            [](const MutantFile& a, const MutantFile& b) { return a.id < b.id; });
  return mutants;
}

}  // namespace mmdiff
