// fuzz: a campaign with libFuzzer workers, a progress line, a summary and an exit code.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/campaign.h"
#include "cli/interrupt.h"
#include "cli/seeds.h"
#include "cli/verb.h"
#include "cli/worker_path.h"
#include "harness/project_path.h"
#include "harness/registry.h"
#include "nlohmann/json.hpp"
#include "program/mutate_bytes.h"

namespace mmdiff {
namespace {

std::string DefaultFindings() {
  const std::string committed = ProjectPath("crashes");
  return !committed.empty() && access(committed.c_str(), W_OK) == 0 ? committed : "crashes";
}

absl::StatusOr<CampaignOptions> CampaignFromFlags(const Options& options) {
  if (options.flag_time <= 0) return absl::InvalidArgumentError("--time must be above 0");
  if (options.flag_max_ops == 0 || options.flag_max_ops > kMaxFuzzOps) {
    return absl::InvalidArgumentError(absl::StrCat("--max-ops takes 1 to ", kMaxFuzzOps));
  }
  if (options.flag_jobs > 256) return absl::InvalidArgumentError("--jobs takes at most 256");
  if (absl::StatusOr<Contestants> made = MakeAll(options.flag_impl); !made.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--impl: ", made.status().message(), "; mmdiff list impls prints all"));
  }
  CampaignOptions campaign;
  absl::StatusOr<std::string> worker = FindWorker(options.flag_worker);
  if (!worker.ok()) return absl::FailedPreconditionError(worker.status().message());
  campaign.worker = *worker;
  campaign.specs = options.flag_impl;
  campaign.work_dir = options.flag_work.empty()
                          ? DefaultWorkDirectory(options.flag_impl, campaign.worker)
                          : options.flag_work;
  campaign.findings_dir = options.flag_findings.empty() ? DefaultFindings() : options.flag_findings;
  campaign.corpus = options.flag_corpus;
  if (campaign.corpus.empty()) {
    absl::StatusOr<std::vector<std::string>> corpora = CommittedCorpora(true);
    if (!corpora.ok()) return corpora.status();
    campaign.corpus = *corpora;
  }
  campaign.jobs = options.flag_jobs != 0 ? options.flag_jobs
                                         : std::max(1u, std::thread::hardware_concurrency());
  campaign.seconds = options.flag_time;
  campaign.operations = options.flag_operations;
  campaign.seed = options.flag_seed;
  campaign.max_ops = options.flag_max_ops;
  campaign.full_every = options.flag_full_every;
  campaign.hang_seconds = std::max(0.1, options.flag_hang) + StartupMs(options.flag_impl) / 1000.0;
  campaign.minimise_seconds = options.flag_minimise_time;
  campaign.stop_on_first = options.flag_stop_on_first;
  campaign.resume = options.flag_resume;
  return campaign;
}

nlohmann::ordered_json ResultJson(const CampaignOptions& options, const CampaignResult& result,
                                  Exit exit) {
  const CampaignNumbers& n = result.numbers;
  nlohmann::ordered_json json;
  json["implementations"] = options.specs;
  json["programs"] = n.programs;
  json["operations"] = n.operations;
  json["seconds"] = n.seconds;
  json["programs_per_s"] = n.programs_per_s();
  json["operations_per_s"] = n.operations_per_s();
  json["effective_share"] = n.effective_share();
  json["unsupported"] = n.unsupported;
  json["left_out"] = n.left_out;
  json["outcomes"] = n.outcomes;
  json["coverage"] = n.coverage;
  json["features"] = n.features;
  json["corpus"] = n.corpus;
  json["seeds"] = result.seeds;
  json["jobs"] = options.jobs;
  json["deaths"] = result.deaths;
  json["sightings"] = n.sightings;
  json["interrupted"] = result.interrupted;
  json["findings"] = nlohmann::ordered_json::array();
  for (const CampaignFinding& f : result.findings) {
    json["findings"].push_back({{"signature", f.signature},
                                {"kind", f.kind},
                                {"message", f.message},
                                {"operations", f.ops},
                                {"original_operations", f.original_ops},
                                {"new", f.is_new},
                                {"seconds", f.found_after},
                                {"operations_until", f.found_operations},
                                {"path", f.path}});
    if (f.repeats.of != 0) {
      json["findings"].back()["repeated"] = {{"same", f.repeats.same}, {"of", f.repeats.of}};
    }
  }
  json["warnings"] = result.warnings;
  json["exit"] = static_cast<int>(exit);
  return json;
}

std::string SummaryText(const CampaignOptions& options, const CampaignResult& result) {
  const CampaignNumbers& n = result.numbers;
  std::string text;
  const auto row = [&text](const char* name, const std::string& value) {
    absl::StrAppendFormat(&text, "  %-16s %s\n", name, value);
  };
  absl::StrAppend(&text, result.interrupted ? "interrupted after " : "fuzzed ", options.specs,
                  " for ", ShortTime(n.seconds), " with ", options.jobs, " workers\n");
  row("programs", absl::StrFormat("%d (%s/s)", n.programs, ShortNumber(n.programs_per_s())));
  row("operations", absl::StrFormat("%d (%s/s)", n.operations, ShortNumber(n.operations_per_s())));
  row("effective", absl::StrFormat("%.1f%%", 100 * n.effective_share()));
  if (n.left_out != 0)
    row("left out", absl::StrFormat("%d operations, with no counterpart", n.left_out));
  row("coverage", absl::StrFormat("%d edges, %d features, %d outcomes of operations", n.coverage,
                                  n.features, n.outcomes));
  row("corpus", absl::StrFormat("%d programs, from %d seeds", n.corpus, result.seeds));
  row("findings", absl::StrFormat("%d different, %d sightings, %d deaths", result.findings.size(),
                                  n.sightings, result.deaths));
  for (const CampaignFinding& f : result.findings) {
    const std::string repeats = f.repeats.Text();
    absl::StrAppendFormat(
        &text, "\n  %s\n    %s: %s\n    %d operations (from %d), after %s, %s%s%s\n    %s\n",
        f.signature, f.kind, f.message, f.ops, f.original_ops, ShortTime(f.found_after),
        f.is_new ? "new" : "known", repeats.empty() ? "" : ", ", repeats, f.path);
  }
  if (!result.findings.empty()) {
    absl::StrAppend(&text, "\n  next: mmdiff explain ", result.findings[0].path, "/repro.mmdiff\n");
  }
  return text;
}

Exit ExitOfCampaign(const Options& options, const CampaignResult& result) {
  for (const CampaignFinding& finding : result.findings) {
    if (finding.kind == "harness_fault") return Exit::kFault;
  }
  if (!result.findings.empty()) return Exit::kDivergence;
  if (result.numbers.coverage < options.flag_require_coverage) return Exit::kNotCovered;
  return Exit::kOk;
}

}  // namespace

absl::StatusOr<Exit> Verb_fuzz(const Options& options) {
  absl::StatusOr<CampaignOptions> campaign = CampaignFromFlags(options);
  if (!campaign.ok()) return campaign.status();
  ProgressPrinter printer(stderr);
  const InterruptGuard guard;
  absl::StatusOr<CampaignResult> result = RunCampaign(*campaign, &printer);
  if (!result.ok()) return result.status();
  const Exit exit = ExitOfCampaign(options, *result);
  for (const std::string& warning : result->warnings) {
    std::fprintf(stderr, "mmdiff: %s\n", warning.c_str());
  }
  if (options.flag_json) {
    std::puts(ResultJson(*campaign, *result, exit)
                  .dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
                  .c_str());
  } else {
    std::fputs(SummaryText(*campaign, *result).c_str(), stdout);
  }
  if (exit == Exit::kNotCovered) {
    std::fprintf(stderr,
                 "mmdiff: %d edges covered, %d required; give more --time or a better --corpus\n",
                 static_cast<int>(result->numbers.coverage),
                 static_cast<int>(options.flag_require_coverage));
  }
  return exit;
}

}  // namespace mmdiff
