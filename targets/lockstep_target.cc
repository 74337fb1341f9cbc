#include "targets/lockstep_target.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "harness/demands.h"
#include "harness/isolate.h"
#include "harness/registry.h"
#include "harness/starting.h"
#include "nlohmann/json.hpp"
#include "program/binary.h"
#include "program/mutate_bytes.h"
#include "program/text.h"

namespace mmdiff {
namespace {

using Json = nlohmann::ordered_json;

std::string Environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

template <typename Number>
absl::Status NumberFromEnvironment(const char* name, Number* number) {
  const std::string text = Environment(name, "");
  if (text.empty()) return absl::OkStatus();
  uint64_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) {
    return absl::InvalidArgumentError(absl::StrCat(name, "=", text, " is not a number"));
  }
  *number = static_cast<Number>(value);
  return absl::OkStatus();
}

uint64_t OutcomesSeen(const LockstepCounters& counters) {
  uint64_t seen = 0;
  for (const auto& by_errno : counters.outcomes) {
    for (const uint64_t count : by_errno) seen += count != 0;
  }
  return seen;
}

}  // namespace

absl::StatusOr<TargetConfig> TargetConfigFromEnvironment() {
  TargetConfig config;
  config.keeper.specs = Environment("MMDIFF_IMPL", std::string(kDefaultImplementations).c_str());
  config.keeper.findings_dir = Environment("MMDIFF_FINDINGS", "crashes");
  config.stats_page = Environment("MMDIFF_STATS_PAGE", "");
  config.max_ops = kMaxFuzzOps;
  uint64_t minimise = 30;
  for (const absl::Status& status :
       {NumberFromEnvironment("MMDIFF_SEED", &config.keeper.seed),
        NumberFromEnvironment("MMDIFF_MAX_OPS", &config.max_ops),
        NumberFromEnvironment("MMDIFF_FULL_EVERY", &config.run.full_every),
        NumberFromEnvironment("MMDIFF_FULL_AT_END", &config.run.full_at_end_every),
        NumberFromEnvironment("MMDIFF_CHILD_MS", &config.keeper.child_ms),
        NumberFromEnvironment("MMDIFF_MINIMISE", &minimise)}) {
    if (!status.ok()) return status;
  }
  config.keeper.minimise = minimise != 0;
  config.keeper.minimise_seconds = static_cast<double>(minimise);
  const std::string on_finding = Environment("MMDIFF_ON_FINDING", "continue");
  if (on_finding == "stop") {
    config.on_finding = OnFinding::kStop;
  } else if (on_finding == "abort") {
    config.on_finding = OnFinding::kAbort;
  } else if (on_finding != "continue") {
    return absl::InvalidArgumentError(
        absl::StrCat("MMDIFF_ON_FINDING=", on_finding, " is not continue, stop or abort"));
  }
  return config;
}

absl::StatusOr<std::unique_ptr<LockstepTarget>> LockstepTarget::Create(const TargetConfig& config) {
  absl::StatusOr<FindingKeeper> keeper = FindingKeeper::Create(config.keeper);
  if (!keeper.ok()) return keeper.status();
  absl::StatusOr<Contestants> contestants = MakeAll(config.keeper.specs);
  if (!contestants.ok()) return contestants.status();
  absl::StatusOr<Demands> demands = DemandsOf(*contestants);
  if (!demands.ok()) return demands.status();
  std::optional<SharedStats> stats;
  if (!config.stats_page.empty()) {
    absl::StatusOr<SharedStats> opened = SharedStats::Open(config.stats_page);
    if (!opened.ok()) return opened.status();
    stats = *std::move(opened);
  }
  return std::unique_ptr<LockstepTarget>(new LockstepTarget(
      config, *std::move(keeper), *std::move(contestants), *std::move(demands), std::move(stats)));
}

