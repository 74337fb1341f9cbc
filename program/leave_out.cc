#include "program/leave_out.h"

#include <algorithm>
#include <vector>

#include "program/edit.h"
#include "program/words.h"

namespace mmdiff {
namespace {

bool Has(const OpcodeSet& codes, const Op& op) { return codes[static_cast<size_t>(op.code)]; }

}  // namespace

OpcodeSet SetOf(std::initializer_list<Opcode> codes) {
  OpcodeSet set;
  for (Opcode code : codes) set.set(static_cast<size_t>(code));
  return set;
}

std::string OpcodesText(const OpcodeSet& codes) {
  std::string text;
  for (const OpDesc& desc : AllOps()) {
    if (codes[static_cast<size_t>(desc.code)]) Append(&text, text.empty() ? "" : ", ", desc.name);
  }
  return text;
}

OpcodeSet Uses(const Program& program, const OpcodeSet& codes) {
  OpcodeSet used;
  if (codes.none()) return used;
  for (const Op& op : program.ops) {
    if (Has(codes, op)) used.set(static_cast<size_t>(op.code));
  }
  return used;
}

size_t LeaveOut(const OpcodeSet& codes, Program* program) {
  std::vector<Op>& ops = program->ops;
  const auto first =
      std::find_if(ops.begin(), ops.end(), [&](const Op& op) { return Has(codes, op); });
  if (first == ops.end()) return 0;
  const size_t at = static_cast<size_t>(first - ops.begin());
  std::erase_if(program->expectations, [&](const Expectation& e) { return e.op_index >= at; });
  std::vector<bool> keep(ops.size());
  for (size_t i = 0; i < ops.size(); ++i) keep[i] = !Has(codes, ops[i]);
  return RemoveOps(program, keep);
}

bool HasNothingLeft(const Program& program) {
  static const OpcodeSet kMakesOnly = SetOf({Opcode::mm, Opcode::file, Opcode::check});
  return std::all_of(program.ops.begin(), program.ops.end(),
                     [](const Op& op) { return Has(kMakesOnly, op); });
}

}  // namespace mmdiff
