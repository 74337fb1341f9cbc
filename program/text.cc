#include "program/text.h"

#include <algorithm>
#include <vector>

#include "program/arg_kinds.h"
#include "program/errno.h"
#include "program/nearest_word.h"
#include "program/words.h"
#include "program/world.h"

namespace mmdiff {
namespace {

constexpr std::string_view kArrow = "=>";

// Number of arguments that the canonical text shows: those at the end that are default are left
// out.
size_t ShownArgs(const Op& op, const OpDesc& desc) {
  size_t shown = desc.nargs;
  while (shown > 0) {
    const ArgKindDesc& kind = DescOf(desc.args[shown - 1].kind);
    if (!kind.has_default || op.arg[shown - 1] != kind.default_value) break;
    --shown;
  }
  return shown;
}

void AppendOp(const Op& op, uint32_t result_handle, std::string* out) {
  const OpDesc& desc = DescOf(op.code);
  if (desc.result != ArgKind::kNone) {
    PrintArg(desc.result, result_handle, out);
    *out += " = ";
  }
  *out += desc.name;
  const size_t shown = ShownArgs(op, desc);
  for (size_t a = 0; a < shown; ++a) {
    *out += ' ';
    PrintArg(desc.args[a].kind, op.arg[a], out);
  }
  if (op.cpu != 0) Append(out, " @cpu", static_cast<uint32_t>(op.cpu));
  if (op.thread != 0) Append(out, " @t", static_cast<uint32_t>(op.thread));
}

}  // namespace

std::string PrintText(const Program& program) {
  std::string out = "# mmdiff 1\n";
  out.reserve(64 + program.ops.size() * 32);
  Append(&out, PrintWorld(program.world), "\n");
  HandleCounts bound;
  size_t e = 0;
  const std::vector<Expectation>& expectations = program.expectations;
  for (size_t i = 0; i < program.ops.size(); ++i) {
    AppendOp(program.ops[i], bound.Add(program.ops[i]), &out);
    const bool has_result =
        e < expectations.size() && expectations[e].op_index == i && expectations[e].text[0] == '=';
    if (has_result) Append(&out, " # ", expectations[e++].text);
    out += '\n';
    for (; e < expectations.size() && expectations[e].op_index == i; ++e) {
      Append(&out, "#", expectations[e].text, "\n");
    }
  }
  return out;
}

std::string PrintOp(const Op& op, uint32_t result_handle) {
  std::string out;
  AppendOp(op, result_handle, &out);
  return out;
}

std::string PrintOpAt(const Program& program, size_t index) {
  HandleCounts bound = HandleCounts::Of(program, index);
  return PrintOp(program.ops[index], bound.Add(program.ops[index]));
}

bool ParseResultText(std::string_view text, int32_t* err, bool* has_value, uint32_t* value) {
  if (TakeWord(&text) != kArrow) return false;
  const std::string_view name = TakeWord(&text);
  *err = name == "ok" ? 0 : ErrnoOfName(name);
  if (*err == 0 && name != "ok") return false;
  const std::string_view number = TakeWord(&text);
  *value = 0;
  *has_value = !number.empty();
  if (*has_value && !ReadNumber(number, value)) return false;
  return TakeWord(&text).empty();
}

std::string ResultText(int32_t err, uint32_t value) {
  std::string text = Concat("=> ", ErrnoText(err));
  if (value != 0) Append(&text, " ", value);
  return text;
}

absl::StatusOr<std::string> CanonicalResult(std::string_view text) {
  int32_t err = 0;
  bool has_value = false;
  uint32_t value = 0;
  if (ParseResultText(text, &err, &has_value, &value)) {
    std::string canonical = ResultText(err, 0);
    if (has_value) Append(&canonical, " ", value);
    return canonical;
  }
  TakeWord(&text);
  const std::string_view name = TakeWord(&text);
  std::string hint;
  if (name != "ok" && ErrnoOfName(name) == 0) {
    std::vector<std::string_view> known = {"ok"};
    for (const ErrnoName& e : AllErrnos()) known.push_back(e.name);
    hint = DidYouMean(name, known);
  }
  return Invalid("expected '=> ok' or '=> ENOMEM', and then perhaps a number", hint);
}

}  // namespace mmdiff