LockstepTarget::LockstepTarget(const TargetConfig& config, FindingKeeper keeper,
                               Contestants contestants, Demands demands,
                               std::optional<SharedStats> stats)
    : config_(config),
      keeper_(std::move(keeper)),
      lockstep_(std::move(contestants)),
      demands_(std::move(demands)),
      stats_(std::move(stats)) {
  if (stats_) {
    config_.run.progress = &stats_->page().progress;
    Starting::TellAt(&stats_->page().progress.starting);
  }
  config_.run.confirmed = &seen_;
}

bool LockstepTarget::Run(const uint8_t* data, size_t size) {
  DecodeInto(absl::MakeConstSpan(data, size), &program_, config_.max_ops);
  const size_t left_out = MakeSuit(demands_, config_.max_ops, &program_);
  if (stats_) stats_->Begin(program_, data, size);
  const RunOutcome outcome = lockstep_.Run(program_, config_.run, &result_);
  if (stats_) Count(left_out);
  if (outcome != RunOutcome::ok) Keep();
  if (stats_) stats_->page().phase.store(WorkerPhase::kIdle, std::memory_order_release);
  return outcome == RunOutcome::ok;
}

uint32_t LockstepTarget::CoverageEdges() {
  uint32_t edges = 0;
  for (size_t i = 0; i < lockstep_.leaders(); ++i) edges += lockstep_.leader(i).CoverageEdges();
  return edges;
}

void LockstepTarget::CopyCoverage(uint8_t* to) {
  for (size_t i = 0; i < lockstep_.leaders(); ++i) {
    lockstep_.leader(i).CopyCoverage(to);
    to += lockstep_.leader(i).CoverageEdges();
  }
}

void LockstepTarget::Count(size_t left_out) {
  StatsPage& page = stats_->page();
  const auto add = [](std::atomic<uint64_t>& counter, uint64_t n) {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  };
  add(page.programs, 1);
  add(page.operations, result_.ops_run);
  add(page.effective, result_.ops_with_effect);
  add(page.unsupported, result_.ops_unsupported);
  if (left_out != 0) add(page.left_out, left_out);
  add(page.full_compares, result_.full_compares);
  const uint64_t programs = lockstep_.counters().programs;
  if (programs % 4096 == 0 || (programs & (programs - 1)) == 0) {
    page.outcomes.store(OutcomesSeen(lockstep_.counters()), std::memory_order_relaxed);
  }
}

void LockstepTarget::Keep() {
  if (stats_) {
    stats_->page().sightings.fetch_add(1, std::memory_order_relaxed);
    stats_->page().phase.store(WorkerPhase::kKeeping, std::memory_order_release);
  }
  if (seen_.insert(SignatureOf(result_).FileName()).second) {
    std::map<std::string, uint64_t> counts;
    counts["programs"] = lockstep_.counters().programs;
    counts["operations"] = lockstep_.counters().ops;
    absl::StatusOr<KeptFinding> kept = keeper_.KeepDivergence(program_, result_, counts);
    if (!kept.ok()) {
      std::fprintf(stderr, "mmdiff: the finding could not be kept: %s\n",
                   kept.status().ToString().c_str());
      std::_Exit(3);
    }
    std::fprintf(stderr, "\n%s%s\n", kFindingLine, KeptFindingJson(*kept).c_str());
  }
  if (config_.on_finding == OnFinding::kAbort) std::abort();
  if (config_.on_finding == OnFinding::kStop) {
    if (stats_) stats_->page().phase.store(WorkerPhase::kIdle, std::memory_order_release);
    std::_Exit(0);
  }
}

