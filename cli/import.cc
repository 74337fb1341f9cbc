// import: strace logs of real programs as programs of the language.
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cli/program_files.h"
#include "cli/verb.h"
#include "cli/world_flag.h"
#include "nlohmann/json.hpp"
#include "program/import_strace.h"
#include "program/text.h"

namespace mmdiff {
namespace {

void Merge(const ImportReport& report, ImportReport* total) {
  total->lines += report.lines;
  total->calls += report.calls;
  total->used += report.used;
  total->operations += report.operations;
  total->programs += report.programs;
  for (const auto& [reason, count] : report.skipped) total->skipped[reason] += count;
  for (const std::string& line : report.broken) {
    if (total->broken.size() < 20) total->broken.push_back(line);
  }
}

std::string ReportText(const ImportReport& report) {
  std::string text =
      absl::StrCat(report.lines, " lines, ", report.calls, " calls, ", report.used,
                   " used: ", report.programs, " programs of ", report.operations, " operations\n");
  for (const auto& [reason, count] : report.skipped) {
    absl::StrAppend(&text, "  left out ", count, ": ", reason, "\n");
  }
  for (const std::string& line : report.broken) absl::StrAppend(&text, "  broken: ", line, "\n");
  return text;
}

}  // namespace

absl::StatusOr<Exit> Verb_import(const Options& options) {
  if (options.flag_program_ops == 0 || options.flag_program_ops > kMaxOps) {
    return absl::InvalidArgumentError(absl::StrCat("--program-ops takes 1 to ", kMaxOps));
  }
  absl::StatusOr<World> world = WorldFromFlag(options.flag_world);
  if (!world.ok()) return world.status();
  ImportReport total;
  std::vector<Program> all;
  for (const std::string& path : options.words) {
    absl::StatusOr<std::string> log = ReadText(path);
    if (!log.ok()) return log.status();
    ImportOptions import;
    import.world = *world;
    import.max_ops = options.flag_program_ops;
    import.max_programs = options.flag_programs;
    import.touch = !options.flag_no_touch;
    import.file_name = path == "-" ? "stdin" : path;
    ImportReport report;
    absl::StatusOr<std::vector<Program>> programs = ImportStrace(*log, import, &report);
    if (!programs.ok()) return programs.status();
    Merge(report, &total);
    all.insert(all.end(), programs->begin(), programs->end());
  }
  const std::string stem = options.words.size() == 1 && options.words[0] != "-"
                               ? std::filesystem::path(options.words[0]).stem().string()
                               : "import";
  if (!options.flag_json || !options.flag_output.empty()) {
    if (absl::Status s = WritePrograms(all, options.flag_output, stem); !s.ok()) return s;
  }
  if (!options.flag_json) {
    std::fputs(ReportText(total).c_str(), stderr);
    return Exit::kOk;
  }
  nlohmann::ordered_json json;
  json["lines"] = total.lines;
  json["calls"] = total.calls;
  json["used"] = total.used;
  json["programs"] = total.programs;
  json["operations"] = total.operations;
  json["skipped"] = total.skipped;
  json["broken"] = total.broken;
  if (options.flag_output.empty()) {
    json["texts"] = nlohmann::ordered_json::array();
    for (const Program& program : all) json["texts"].push_back(PrintText(program));
  } else {
    json["output"] = options.flag_output;
  }
  std::puts(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  return Exit::kOk;
}

}  // namespace mmdiff
