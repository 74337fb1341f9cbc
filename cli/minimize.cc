// minimize: the simplest program with the same finding.
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/carried_programs.h"
#include "cli/isolated_program.h"
#include "cli/program_files.h"
#include "cli/verb.h"
#include "harness/registry.h"
#include "harness/repro.h"
#include "minimize/predicates.h"
#include "minimize/reducer.h"
#include "nlohmann/json.hpp"
#include "targets/stop_after.h"

namespace mmdiff {
namespace {

ReduceResult ReduceAs(const Program& program, const Observed& observed, const Options& options) {
  const IsolatedOutcome& outcome = observed.outcome;
  ReduceOptions reduce;
  reduce.max_runs = options.flag_max_runs;
  reduce.stop = StopAfter(options.flag_minimise_time);
  if (!SafeInProcess(outcome)) {
    return Reduce(program,
                  ChildPredicate(observed.lockstep.get(), outcome.signature, RunOptions::Thorough(),
                                 ObserveLimits(options.flag_impl)),
                  reduce);
  }
  return Reduce(
      program,
      DivergencePredicate(observed.lockstep.get(), outcome.signature, RunOptions::Thorough()),
      reduce);
}

std::string PassTable(const ReduceResult& reduced) {
  std::string text = absl::StrFormat("%-24s %7s %8s %8s %9s %8s\n", "pass", "rounds", "tries",
                                     "runs", "accepted", "removed");
  for (const PassStats& pass : reduced.passes) {
    absl::StrAppendFormat(&text, "%-24s %7d %8d %8d %9d %8d\n", pass.name, pass.rounds, pass.tries,
                          pass.runs, pass.accepted, pass.ops_removed);
  }
  return text;
}

}  // namespace

absl::StatusOr<Exit> Verb_minimize(const Options& options) {
  absl::StatusOr<NamedProgram> named = ReadProgramFor(options.flag_impl, options.words[0]);
  if (!named.ok()) return named.status();
  absl::StatusOr<Observed> observed = Observe(named->program, options.flag_impl);
  if (!observed.ok()) return observed.status();
  const IsolatedOutcome* outcome = &observed->outcome;
  if (outcome->ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(named->name, " shows no finding on ", options.flag_impl,
                     "; nothing to minimise. Name others with --impl."));
  }
  const ReduceResult reduced = ReduceAs(named->program, *observed, options);
  if (!reduced.reproduced) {
    return absl::InternalError(
        absl::StrCat("the finding ", outcome->signature.text, " did not happen a second time"));
  }
  ReproInfo info;
  info.specs = options.flag_impl;
  info.signature = outcome->signature.FileName();
  info.summary = outcome->detail;
  const std::string text = ToText(reduced.program, info);
  if (options.flag_json) {
    nlohmann::ordered_json json;
    json["signature"] = info.signature;
    json["kind"] = IsolatedKindName(outcome->kind);
    json["message"] = outcome->detail;
    if (outcome->repeats.of != 0) {
      json["repeated"] = {{"same", outcome->repeats.same}, {"of", outcome->repeats.of}};
    }
    json["original_operations"] = named->program.ops.size();
    json["operations"] = reduced.program.ops.size();
    json["runs"] = reduced.runs;
    json["rounds"] = reduced.rounds;
    json["exhausted"] = reduced.exhausted;
    json["passes"] = nlohmann::ordered_json::array();
    for (const PassStats& pass : reduced.passes) {
      json["passes"].push_back({{"name", pass.name},
                                {"rounds", pass.rounds},
                                {"tries", pass.tries},
                                {"runs", pass.runs},
                                {"accepted", pass.accepted},
                                {"operations_removed", pass.ops_removed}});
    }
    json["text"] = text;
    if (!options.flag_output.empty()) {
      if (absl::Status s = WriteText(options.flag_output, text); !s.ok()) return s;
      json["output"] = options.flag_output;
    }
    std::puts(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return Exit::kOk;
  }
  if (absl::Status s = WriteOutput(options.flag_output, text); !s.ok()) return s;
  std::fprintf(
      stderr, "%s\n%zu -> %zu operations in %llu runs%s\n%s", info.signature.c_str(),
      named->program.ops.size(), reduced.program.ops.size(),
      static_cast<unsigned long long>(reduced.runs),
      reduced.exhausted ? " (budget used up: give more --minimise-time or --max-runs)" : "",
      PassTable(reduced).c_str());
  return Exit::kOk;
}

}  // namespace mmdiff
