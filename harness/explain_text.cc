// The report for people.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "harness/explain.h"
#include "harness/handle_labels.h"
#include "harness/trace.h"
#include "state/diff.h"

namespace mmdiff {
namespace {

constexpr size_t kFieldsShown = 16;
constexpr size_t kLogLinesShown = 80;

std::string PartitionText(const Divergence& d) {
  std::vector<std::string> groups;
  for (const auto& group : d.partition) {
    if (!group.empty()) groups.push_back(absl::StrCat("{", absl::StrJoin(group, ", "), "}"));
  }
  return absl::StrJoin(groups, " against ");
}

void AppendProgram(const Explanation& e, std::string* out) {
  absl::StrAppend(out, "\nProgram (> marks the operation where it shows)\n");
  HandleLabels labels;
  for (size_t i = 0; i < e.program.ops.size(); ++i) {
    absl::StrAppend(out, i == e.result.op_index ? "  > " : "    ", i, "  ",
                    labels.Print(e.program.ops[i]), "\n");
  }
}

void AppendDifference(const Divergence& d, std::string* out) {
  absl::StrAppend(out, "\nWhat each answered\n");
  for (const NamedResult& r : d.results) {
    absl::StrAppend(out, "    ", r.name, ": ", ResultText(r.result), "\n");
  }
  if (d.compare.diffs.empty()) return;
  CompareResult shown;
  for (size_t i = 0; i < d.compare.diffs.size() && i < kFieldsShown; ++i) {
    shown.diffs.push_back(d.compare.diffs[i]);
  }
  shown.more = d.compare.diffs.size() - shown.diffs.size() + d.compare.more;
  absl::StrAppend(out, "\nWhere they differ\n", RenderFieldDiffs(shown, d.name_a, d.name_b));
}

void AppendSlice(const Explanation& e, std::string* out) {
  if (e.slice.empty()) return;
  const Divergence& d = e.result.divergence;
  absl::StrAppend(out, "\nOperations that changed ", e.object, "\n");
  for (const SliceStep& s : e.slice) {
    absl::StrAppend(out, "    ", s.op_index, "  ", s.op, "\n");
    if (s.after_a == s.after_b) {
      absl::StrAppend(out, "        both: ", s.after_a, "\n");
    } else {
      absl::StrAppend(out, "        ", d.name_a, ": ", s.after_a, "\n");
      absl::StrAppend(out, "        ", d.name_b, ": ", s.after_b, "\n");
    }
  }
}

void AppendSwitches(const Explanation& e, std::string* out) {
  if (e.switches.empty()) return;
  bool any = false;
  absl::StrAppend(out, "\nOptimisations without which it goes away\n");
  for (const SwitchVerdict& v : e.switches) {
    if (!v.goes_away) continue;
    any = true;
    absl::StrAppend(out, "    ", v.was_on ? "-" : "+", v.name, " gives ", v.instead, "\n");
  }
  if (!any) {
    absl::StrAppend(out, "    none of ", e.switches.size(), ": it is in what all of them share\n");
  }
}

void AppendArguments(const Explanation& e, std::string* out) {
  std::vector<std::string> matter, do_not;
  for (const ArgumentVerdict& v : e.arguments) {
    const std::string head = absl::StrCat("    op ", v.op_index, " ", v.name, " ", v.value);
    if (!v.matters) {
      do_not.push_back(
          absl::StrCat(head, ", or any other (tried ", absl::StrJoin(v.same, ", "), ")"));
    } else if (v.same.empty()) {
      matter.push_back(
          absl::StrCat(head, ", and no other (tried ", absl::StrJoin(v.different, ", "), ")"));
    } else {
      matter.push_back(absl::StrCat(head, "; also ", absl::StrJoin(v.same, ", "), "; not ",
                                    absl::StrJoin(v.different, ", ")));
    }
  }
  if (!matter.empty()) {
    absl::StrAppend(out, "\nArguments that matter\n", absl::StrJoin(matter, "\n"), "\n");
  }
  if (!do_not.empty()) {
    absl::StrAppend(out, "\nArguments that do not matter\n", absl::StrJoin(do_not, "\n"), "\n");
  }
}

// The end says what happened; the whole is kept with the finding.
void AppendLog(const Divergence& d, std::string* out) {
  if (d.log.empty()) return;
  const std::vector<std::string> lines =
      absl::StrSplit(absl::StripTrailingAsciiWhitespace(d.log), '\n');
  absl::StrAppend(out, "\nWhat ", d.name_b, " said\n");
  const size_t left_out = lines.size() - std::min(lines.size(), kLogLinesShown);
  if (left_out != 0) absl::StrAppend(out, "    (", left_out, " lines before)\n");
  for (size_t i = left_out; i < lines.size(); ++i) absl::StrAppend(out, "    ", lines[i], "\n");
}

}  // namespace

std::string ExplanationText(const Explanation& e) {
  if (e.outcome == RunOutcome::ok)
    return "All implementations agree; there is nothing to explain.\n";
  std::string out = absl::StrCat(RunOutcomeName(e.outcome), ": ", e.result.message, "\n",
                                 "Signature: ", e.signature.text, "\n");
  if (const std::string repeats = e.result.divergence.repeats.Text(); !repeats.empty()) {
    absl::StrAppend(&out, "Repeated: ", repeats, "\n");
  }
  if (e.outcome == RunOutcome::divergence) {
    absl::StrAppend(&out, "Who agrees: ", PartitionText(e.result.divergence), "\n");
    const RelationInfo* relation = FindRelation(e.result.divergence.relation);
    if (relation != nullptr) {
      absl::StrAppend(&out, "Relation broken: ", relation->name, " (",
                      RelationKindText(relation->kind), ")\n");
    }
  }
  AppendProgram(e, &out);
  if (e.outcome != RunOutcome::divergence && e.outcome != RunOutcome::invariant) return out;
  AppendDifference(e.result.divergence, &out);
  AppendLog(e.result.divergence, &out);
  AppendSlice(e, &out);
  if (!e.choices.empty()) {
    absl::StrAppend(&out, "\nChoices that ", e.result.divergence.name_b,
                    " took in this operation\n    ", absl::StrJoin(e.choices, "\n    "), "\n");
  }
  AppendSwitches(e, &out);
  AppendArguments(e, &out);
  if (!e.complete) {
    absl::StrAppend(&out, "\nNot everything was tried: the limit of ", e.runs,
                    " runs was reached.\n");
  }
  return out;
}

}  // namespace mmdiff
