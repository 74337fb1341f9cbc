// corpus: what a corpus does (stats), the smallest one that does as much (distil, also called
// merge), and the same programs as the binary files that engines read (seeds).
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "cli/carried_programs.h"
#include "cli/child_program.h"
#include "cli/program_files.h"
#include "cli/seeds.h"
#include "cli/temporary_directory.h"
#include "cli/verb.h"
#include "cli/worker_path.h"
#include "harness/registry.h"
#include "nlohmann/json.hpp"
#include "program/binary.h"
#include "program/errno.h"
#include "program/mutate_bytes.h"
#include "program/text.h"

namespace mmdiff {
namespace {

using Json = nlohmann::ordered_json;

absl::StatusOr<Exit> Stats(const std::vector<std::string>& directories, const Options& options) {
  absl::StatusOr<std::vector<NamedProgram>> programs =
      ReadProgramsFor(options.flag_impl, directories);
  if (!programs.ok()) return programs.status();
  absl::StatusOr<Contestants> contestants = MakeAll(options.flag_impl);
  if (!contestants.ok()) return contestants.status();
  Lockstep lockstep(*std::move(contestants));
  size_t longest = 0;
  size_t failed = 0;
  RunResult result;
  for (const NamedProgram& named : *programs) {
    longest = std::max(longest, named.program.ops.size());
    failed += lockstep.Run(named.program, RunOptions(), &result) != RunOutcome::ok ? 1 : 0;
  }
  const LockstepCounters& counters = lockstep.counters();
  Json json;
  json["programs"] = programs->size();
  json["operations"] = counters.ops;
  json["effective"] = counters.ops_with_effect;
  json["longest"] = longest;
  json["with_findings"] = failed;
  json["outcomes"] = Json::object();
  std::vector<std::string> never;
  for (const OpDesc& desc : AllOps()) {
    Json by_errno = Json::object();
    const auto& row = counters.outcomes[static_cast<size_t>(desc.code)];
    for (size_t e = 0; e < row.size(); ++e) {
      if (row[e] != 0) by_errno[ErrnoText(static_cast<int32_t>(e))] = row[e];
    }
    if (by_errno.empty()) never.emplace_back(desc.name);
    json["outcomes"][desc.name] = by_errno;
  }
  json["never_run"] = never;
  if (options.flag_json) {
    std::puts(json.dump(2).c_str());
    return Exit::kOk;
  }
  std::printf("%zu programs, %llu operations (%llu effective), longest %zu, %zu with findings\n",
              programs->size(), static_cast<unsigned long long>(counters.ops),
              static_cast<unsigned long long>(counters.ops_with_effect), longest, failed);
  for (const auto& [name, by_errno] : json["outcomes"].items()) {
    std::string line;
    for (const auto& [error, count] : by_errno.items()) {
      absl::StrAppend(&line, "  ", error, " ", count.get<uint64_t>());
    }
    std::printf("  %-16s%s\n", name.c_str(), line.empty() ? "  never run" : line.c_str());
  }
  return Exit::kOk;
}

// Binary files for an engine that is run by hand.
absl::StatusOr<Exit> Seeds(const std::vector<std::string>& directories, const Options& options) {
  if (options.flag_output.empty()) {
    return absl::InvalidArgumentError("corpus seeds needs --output DIR for the binary files");
  }
  if (absl::Status s = MakeDirectory(options.flag_output); !s.ok()) return s;
  absl::StatusOr<Demands> demands = DemandsOfSpecs(options.flag_impl);
  if (!demands.ok()) return demands.status();
  absl::StatusOr<size_t> written = WriteSeeds(directories, options.flag_output, *demands);
  if (!written.ok()) return written.status();
  if (options.flag_json) {
    std::puts(Json{{"programs", *written}, {"output", options.flag_output}}.dump(2).c_str());
  } else {
    std::printf("%zu programs as binary files in %s\n", *written, options.flag_output.c_str());
  }
  return Exit::kOk;
}

// Runs the fuzz target's own merge over binary corpora, which knows edges.
absl::Status MergeBinary(const std::string& worker, const std::string& specs,
                         const std::string& from, const std::string& to) {
  ChildSpec spec;
  spec.argv = {worker, "-merge=1", "-max_len=65536", "-detect_leaks=0", to, from};
  spec.environment = {{"MMDIFF_IMPL", specs},
                      {"MMDIFF_MAX_OPS", absl::StrCat(kMaxOps)},
                      {"MMDIFF_MINIMISE", "0"},
                      {"MMDIFF_FINDINGS", from + ".findings"}};
  absl::StatusOr<ChildProgram::Finished> finished = ChildProgram::Run(spec);
  if (!finished.ok()) return finished.status();
  if (!finished->ok()) {
    return absl::InternalError(absl::StrCat("the fuzz target's merge failed:\n", finished->output));
  }
  return absl::OkStatus();
}

absl::StatusOr<Exit> Distil(const std::vector<std::string>& directories, const Options& options) {
  if (options.flag_output.empty()) {
    return absl::InvalidArgumentError(
        "corpus distil needs --output DIR for the distilled programs");
  }
  absl::StatusOr<std::string> worker = FindWorker("");
  if (!worker.ok()) return absl::FailedPreconditionError(worker.status().message());
  absl::StatusOr<std::vector<NamedProgram>> programs = ReadPrograms(directories);
  if (!programs.ok()) return programs.status();
  absl::StatusOr<TemporaryDirectory> temporary = TemporaryDirectory::Make();
  if (!temporary.ok()) return temporary.status();
  const std::string from = temporary->path() + "/from";
  const std::string to = temporary->path() + "/to";
  for (const std::string& directory : {from, to, options.flag_output}) {
    if (absl::Status s = MakeDirectory(directory); !s.ok()) return s;
  }
  absl::StatusOr<Demands> demands = DemandsOfSpecs(options.flag_impl);
  if (!demands.ok()) return demands.status();
  if (absl::StatusOr<size_t> written = WriteSeeds(directories, from, *demands); !written.ok()) {
    return written.status();
  }
  if (absl::Status s = MergeBinary(*worker, options.flag_impl, from, to); !s.ok()) return s;
  // Kept programs keep their names, their expectations and their geometry.
  std::map<std::string, const NamedProgram*> by_seed;
  for (const NamedProgram& named : *programs)
    by_seed.emplace(SeedName(SeedOf(named.program, *demands)), &named);
  size_t kept = 0;
  for (const auto& entry : std::filesystem::directory_iterator(to)) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(in), {}};
    const std::string seed = SeedName(bytes);
    const auto known = by_seed.find(seed);
    const std::string name = known == by_seed.end()
                                 ? seed + ".mmdiff"
                                 : std::filesystem::path(known->second->name).filename().string();
    const Program program =
        known == by_seed.end() ? Decode(absl::MakeConstSpan(bytes)) : known->second->program;
    if (absl::Status s =
            WriteText(absl::StrCat(options.flag_output, "/", name), PrintText(program));
        !s.ok()) {
      return s;
    }
    ++kept;
  }
  if (options.flag_json) {
    std::puts(Json{{"programs", programs->size()}, {"kept", kept}, {"output", options.flag_output}}
                  .dump(2)
                  .c_str());
  } else {
    std::printf("%zu programs, %zu kept in %s\n", programs->size(), kept,
                options.flag_output.c_str());
  }
  return Exit::kOk;
}

}  // namespace

absl::StatusOr<Exit> Verb_corpus(const Options& options) {
  const std::string& what = options.words[0];
  std::vector<std::string> directories(options.words.begin() + 1, options.words.end());
  if (what != "stats" && what != "distil" && what != "merge" && what != "seeds") {
    return absl::InvalidArgumentError(
        absl::StrCat("corpus ", what, " is not stats, distil, merge or seeds"));
  }
  if (absl::StatusOr<Contestants> made = MakeAll(options.flag_impl); !made.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--impl: ", made.status().message()));
  }
  if (directories.empty()) {
    absl::StatusOr<std::vector<std::string>> committed = CommittedCorpora(false);
    if (!committed.ok()) return committed.status();
    directories = *committed;
  }
  if (what == "stats") return Stats(directories, options);
  return what == "seeds" ? Seeds(directories, options) : Distil(directories, options);
}

}  // namespace mmdiff
