#include "corpora/corpus_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "harness/registry.h"
#include "program/text.h"

namespace mmdiff {
namespace {

constexpr char kProgramEnding[] = ".mmdiff";

}  // namespace

std::string SourcePath(const std::string& part) {
  return absl::StrCat(MMDIFF_SOURCE_DIR, "/", part);
}

std::vector<std::string> FilesBelow(const std::string& directory, const std::string& ending) {
  namespace fs = std::filesystem;
  const fs::path root = SourcePath(directory);
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string name = fs::relative(entry.path(), root).generic_string();
    if (entry.is_regular_file() && absl::EndsWith(name, ending)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.is_open()) << "cannot read " << path;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<CorpusProgram> ProgramsBelow(const std::string& directory) {
  std::vector<CorpusProgram> programs;
  for (const std::string& file : FilesBelow(directory, kProgramEnding)) {
    CorpusProgram p;
    p.name = std::string(absl::StripSuffix(file, kProgramEnding));
    p.text = ReadFile(absl::StrCat(SourcePath(directory), "/", file));
    absl::StatusOr<Program> program = ParseText(p.text, {.file_name = file, .snippet = false});
    EXPECT_TRUE(program.ok()) << program.status();
    if (!program.ok()) continue;
    p.program = *std::move(program);
    programs.push_back(std::move(p));
  }
  return programs;
}

std::string WithoutComments(const std::string& text) {
  std::string kept;
  bool first = true;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    // The first line is the version of the language, and only looks like a comment.
    const bool comment = !first && absl::StartsWith(line, "#") && !absl::StartsWith(line, "#?");
    first = false;
    if (!line.empty() && !comment) absl::StrAppend(&kept, line, "\n");
  }
  return kept;
}

Lockstep MakeLockstep(const std::string& specs) {
  absl::StatusOr<Contestants> contestants = MakeAll(specs);
  if (!contestants.ok()) {
    std::fprintf(stderr, "%s\n", contestants.status().ToString().c_str());
    std::abort();
  }
  return Lockstep(*std::move(contestants));
}

std::string Explain(const RunResult& result) {
  std::string text = absl::StrCat(RunOutcomeName(result.outcome), ": ", result.message);
  for (const auto& diff : result.divergence.compare.diffs) {
    absl::StrAppend(&text, "\n  ", diff.where, " ", diff.name(), ": ", diff.a, " | ", diff.b);
  }
  return text;
}

}  // namespace mmdiff
