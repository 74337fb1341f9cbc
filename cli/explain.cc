// explain: why a program ends as it does, in words or as JSON.
#include "harness/explain.h"

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/carried_programs.h"
#include "cli/isolated_program.h"
#include "cli/program_files.h"
#include "cli/verb.h"
#include "harness/registry.h"
#include "targets/finding_keeper.h"

namespace mmdiff {

absl::StatusOr<Exit> Verb_explain(const Options& options) {
  absl::StatusOr<NamedProgram> named = ReadProgramFor(options.flag_impl, options.words[0]);
  if (!named.ok()) return named.status();
  // What is safe to be run here is confirmed when it is explained.
  absl::StatusOr<Observed> observed = Observe(named->program, options.flag_impl, false);
  if (!observed.ok()) return observed.status();
  const IsolatedOutcome* outcome = &observed->outcome;
  std::string text;
  if (!SafeInProcess(*outcome)) {
    text = options.flag_json ? DeathReportJson(named->program, *outcome) + "\n"
                             : DeathReport(named->program, *outcome);
  } else {
    ExplainOptions explain;
    explain.lockstep = observed->lockstep.get();
    explain.max_runs = static_cast<uint32_t>(options.flag_explain_runs);
    absl::StatusOr<Explanation> explanation =
        Explain(named->program, options.flag_impl, MakeAll, explain);
    if (!explanation.ok()) return explanation.status();
    text = options.flag_json ? ExplanationJson(*explanation) + "\n" : ExplanationText(*explanation);
  }
  if (absl::Status s = WriteOutput(options.flag_output, text); !s.ok()) return s;
  return outcome->ok() ? Exit::kOk : Exit::kDivergence;
}

}  // namespace mmdiff
