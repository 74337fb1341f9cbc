#include "harness/repro_check.h"

#include <cstring>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "harness/repro.h"
#include "program/words.h"

namespace mmdiff {
namespace {

constexpr std::string_view kAnswer = "  => ";

// The answers by operation, each the text after "=> ".
std::map<uint32_t, std::string> ReadAnswers(std::string_view printed) {
  std::map<uint32_t, std::string> answers;
  bool in_op = false;
  uint32_t op = 0;
  while (!printed.empty()) {
    const std::string_view line = TakePart(&printed, '\n');
    if (line.starts_with(kAnswer)) {
      if (in_op) answers.emplace(op, line.substr(kAnswer.size()));
      in_op = false;
      continue;
    }
    std::string_view rest = line;
    uint32_t number = 0;
    if (ReadNumber(TakePart(&rest, ' '), &number)) {
      op = number;
      in_op = true;
    }
  }
  return answers;
}

// Whether the C program counts what the operation did, as the implementations do.
bool CountsPages(Opcode code) {
  return code == Opcode::read || code == Opcode::write || code == Opcode::migrate;
}

// As print_result of repro_runtime.cc has it.
std::string Expected(const Op& op, const OpResult& r) {
  std::string text = r.err == 0 ? "ok" : std::strerror(r.err);
  if (CountsPages(op.code) && !r.value_unknown && r.value != 0)
    absl::StrAppend(&text, " ", r.value);
  if (r.data != 0) absl::StrAppendFormat(&text, " data=%016x", r.data);
  return text;
}

// move_pages() says of each page where it is, also of those that needed no moving.
bool SaysTheSame(const Op& op, const std::string& expected, const std::string& printed) {
  if (op.code != Opcode::migrate) return expected == printed;
  return (expected.substr(0, 2) == "ok") == (printed.substr(0, 2) == "ok");
}

}  // namespace

void AnswerRecorder::OnStart(Lockstep& /*lockstep*/, const Program& /*program*/) {
  answers_.clear();
}

void AnswerRecorder::OnOp(Lockstep& lockstep, const Program& /*program*/, uint32_t /*op_index*/) {
  answers_.push_back(lockstep.reference(0) != nullptr ? lockstep.reference_result(0)
                                                      : lockstep.leader_result(0));
}

ReproComparison CompareRepro(const Program& program, const std::vector<OpResult>& expected,
                             std::string_view printed) {
  ReproComparison out;
  const std::map<uint32_t, std::string> answers = ReadAnswers(printed);
  for (uint32_t i = 0; i < expected.size() && i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    if (!SyscallFormOf(op.code).has) {
      out.left_out += op.code != Opcode::check ? 1 : 0;
      continue;
    }
    const auto answer = answers.find(i);
    if (answer == answers.end()) {
      ++out.missing;
      continue;
    }
    ++out.compared;
    std::string text = Expected(op, expected[i]);
    if (SaysTheSame(op, text, answer->second)) continue;
    out.differences.push_back({i, std::move(text), answer->second});
  }
  return out;
}

}  // namespace mmdiff
