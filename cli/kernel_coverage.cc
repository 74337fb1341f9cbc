#include "cli/kernel_coverage.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "cli/child_program.h"
#include "cli/seeds.h"
#include "cli/temporary_directory.h"
#include "kernel/edge_table.h"
#include "kernel/linux.h"
#include "kernel/worker.h"
#include "nlohmann/json.hpp"
#include "program/world_demands.h"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr char kSymbolizer[] = "llvm-symbolizer-19";

// "/x/tree/mm/rmap.tree.c", a link to the tree's own file, is mm/rmap.c.
std::string PlainFile(const std::string& path) {
  std::string file = fs::path(path).lexically_normal().string();
  // The farm of links in which kernels are built is called tree.
  if (const size_t at = file.rfind("/tree/"); at != std::string::npos) file.erase(0, at + 6);
  if (absl::EndsWith(file, ".tree.c")) file.replace(file.size() - 7, 7, ".c");
  return file;
}

// Runs the programs; gives for each edge how many pass it.
absl::StatusOr<std::vector<uint64_t>> CountPrograms(const KernelBuild& build,
                                                    const std::vector<NamedProgram>& programs,
                                                    KernelCoverage* out) {
  WorkerOptions options;
  options.executable = build.executable;
  std::unique_ptr<Worker> worker;
  std::vector<uint64_t> passed;
  for (const NamedProgram& named : programs) {
    if (worker == nullptr || !worker->usable()) {
      absl::StatusOr<std::unique_ptr<Worker>> started = Worker::Start(options);
      if (!started.ok()) return started.status();
      worker = *std::move(started);
      passed.resize(std::min(worker->wire().coverage_bytes, MMDIFF_WIRE_COVERAGE));
    }
    const WorkerRun run = worker->Run(named.program.world, named.program.ops, MMDIFF_WIRE_IDLE, 0);
    if (run.end != WorkerEnd::kOk) {
      out->failed_programs.push_back(named.name);
      continue;
    }
    ++out->programs;
    const uint8_t* hits = worker->wire().coverage;
    for (size_t i = 0; i < passed.size(); ++i) passed[i] += hits[i] != 0;
  }
  return passed;
}

// Where each address is.
absl::StatusOr<std::vector<EdgePlace>> FindPlaces(const std::string& executable,
                                                  const std::vector<uint64_t>& addresses) {
  absl::StatusOr<TemporaryDirectory> directory = TemporaryDirectory::Make();
  if (!directory.ok()) return directory.status();
  std::string arguments;
  for (const uint64_t address : addresses)
    absl::StrAppend(&arguments, "0x", absl::Hex(address), "\n");
  const std::string file = directory->path() + "/addresses";
  if (absl::Status s = WriteText(file, arguments); !s.ok()) return s;
  absl::StatusOr<ChildProgram::Finished> run = ChildProgram::Run(
      {{kSymbolizer, "--obj=" + executable, "--output-style=JSON", "@" + file}, {}, true});
  if (!run.ok() || !run->ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        kSymbolizer, " does not run, which finds functions and lines; as root: apt-get install ",
        "llvm-19", run.ok() ? absl::StrCat("\n", run->output) : ""));
  }
  // What it warns of comes first.
  const size_t from = run->output.find("[{");
  std::vector<EdgePlace> places =
      PlacesFromSymbolizer(from == std::string::npos ? "" : run->output.substr(from));
  if (places.size() == addresses.size()) return places;
  return absl::InternalError(absl::StrCat(kSymbolizer, " gave ", places.size(), " places for ",
                                          addresses.size(), " addresses"));
}

struct Sum {
  uint64_t covered = 0, total = 0;
  void Add(uint64_t passed) {
    ++total;
    covered += passed != 0;
  }
  uint64_t uncovered() const { return total - covered; }
  double percent() const {
    return total == 0 ? 0 : 100 * static_cast<double>(covered) / static_cast<double>(total);
  }
};
struct FunctionSum : Sum {
  std::string file, function;
  uint32_t line = 0;                   // the first that has an edge
  std::set<uint32_t> uncovered_lines;  // lines with a place that no program passes
};

std::vector<FunctionSum> Functions(const KernelCoverage& coverage) {
  std::map<std::pair<std::string, std::string>, FunctionSum> sums;
  for (const auto& [place, passed] : coverage.places) {
    FunctionSum& sum = sums[{place.file, place.function}];
    sum.file = place.file;
    sum.function = place.function;
    sum.Add(passed);
    if (place.line == 0) continue;  // code that the compiler made up belongs to no line
    sum.line = sum.line == 0 ? place.line : std::min(sum.line, place.line);
    if (passed == 0) sum.uncovered_lines.insert(place.line);
  }
  std::vector<FunctionSum> functions;
  for (auto& [key, sum] : sums) functions.push_back(std::move(sum));
  std::stable_sort(functions.begin(), functions.end(),
                   [](const auto& a, const auto& b) { return a.uncovered() > b.uncovered(); });
  return functions;
}

