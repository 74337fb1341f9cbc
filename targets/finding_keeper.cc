#include "targets/finding_keeper.h"

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "harness/explain.h"
#include "harness/registry.h"
#include "minimize/predicates.h"
#include "minimize/reducer.h"
#include "nlohmann/json.hpp"
#include "program/text.h"
#include "targets/build_info.h"
#include "targets/stop_after.h"

namespace mmdiff {
namespace {

std::vector<std::string> SwitchesOff(const std::vector<std::string>& specs) {
  std::vector<std::string> off;
  for (const std::string& spec : specs) {
    if (spec.find(':') != std::string::npos) off.push_back(spec);
  }
  return off;
}

}  // namespace

std::string DeathReport(const Program& program, const IsolatedOutcome& outcome) {
  std::string text = absl::StrCat(IsolatedKindName(outcome.kind), ": ", outcome.detail, "\n");
  if (!outcome.impl.empty()) absl::StrAppend(&text, "implementation: ", outcome.impl, "\n");
  if (outcome.op < program.ops.size()) {
    absl::StrAppend(&text, "operation ", outcome.op, ": ", PrintOpAt(program, outcome.op), "\n");
  } else {
    text += "between operations: at the reset, in a comparison or at the end\n";
  }
  absl::StrAppend(&text, "\n", PrintText(program));
  if (!outcome.output.empty()) {
    absl::StrAppend(&text, "\nlast output:\n", outcome.output, "\n");
  }
  return text;
}

std::string DeathReportJson(const Program& program, const IsolatedOutcome& outcome) {
  nlohmann::ordered_json json;
  json["outcome"] = IsolatedKindName(outcome.kind);
  json["signature"] = outcome.signature.FileName();
  json["detail"] = outcome.detail;
  json["implementation"] = outcome.impl;
  if (outcome.op < program.ops.size()) {
    json["op_index"] = outcome.op;
    json["op"] = PrintOpAt(program, outcome.op);
  }
  json["program"] = PrintText(program);
  json["output"] = outcome.output;
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

RunOutcome RunThoroughly(Lockstep& lockstep, const Program& program, RunResult* result) {
  return lockstep.Run(program, RunOptions::Thorough(), result);
}

FindingKeeper::FindingKeeper(KeeperOptions options, FindingStore store,
                             std::unique_ptr<Lockstep> lockstep)
    : options_(std::move(options)), store_(std::move(store)), lockstep_(std::move(lockstep)) {}

absl::StatusOr<FindingKeeper> FindingKeeper::Create(const KeeperOptions& options) {
  absl::StatusOr<Contestants> contestants = MakeAll(options.specs);
  if (!contestants.ok()) return contestants.status();
  absl::StatusOr<FindingStore> store = FindingStore::Open(options.findings_dir, {});
  if (!store.ok()) return store.status();
  return FindingKeeper(options, *std::move(store),
                       std::make_unique<Lockstep>(*std::move(contestants)));
}

Finding FindingKeeper::BlankFinding(const Program& program, const Signature& signature,
                                    std::string kind) const {
  Finding finding;
  finding.signature = signature;
  finding.kind = std::move(kind);
  finding.original = program;
  finding.original.expectations.clear();
  finding.repro = finding.original;
  absl::StatusOr<std::vector<std::string>> specs = SplitSpecs(options_.specs);
  if (specs.ok()) {
    finding.implementations = *specs;
    finding.switches = SwitchesOff(*specs);
  }
  finding.build = BuildInfo();
  finding.seed = options_.seed;
  return finding;
}

absl::StatusOr<KeptFinding> FindingKeeper::Save(const Finding& finding, std::string message) {
  absl::StatusOr<SaveOutcome> saved = store_.Save(finding);
  if (!saved.ok()) return saved.status();
  KeptFinding kept;
  kept.signature = finding.signature.FileName();
  kept.kind = finding.kind;
  kept.path = saved->path;
  kept.message = std::move(message);
  kept.ops = finding.repro.ops.size();
  kept.original_ops = finding.original.ops.size();
  kept.is_new = saved->kind == SaveOutcome::Kind::kNew;
  kept.repeats = finding.repeats;
  kept.warning = saved->warning;
  return kept;
}

Signature FindingKeeper::Unoccupied(const Signature& signature, bool* known) {
  constexpr int kMaxGenerations = 16;
  Signature free = signature;
  *known = false;
  for (int i = 0; i < kMaxGenerations && !*known; ++i) {
    absl::StatusOr<Finding> stored = store_.Load(free.FileName());
    if (!stored.ok()) return free;
    RunResult result;
    *known = RunThoroughly(*lockstep_, stored->repro, &result) != RunOutcome::ok &&
             SignatureOf(result) == signature;
    if (!*known) ++free.hash;
  }
  return free;
}

absl::StatusOr<KeptFinding> FindingKeeper::KeepDivergence(
    const Program& program, const RunResult& result,
    const std::map<std::string, uint64_t>& counts) {
  // A thorough run finds the first operation that goes wrong; the fast one may have seen it later.
  RunResult thorough;
  const bool again = RunThoroughly(*lockstep_, program, &thorough) != RunOutcome::ok;
  const RunResult& shown = again ? thorough : result;
  const Signature signature = SignatureOf(shown);
  bool known = false;
  Finding finding =
      BlankFinding(program, Unoccupied(signature, &known), RunOutcomeName(shown.outcome));
  finding.counts = counts;
  finding.console = shown.divergence.log;
  finding.repeats = shown.divergence.repeats;
  absl::StatusOr<KeptFinding> raw = Save(finding, shown.message);
  if (raw.ok() && known) {
    absl::StatusOr<Finding> stored = store_.Load(finding.signature.FileName());
    if (stored.ok()) raw->ops = stored->repro.ops.size();
  }
  if (!raw.ok() || !again || !options_.minimise || known) return raw;

  ReduceOptions reduce;
  reduce.stop = StopAfter(options_.minimise_seconds);
  const ReduceResult reduced =
      Reduce(finding.original,
             DivergencePredicate(lockstep_.get(), signature, RunOptions::Thorough()), reduce);
  if (!reduced.reproduced) return raw;
  finding.repro = reduced.program;
  finding.minimised = true;
  finding.counts["reducer_runs"] = reduced.runs;

  std::string message = shown.message;
  absl::StatusOr<Explanation> explanation =
      Explain(finding.repro, options_.specs, MakeAll, {.lockstep = lockstep_.get()});
  if (explanation.ok()) {
    finding.report_text = ExplanationText(*explanation);
    finding.report_json = ExplanationJson(*explanation);
    const Divergence& d = explanation->result.divergence;
    if (!d.log.empty()) finding.console = d.log;
    if (d.repeats.of != 0) finding.repeats = d.repeats;
    if (!explanation->result.message.empty()) message = explanation->result.message;
  }
  absl::StatusOr<KeptFinding> kept = Save(finding, message);
  if (!kept.ok()) return kept;
  kept->is_new = raw->is_new;
  kept->runs = reduced.runs;
  return kept;
}

absl::StatusOr<KeptFinding> FindingKeeper::KeepRawDeath(const Program& program,
                                                        const IsolatedOutcome& outcome) {
  Finding finding = BlankFinding(program, outcome.signature, IsolatedKindName(outcome.kind));
  finding.report_text = DeathReport(program, outcome);
  finding.report_json = DeathReportJson(program, outcome);
  return Save(finding, outcome.detail);
}

absl::StatusOr<KeptFinding> FindingKeeper::KeepDeath(const Program& program,
                                                     const IsolatedOutcome& outcome) {
  IsolateLimits limits;
  limits.time_ms = options_.child_ms;
  const RunOptions run = RunOptions::Thorough();
  absl::StatusOr<IsolatedOutcome> again =
      RunIsolated(program, options_.specs, MakeAll, run, limits);
  if (!again.ok()) return again.status();
  const IsolatedOutcome& shown = again->ok() ? outcome : *again;
  absl::StatusOr<KeptFinding> raw = KeepRawDeath(program, shown);
  // What does not happen again alone is kept as it is.
  if (!raw.ok() || again->ok() || !options_.minimise) return raw;

  ReduceOptions reduce;
  reduce.stop = StopAfter(options_.minimise_seconds);
  const ReduceResult reduced = Reduce(
      program, ChildPredicate(options_.specs, MakeAll, shown.signature, run, limits), reduce);
  if (!reduced.reproduced) return raw;
  absl::StatusOr<IsolatedOutcome> last =
      RunIsolated(reduced.program, options_.specs, MakeAll, run, limits);
  const IsolatedOutcome& reported = last.ok() && !last->ok() ? *last : shown;
  Finding finding = BlankFinding(program, shown.signature, IsolatedKindName(shown.kind));
  finding.repro = reduced.program;
  finding.minimised = true;
  finding.counts["reducer_runs"] = reduced.runs;
  finding.report_text = DeathReport(reduced.program, reported);
  finding.report_json = DeathReportJson(reduced.program, reported);
  absl::StatusOr<KeptFinding> kept = Save(finding, reported.detail);
  if (!kept.ok()) return kept;
  kept->is_new = raw->is_new;
  kept->runs = reduced.runs;
  return kept;
}

}  // namespace mmdiff
