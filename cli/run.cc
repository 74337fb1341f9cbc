// run: programs in lockstep, thoroughly, with the expectations of their text. A program that
// crashes an implementation is a finding like any other: everything runs in a child process.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "cli/carried_programs.h"
#include "cli/verb.h"
#include "harness/isolate.h"
#include "harness/registry.h"
#include "harness/signature.h"
#include "harness/trace.h"
#include "nlohmann/json.hpp"

namespace mmdiff {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint32_t kBatchMs = 600000;
constexpr uint32_t kProgramMs = 20000;

RunOptions RunOptionsOf(const Options& options) {
  RunOptions run = options.flag_fast ? RunOptions() : RunOptions::Thorough();
  run.check_expectations = true;
  return run;
}

void AddRepeats(const Repeats& repeats, Json* json) {
  if (repeats.of != 0) (*json)["repeated"] = {{"same", repeats.same}, {"of", repeats.of}};
}

Json RunOne(Lockstep& lockstep, const NamedProgram& named, const Options& options) {
  RunOptions run = RunOptionsOf(options);
  Trace trace(options.flag_trace);
  if (options.flag_trace) run.observer = &trace;
  RunResult result;
  const std::array<uint64_t, kChoiceKinds> before = lockstep.ChoiceUses();
  const RunOutcome outcome = lockstep.Run(named.program, run, &result);
  const std::array<uint64_t, kChoiceKinds> after = lockstep.ChoiceUses();
  Json json;
  json["program"] = named.name;
  json["outcome"] = RunOutcomeName(outcome);
  json["operations"] = result.ops_run;
  json["effective"] = result.ops_with_effect;
  json["unsupported"] = result.ops_unsupported;
  Json& choices = json["choices"] = Json::object();
  for (size_t kind = 0; kind < kChoiceKinds; ++kind) {
    if (after[kind] != before[kind]) {
      choices[ChoiceName(static_cast<ChoiceKind>(kind))] = after[kind] - before[kind];
    }
  }
  if (outcome != RunOutcome::ok) {
    json["message"] = result.message;
    json["op_index"] = result.op_index;
    json["signature"] = SignatureOf(result).FileName();
    AddRepeats(result.divergence.repeats, &json);
  }
  if (options.flag_trace) {
    json["trace"] = trace.text();
    json["trace_digest"] = absl::StrFormat("%016x", trace.digest());
  }
  return json;
}

// All programs, dealt to threads; results in the order of the programs.
absl::StatusOr<Json> RunAll(const std::vector<NamedProgram>& programs, const Options& options) {
  const size_t wanted = options.flag_jobs != 0 ? options.flag_jobs
                                               : std::max(1u, std::thread::hardware_concurrency());
  const size_t jobs = std::max<size_t>(1, std::min(wanted, programs.size() / 64));
  std::vector<std::unique_ptr<Lockstep>> locksteps;
  for (size_t job = 0; job < jobs; ++job) {
    absl::StatusOr<Contestants> contestants = MakeAll(options.flag_impl);
    if (!contestants.ok()) return contestants.status();
    locksteps.push_back(std::make_unique<Lockstep>(*std::move(contestants)));
  }
  std::vector<Json> results(programs.size());
  const auto work = [&](size_t job) {
    for (size_t i = job; i < programs.size(); i += jobs) {
      results[i] = RunOne(*locksteps[job], programs[i], options);
    }
  };
  std::vector<std::thread> threads;
  for (size_t job = 1; job < jobs; ++job) threads.emplace_back(work, job);
  work(0);
  for (std::thread& thread : threads) thread.join();
  return Json(results);
}

// One program in a child of its own: for those that die.
absl::StatusOr<Json> RunAlone(Lockstep& lockstep, const NamedProgram& named,
                              const Options& options) {
  IsolateLimits limits;
  limits.time_ms = kProgramMs + StartupMs(options.flag_impl);
  absl::StatusOr<IsolatedOutcome> outcome =
      RunIsolated(named.program, lockstep, RunOptionsOf(options), limits);
  if (!outcome.ok()) return outcome.status();
  Json json;
  json["program"] = named.name;
  json["outcome"] = IsolatedKindName(outcome->kind);
  json["operations"] = named.program.ops.size();
  if (!outcome->ok()) {
    json["message"] = outcome->detail;
    if (outcome->op != RunProgress::kIdle) json["op_index"] = outcome->op;
    json["signature"] = outcome->signature.FileName();
    AddRepeats(outcome->repeats, &json);
    if (!outcome->impl.empty()) json["implementation"] = outcome->impl;
  }
  return json;
}

absl::StatusOr<Json> RunSafely(const std::vector<NamedProgram>& programs, const Options& options) {
  if (!options.flag_isolate) {
    IsolateLimits limits;
    limits.time_ms = kBatchMs + StartupMs(options.flag_impl);
    absl::StatusOr<ChildEnd> end = RunInChild(
        [&](Beacon&) {
          absl::StatusOr<Json> results = RunAll(programs, options);
          return results.ok() ? results->dump(-1, ' ', false, Json::error_handler_t::replace)
                              : std::string();
        },
        limits);
    if (!end.ok()) return end.status();
    if (end->kind == ChildEnd::Kind::kReturned) {
      Json results = Json::parse(end->answer, nullptr, false);
      if (results.is_array()) return results;
    }
  }
  // Each child has a copy of these that nothing has run on yet.
  absl::StatusOr<Contestants> contestants = MakeAll(options.flag_impl);
  if (!contestants.ok()) return contestants.status();
  Lockstep lockstep(*std::move(contestants));
  Json results = Json::array();
  for (const NamedProgram& named : programs) {
    absl::StatusOr<Json> result = RunAlone(lockstep, named, options);
    if (!result.ok()) return result.status();
    results.push_back(*std::move(result));
  }
  return results;
}

void Print(const Json& results, const Json& summary) {
  for (const Json& r : results) {
    if (r.contains("trace")) std::fputs(r["trace"].get<std::string>().c_str(), stdout);
    const std::string outcome = r["outcome"];
    if (outcome == "ok") continue;
    std::printf("%s: %s at operation %d\n  %s\n  %s\n", r["program"].get<std::string>().c_str(),
                outcome.c_str(), r.value("op_index", -1), r.value("message", "").c_str(),
                r.value("signature", "").c_str());
    if (r.contains("repeated")) {
      const Repeats repeats{r["repeated"]["same"], r["repeated"]["of"]};
      std::printf("  %s\n", repeats.Text().c_str());
    }
  }
  std::printf("%d programs, %d operations: %d agree, %d do not\n", summary["programs"].get<int>(),
              summary["operations"].get<int>(), summary["ok"].get<int>(),
              summary["failed"].get<int>());
}

}  // namespace

absl::StatusOr<Exit> Verb_run(const Options& options) {
  absl::StatusOr<std::vector<NamedProgram>> programs =
      ReadProgramsFor(options.flag_impl, options.words);
  if (!programs.ok()) return programs.status();
  absl::StatusOr<Json> results = RunSafely(*programs, options);
  if (!results.ok()) return results.status();
  Json summary;
  uint64_t operations = 0;
  uint64_t ok = 0;
  bool fault = false;
  for (const Json& r : *results) {
    operations += r.value("operations", uint64_t{0});
    ok += r["outcome"] == "ok" ? 1 : 0;
    fault = fault || r["outcome"] == "harness_fault";
  }
  summary["programs"] = results->size();
  summary["operations"] = operations;
  summary["ok"] = ok;
  summary["failed"] = results->size() - ok;
  if (options.flag_json) {
    summary["results"] = *results;
    std::puts(summary.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    Print(*results, summary);
  }
  if (fault) return Exit::kFault;
  return ok == results->size() ? Exit::kOk : Exit::kDivergence;
}

}  // namespace mmdiff