std::map<std::string, Sum> Files(const KernelCoverage& coverage) {
  std::map<std::string, Sum> files;
  for (const auto& [place, passed] : coverage.places) files[place.file].Add(passed);
  return files;
}

std::string Numbers(const std::set<uint32_t>& lines) {
  std::string text;
  for (const uint32_t line : lines) absl::StrAppend(&text, text.empty() ? "" : " ", line);
  return text;
}

std::string CoverageJson(const KernelBuild& build, const KernelCoverage& coverage) {
  Json json = {{"build", build.name},           {"release", build.release},
               {"programs", coverage.programs}, {"failed_programs", coverage.failed_programs},
               {"edges", coverage.edges},       {"edges_covered", coverage.edges_covered},
               {"files", Json::array()},        {"functions", Json::array()}};
  for (const auto& [file, sum] : Files(coverage)) {
    json["files"].push_back({{"file", file}, {"covered", sum.covered}, {"places", sum.total}});
  }
  for (const FunctionSum& f : Functions(coverage)) {
    json["functions"].push_back({{"file", f.file},
                                 {"function", f.function},
                                 {"line", f.line},
                                 {"covered", f.covered},
                                 {"places", f.total},
                                 {"uncovered_lines", f.uncovered_lines}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

// The annotated sources of all files that have edges, below `output`.
absl::Status WriteSources(const KernelBuild& build, const KernelCoverage& coverage,
                          const std::string& output) {
  const fs::path farm = fs::path(build.executable).parent_path() / "tree";
  for (const auto& [file, sum] : Files(coverage)) {
    const std::string own =
        absl::EndsWith(file, ".c") ? file.substr(0, file.size() - 2) + ".tree.c" : file;
    std::error_code error;
    const fs::path path = fs::exists(farm / own, error) ? farm / own : farm / file;
    absl::StatusOr<std::string> source = ReadText(path.string());
    if (!source.ok()) return source.status();
    const fs::path to = fs::path(output) / (file + ".txt");
    if (absl::Status s = MakeDirectory(to.parent_path().string()); !s.ok()) return s;
    const std::string text = AnnotatedSource(coverage, file, *source);
    if (absl::Status s = WriteText(to.string(), text); !s.ok()) return s;
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<EdgePlace> PlacesFromSymbolizer(const std::string& json) {
  std::vector<EdgePlace> places;
  const Json all = Json::parse(json, nullptr, false);
  if (!all.is_array()) return places;
  for (const Json& address : all) {
    EdgePlace place;
    if (address.is_object() && address.contains("Symbol") && address["Symbol"].is_array() &&
        !address["Symbol"].empty()) {
      const Json& innermost = address["Symbol"][0];
      place.file = PlainFile(innermost.value("FileName", ""));
      place.function = innermost.value("FunctionName", "");
      place.line = innermost.value("Line", 0u);
      place.column = innermost.value("Column", 0u);
    }
    places.push_back(std::move(place));
  }
  return places;
}

absl::StatusOr<KernelCoverage> MeasureKernelCoverage(const KernelBuild& build,
                                                     const std::vector<NamedProgram>& programs) {
  absl::StatusOr<std::vector<uint64_t>> addresses = ReadEdgeTable(build.executable);
  if (!addresses.ok()) return addresses.status();
  KernelCoverage coverage;
  absl::StatusOr<std::vector<uint64_t>> passed = CountPrograms(build, programs, &coverage);
  if (!passed.ok()) return passed.status();
  if (passed->size() != addresses->size()) {
    return absl::FailedPreconditionError(
        absl::StrCat(build.executable, " has ", addresses->size(), " edges and counts ",
                     passed->size(), "; build it anew with ./mmdiff kernel build --coverage"));
  }
  absl::StatusOr<std::vector<EdgePlace>> places = FindPlaces(build.executable, *addresses);
  if (!places.ok()) return places.status();
  coverage.edges = passed->size();
  for (size_t i = 0; i < passed->size(); ++i) {
    const uint64_t n = (*passed)[i];
    coverage.edges_covered += n != 0;
    uint64_t& most = coverage.places[(*places)[i]];
    most = std::max(most, n);
  }
  return coverage;
}

std::string KernelCoverageText(const KernelBuild& build, const KernelCoverage& measured,
                               uint64_t functions) {
  // What mm/ takes from headers is counted at each of its users already.
  KernelCoverage coverage = measured;
  std::erase_if(coverage.places, [](const auto& at) { return !at.first.file.starts_with("mm/"); });
  Sum all;
  for (const auto& [place, passed] : coverage.places) all.Add(passed);
  std::string text = absl::StrFormat(
      "%s (Linux %s), %d programs: %d of %d edges, %d of %d places of mm/ (%.1f%%)\n\n", build.name,
      build.release, coverage.programs, coverage.edges_covered, coverage.edges, all.covered,
      all.total, all.percent());
  absl::StrAppendFormat(&text, "%9s %9s %7s  %s\n", "uncovered", "places", "covered", "file");
  std::vector<std::pair<std::string, Sum>> files;
  for (const auto& file : Files(coverage)) files.push_back(file);
  std::stable_sort(files.begin(), files.end(), [](const auto& a, const auto& b) {
    return a.second.uncovered() > b.second.uncovered();
  });
  for (const auto& [file, sum] : files) {
    absl::StrAppendFormat(&text, "%9d %9d %6.1f%%  %s\n", sum.uncovered(), sum.total, sum.percent(),
                          file);
  }
  absl::StrAppendFormat(&text, "\n%9s %9s %7s  %s\n", "uncovered", "places", "covered",
                        "function, and lines where a path begins that no program takes");
  uint64_t shown = 0;
  for (const FunctionSum& f : Functions(coverage)) {
    if (functions != 0 && shown++ == functions) break;
    absl::StrAppendFormat(&text, "%9d %9d %6.1f%%  %s (%s:%d)\n", f.uncovered(), f.total,
                          f.percent(), f.function, f.file, f.line);
    if (!f.uncovered_lines.empty()) {
      absl::StrAppendFormat(&text, "%29s%s\n", "", Numbers(f.uncovered_lines));
    }
  }
  return text;
}

std::string AnnotatedSource(const KernelCoverage& coverage, const std::string& file,
                            const std::string& source) {
  struct Line {
    uint64_t most = 0;
    bool some_uncovered = false;
  };
  std::map<uint32_t, Line> lines;
  for (auto at = coverage.places.lower_bound(EdgePlace{file, "", 0, 0});
       at != coverage.places.end(); ++at) {
    if (at->first.file != file) break;
    Line& line = lines[at->first.line];
    line.most = std::max(line.most, at->second);
    line.some_uncovered |= at->second == 0;
  }
  std::string text;
  uint32_t number = 0;
  std::vector<absl::string_view> all = absl::StrSplit(source, '\n');
  if (!all.empty() && all.back().empty()) all.pop_back();
  for (const absl::string_view line : all) {
    std::string mark;
    if (const auto at = lines.find(++number); at != lines.end()) {
      mark = at->second.most == 0
                 ? "-"
                 : absl::StrCat(at->second.most, at->second.some_uncovered ? "+" : "");
    }
    absl::StrAppendFormat(&text, "%8s %6d  %s\n", mark, number, line);
  }
  return text;
}

absl::StatusOr<Exit> PrintKernelCoverage(const Options& options) {
  const std::string which = options.flag_build.empty()
                                ? std::string(kDefaultKernelVersion) + "+coverage"
                                : options.flag_build;
  absl::StatusOr<KernelBuild> build = FindKernelBuild(which);
  if (!build.ok()) return build.status();
  std::vector<std::string> paths(options.words.begin() + 1, options.words.end());
  if (paths.empty()) {
    absl::StatusOr<std::vector<std::string>> corpora = CommittedCorpora(true);
    if (!corpora.ok()) return corpora.status();
    paths = *corpora;
  }
  absl::StatusOr<std::vector<NamedProgram>> programs = ReadPrograms(paths);
  if (!programs.ok()) return programs.status();
  for (NamedProgram& named : *programs)
    ForceDemands({.table = kLinuxTable}, kMaxOps, &named.program);
  absl::StatusOr<KernelCoverage> coverage = MeasureKernelCoverage(*build, *programs);
  if (!coverage.ok()) return coverage.status();
  for (const std::string& name : coverage->failed_programs) {
    std::fprintf(stderr, "mmdiff: the kernel did not survive %s, which counts for nothing\n",
                 name.c_str());
  }
  if (!options.flag_output.empty()) {
    if (absl::Status s = WriteSources(*build, *coverage, options.flag_output); !s.ok()) return s;
  }
  if (options.flag_json) {
    std::puts(CoverageJson(*build, *coverage).c_str());
  } else {
    std::fputs(KernelCoverageText(*build, *coverage, options.flag_functions).c_str(), stdout);
  }
  return Exit::kOk;
}

}  // namespace mmdiff
