// fmt: programs in canonical form, with --world in another geometry. Comments outside of
// expectations are not part of a program; a file is only rewritten if that loses none of them.
#include <cstdio>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/program_files.h"
#include "cli/verb.h"
#include "cli/world_flag.h"
#include "nlohmann/json.hpp"
#include "program/carry.h"
#include "program/text.h"

namespace mmdiff {
namespace {

// The comment lines of a text, but its first line.
std::string Comments(const std::string& text) {
  std::string comments;
  bool first = true;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const absl::string_view stripped = absl::StripAsciiWhitespace(line);
    if (!first && !stripped.empty() && stripped[0] == '#')
      absl::StrAppend(&comments, stripped, "\n");
    first = false;
  }
  return comments;
}

// Canonical text with the leading comment block of the original kept after the first line.
std::string WithHeader(const Program& program, const std::string& original) {
  std::string canonical = PrintText(program);
  std::string header;
  bool first = true;
  for (absl::string_view line : absl::StrSplit(original, '\n')) {
    if (first) {
      first = false;
      continue;
    }
    if (line.empty() || line[0] != '#') break;
    absl::StrAppend(&header, line, "\n");
  }
  const size_t end_of_first = canonical.find('\n') + 1;
  canonical.insert(end_of_first, header);
  return canonical;
}

struct Formatted {
  std::string text;
  bool loses_comments = false;
};

absl::StatusOr<Formatted> Format(const std::string& file, const std::string& text,
                                 const std::string& world_flag) {
  absl::StatusOr<Program> program =
      ParseText(text, {.file_name = file == "-" ? "stdin" : file, .snippet = false});
  if (!program.ok()) return program.status();
  Formatted formatted;
  formatted.text = WithHeader(*program, text);
  formatted.loses_comments = Comments(text) != Comments(formatted.text);
  if (world_flag.empty()) return formatted;
  absl::StatusOr<World> world = ChangedByFlag(program->world, world_flag);
  if (!world.ok()) return world.status();
  absl::StatusOr<Program> carried = Carry(*program, *world);
  if (!carried.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": --world: ", carried.status().message()));
  }
  formatted.text = WithHeader(*carried, text);
  return formatted;
}

}  // namespace

absl::StatusOr<Exit> Verb_fmt(const Options& options) {
  if (options.flag_check && options.flag_write) {
    return absl::InvalidArgumentError("--check and --write exclude each other; give one");
  }
  absl::StatusOr<std::vector<std::string>> files = FindPrograms(options.words);
  if (!files.ok()) return files.status();
  nlohmann::ordered_json changed = nlohmann::ordered_json::array();
  nlohmann::ordered_json texts = nlohmann::ordered_json::object();
  for (const std::string& file : *files) {
    absl::StatusOr<std::string> text = ReadText(file, kMaxTextBytes);
    if (!text.ok()) return text.status();
    absl::StatusOr<Formatted> formatted = Format(file, *text, options.flag_world);
    if (!formatted.ok()) return formatted.status();
    const std::string& canonical = formatted->text;
    const bool differs = canonical != *text;
    if (differs) changed.push_back(file);
    if (options.flag_write) {
      if (!differs) continue;
      if (file == "-") return absl::InvalidArgumentError("standard input cannot be rewritten");
      if (formatted->loses_comments) {
        return absl::InvalidArgumentError(absl::StrCat(
            file, ": comments between operations would be lost; move them under the first line"));
      }
      if (absl::Status s = WriteText(file, canonical); !s.ok()) return s;
    } else if (options.flag_json) {
      texts[file] = canonical;
    } else if (!options.flag_check) {
      if (absl::Status s = WriteOutput("", canonical); !s.ok()) return s;
    } else if (differs) {
      std::fprintf(stderr, "%s: not in canonical form; mmdiff fmt --write %s\n", file.c_str(),
                   file.c_str());
    }
  }
  if (options.flag_json) {
    nlohmann::ordered_json json;
    json["files"] = files->size();
    json["not_canonical"] = changed;
    if (!options.flag_check && !options.flag_write) json["texts"] = texts;
    std::puts(json.dump(2).c_str());
  }
  return options.flag_check && !changed.empty() ? Exit::kDivergence : Exit::kOk;
}

}  // namespace mmdiff
