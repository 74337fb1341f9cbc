// mutants: builds each known bug as a fuzz target of its own and hunts it from the committed
// corpus.
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/campaign.h"
#include "cli/child_program.h"
#include "cli/interrupt.h"
#include "cli/mutant_files.h"
#include "cli/seeds.h"
#include "cli/verb.h"
#include "cli/worker_path.h"
#include "harness/project_path.h"
#include "nlohmann/json.hpp"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;

struct Hunt {
  MutantFile mutant;
  std::string worker;
  std::unique_ptr<Campaign> campaign;
  bool over = false;
  CampaignResult result;

  bool killed() const { return !result.findings.empty(); }
};

absl::StatusOr<std::vector<Hunt>> Choose(const Options& options) {
  const std::string directory = ProjectPath("mutants");
  if (directory.empty()) {
    return absl::NotFoundError(
        "the directory mutants/ was not found; run ./mmdiff mutants in the source tree");
  }
  absl::StatusOr<std::vector<MutantFile>> mutants = ReadMutants(directory);
  if (!mutants.ok()) return mutants.status();
  std::vector<Hunt> hunts;
  for (const MutantFile& mutant : *mutants) {
    const auto& only = options.flag_only;
    if (!only.empty() && std::find(only.begin(), only.end(), mutant.id) == only.end()) continue;
    hunts.push_back(Hunt{mutant, "", nullptr, false, {}});
  }
  for (const std::string& id : options.flag_only) {
    const bool known = std::any_of(mutants->begin(), mutants->end(),
                                   [&id](const MutantFile& m) { return m.id == id; });
    if (known) continue;
    std::vector<std::string> ids;
    for (const MutantFile& m : *mutants) ids.push_back(m.id);
    return absl::InvalidArgumentError(
        absl::StrCat("there is no mutant '", id, "'; there are ", absl::StrJoin(ids, ", ")));
  }
  if (hunts.empty())
    return absl::NotFoundError(absl::StrCat("there are no patches in ", directory));
  return hunts;
}

absl::Status Build(std::vector<Hunt>& hunts, const Options& options) {
  const std::string build = BuildDirectory();
  if (build.empty()) {
    return absl::FailedPreconditionError(
        "mutants are built in the source tree: run ./mmdiff mutants there");
  }
  const std::string tree = build + "/fuzz";
  ChildSpec spec;
  spec.argv = {"ninja", "-C", tree};
  spec.join_output = true;
  for (Hunt& hunt : hunts) {
    const std::string target = "mmdiff-fuzz-" + hunt.mutant.id;
    hunt.worker = absl::StrCat(tree, "/mutants/", target);
    spec.argv.push_back(target);
  }
  std::error_code error;
  if (!options.flag_no_build) {
    if (!fs::exists(tree + "/build.ninja", error)) {
      return absl::FailedPreconditionError(
          absl::StrCat(tree, " is not configured: run ./mmdiff mutants, or cmake --preset fuzz"));
    }
    std::fprintf(stderr, "mmdiff: building %zu mutants\n", hunts.size());
    absl::StatusOr<ChildProgram::Finished> finished = ChildProgram::Run(spec);
    if (!finished.ok()) return finished.status();
    if (!finished->ok()) {
      const std::string& log = finished->output;
      return absl::InternalError(absl::StrCat(
          "building the mutants failed:\n", log.substr(log.size() > 8000 ? log.size() - 8000 : 0)));
    }
  }
  for (const Hunt& hunt : hunts) {
    if (fs::is_regular_file(hunt.worker, error)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(hunt.worker, " is not built; run without --no-build"));
  }
  return absl::OkStatus();
}

absl::Status StartHunt(Hunt& hunt, const std::vector<std::string>& corpus, const Options& options,
                       ProgressPrinter* quiet) {
  CampaignOptions campaign;
  campaign.worker = hunt.worker;
  campaign.work_dir = absl::StrCat(
      options.flag_work.empty() ? BuildDirectory() + "/work/mutants" : options.flag_work, "/",
      hunt.mutant.id);
  campaign.findings_dir = campaign.work_dir + "/findings";
  std::error_code error;
  fs::remove_all(campaign.findings_dir, error);
  campaign.corpus = corpus;
  campaign.seconds = options.flag_time;
  campaign.seed = options.flag_seed;
  campaign.max_ops = options.flag_max_ops;
  campaign.hang_seconds = std::max(0.1, options.flag_hang);
  campaign.minimise_seconds = options.flag_minimise_time;
  campaign.stop_on_first = true;
  absl::StatusOr<std::unique_ptr<Campaign>> started = Campaign::Start(campaign, quiet);
  if (!started.ok()) return started.status();
  hunt.campaign = *std::move(started);
  return absl::OkStatus();
}