std::string KeptFindingJson(const KeptFinding& kept) {
  Json json;
  json["signature"] = kept.signature;
  json["kind"] = kept.kind;
  json["message"] = kept.message;
  json["operations"] = kept.ops;
  json["original_operations"] = kept.original_ops;
  json["reducer_runs"] = kept.runs;
  json["new"] = kept.is_new;
  json["path"] = kept.path;
  if (kept.repeats.of != 0) {
    json["repeated"] = {{"same", kept.repeats.same}, {"of", kept.repeats.of}};
  }
  if (!kept.warning.empty()) json["warning"] = kept.warning;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

namespace {

absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

absl::StatusOr<ChildEnd> ReadDeath(const std::string& path) {
  absl::StatusOr<std::string> text = ReadWhole(path);
  if (!text.ok()) return text.status();
  const Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object()) return absl::DataLossError(absl::StrCat(path, " is not JSON"));
  ChildEnd end;
  end.kind = static_cast<ChildEnd::Kind>(json.value("kind", 0));
  end.code = json.value("code", 0);
  end.lit = json.value("lit", false);
  end.position.op = json.value("op", RunProgress::kIdle);
  end.position.leader = json.value("leader", 0u);
  end.position.in_reference = json.value("in_reference", false);
  end.output = json.value("output", "");
  return end;
}

absl::StatusOr<KeptFinding> KeepDeath(const std::string& directory, const TargetConfig& config) {
  absl::StatusOr<std::string> text = ReadWhole(directory + "/program.mmdiff");
  if (!text.ok()) return text.status();
  absl::StatusOr<Program> program = ParseText(*text, {});
  if (!program.ok()) return program.status();
  absl::StatusOr<ChildEnd> end = ReadDeath(directory + "/death.json");
  if (!end.ok()) return end.status();
  absl::StatusOr<Contestants> contestants = MakeAll(config.keeper.specs);
  if (!contestants.ok()) return contestants.status();
  std::vector<std::string> leaders;
  for (const auto& leader : contestants->leaders) leaders.push_back(leader->info().name);
  absl::StatusOr<FindingKeeper> keeper = FindingKeeper::Create(config.keeper);
  if (!keeper.ok()) return keeper.status();
  return keeper->KeepDeath(*program, Attribute(*end, *program, leaders));
}

// True if the program showed a finding.
absl::StatusOr<bool> Replay(const std::string& path, const TargetConfig& config) {
  absl::StatusOr<std::string> text = ReadWhole(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<Program> program = ParseText(*text, {});
  if (!program.ok()) return program.status();
  absl::StatusOr<Contestants> contestants = MakeAll(config.keeper.specs);
  if (!contestants.ok()) return contestants.status();
  absl::StatusOr<Demands> demands = DemandsOf(*contestants);
  if (!demands.ok()) return demands.status();
  MakeSuit(*demands, kMaxOps, &*program);
  IsolateLimits limits;
  limits.time_ms = config.keeper.child_ms;
  absl::StatusOr<IsolatedOutcome> outcome =
      RunIsolated(*program, config.keeper.specs, MakeAll, RunOptions::Thorough(), limits);
  if (!outcome.ok()) return outcome.status();
  if (outcome->ok()) return false;
  absl::StatusOr<FindingKeeper> keeper = FindingKeeper::Create(config.keeper);
  if (!keeper.ok()) return keeper.status();
  absl::StatusOr<KeptFinding> kept = keeper->KeepDeath(*program, *outcome);
  if (!kept.ok()) return kept.status();
  std::fprintf(stderr, "%s%s\n", kFindingLine, KeptFindingJson(*kept).c_str());
  return true;
}

}  // namespace

int ReplayFile(const std::string& path, const TargetConfig& config) {
  absl::StatusOr<bool> found = Replay(path, config);
  if (found.ok()) return *found ? 1 : 0;
  std::fprintf(stderr, "mmdiff: %s: %s\n", path.c_str(), found.status().ToString().c_str());
  return 3;
}

int KeepDeathFromDirectory(const std::string& directory, const TargetConfig& config) {
  absl::StatusOr<KeptFinding> kept = KeepDeath(directory, config);
  if (!kept.ok()) {
    std::fprintf(stderr, "mmdiff: the death in %s could not be kept: %s\n", directory.c_str(),
                 kept.status().ToString().c_str());
    return 3;
  }
  std::ofstream(directory + "/kept.json") << KeptFindingJson(*kept) << "\n";
  return 0;
}

}  // namespace mmdiff