void PrintRow(const Hunt& hunt) {
  if (!hunt.killed()) {
    std::printf("%-32s %-14s %-8s %7.1fs %11d\n", hunt.mutant.id.c_str(), hunt.mutant.area.c_str(),
                "SURVIVED", hunt.result.numbers.seconds,
                static_cast<int>(hunt.result.numbers.operations));
  } else {
    const CampaignFinding& f = hunt.result.findings[0];
    std::printf("%-32s %-14s %-8s %7.1fs %11d %6d  %s\n", hunt.mutant.id.c_str(),
                hunt.mutant.area.c_str(), "killed", f.found_after,
                static_cast<int>(f.found_operations), static_cast<int>(f.ops), f.signature.c_str());
  }
  std::fflush(stdout);
}

absl::Status HuntAll(std::vector<Hunt>& hunts, const Options& options, bool print) {
  std::vector<std::string> corpus = options.flag_corpus;
  if (corpus.empty()) {
    // Without crashes/: what was found once must be found again from what is no memory of it.
    absl::StatusOr<std::vector<std::string>> committed = CommittedCorpora(false);
    if (!committed.ok()) return committed.status();
    corpus = *committed;
  }
  const size_t jobs = options.flag_jobs != 0 ? options.flag_jobs
                                             : std::max(1u, std::thread::hardware_concurrency());
  ProgressPrinter quiet(nullptr);
  size_t next = 0;
  size_t active = 0;
  while (next < hunts.size() || active > 0) {
    while (active < jobs && next < hunts.size() && !campaign_interrupted.load()) {
      if (absl::Status s = StartHunt(hunts[next], corpus, options, &quiet); !s.ok()) return s;
      ++next;
      ++active;
    }
    if (active == 0) break;
    for (Hunt& hunt : hunts) {
      if (hunt.campaign == nullptr) continue;
      absl::StatusOr<bool> more = hunt.campaign->Step(static_cast<int>(100 / active));
      if (!more.ok()) {
        return absl::Status(more.status().code(),
                            absl::StrCat("mutant ", hunt.mutant.id, ": ", more.status().message()));
      }
      if (*more) continue;
      hunt.result = hunt.campaign->result();
      hunt.campaign.reset();
      hunt.over = true;
      --active;
      if (print) PrintRow(hunt);
    }
  }
  return absl::OkStatus();
}

nlohmann::ordered_json HuntJson(const Hunt& hunt) {
  nlohmann::ordered_json json;
  json["id"] = hunt.mutant.id;
  json["area"] = hunt.mutant.area;
  json["origin"] = hunt.mutant.origin;
  json["mechanism"] = hunt.mutant.mechanism;
  json["caught_by"] = hunt.mutant.caught_by;
  json["killed"] = hunt.killed();
  if (!hunt.killed()) {
    json["seconds"] = hunt.result.numbers.seconds;
    json["operations_until"] = hunt.result.numbers.operations;
    return json;
  }
  const CampaignFinding& finding = hunt.result.findings[0];
  json["seconds"] = finding.found_after;
  json["operations_until"] = finding.found_operations;
  json["operations"] = finding.ops;
  json["original_operations"] = finding.original_ops;
  json["kind"] = finding.kind;
  json["signature"] = finding.signature;
  json["message"] = finding.message;
  json["path"] = finding.path;
  return json;
}

}  // namespace

absl::StatusOr<Exit> Verb_mutants(const Options& options) {
  if (options.flag_time <= 0) return absl::InvalidArgumentError("--time must be above 0");
  absl::StatusOr<std::vector<Hunt>> hunts = Choose(options);
  if (!hunts.ok()) return hunts.status();
  if (absl::Status s = Build(*hunts, options); !s.ok()) return s;
  const InterruptGuard guard;
  if (!options.flag_json) {
    std::printf("%-32s %-14s %-8s %8s %11s %6s  %s\n", "mutant", "area", "", "time", "operations",
                "repro", "signature");
  }
  if (absl::Status s = HuntAll(*hunts, options, !options.flag_json); !s.ok()) return s;
  nlohmann::ordered_json json;
  json["mutants"] = nlohmann::ordered_json::array();
  size_t killed = 0;
  for (const Hunt& hunt : *hunts) {
    json["mutants"].push_back(HuntJson(hunt));
    killed += hunt.killed() ? 1 : 0;
  }
  json["killed"] = killed;
  json["survived"] = hunts->size() - killed;
  if (options.flag_json) {
    std::puts(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else {
    std::printf("%zu of %zu killed\n", killed, hunts->size());
  }
  return killed == hunts->size() ? Exit::kOk : Exit::kDivergence;
}

}  // namespace mmdiff
