#include <map>
#include <utility>
#include <vector>

#include "minimize/passes.h"
#include "program/arg_kinds.h"

namespace mmdiff {
namespace {

bool ShrinkTogether(Search* search, ArgKind kind, uint32_t value) {
  std::vector<uint32_t> smaller;
  ShrinkArg(kind, value, search->best().world, &smaller);
  for (const uint32_t to : smaller) {
    Program candidate = search->best();
    for (Op& op : candidate.ops) {
      const OpDesc& desc = DescOf(op.code);
      for (size_t i = 0; i < desc.nargs; ++i) {
        if (desc.args[i].kind == kind && op.arg[i] == value) op.arg[i] = to;
      }
    }
    if (search->Try(std::move(candidate))) return true;
  }
  return false;
}

// Values that stand in more than one place often have to stay equal, and shrink only together.
bool ShrinkEqualValues(Search* search) {
  std::map<std::pair<ArgKind, uint32_t>, size_t> uses;
  for (const Op& op : search->best().ops) {
    const OpDesc& desc = DescOf(op.code);
    for (size_t i = 0; i < desc.nargs; ++i) {
      if (!IsHandle(desc.args[i].kind)) ++uses[{desc.args[i].kind, op.arg[i]}];
    }
  }
  bool accepted = false;
  for (const auto& [use, count] : uses) {
    if (search->done()) break;
    if (count > 1) accepted |= ShrinkTogether(search, use.first, use.second);
  }
  return accepted;
}

// Lowers one argument as far as it goes. Fix-up may drop or change operations, so both are looked
// up anew.
bool ShrinkOne(Search* search, size_t op, size_t arg) {
  bool accepted = false;
  std::vector<uint32_t> smaller;
  for (bool again = true; again && !search->done();) {
    again = false;
    if (op >= search->size() || arg >= DescOf(search->best().ops[op].code).nargs) break;
    const ArgKind kind = DescOf(search->best().ops[op].code).args[arg].kind;
    ShrinkArg(kind, search->best().ops[op].arg[arg], search->best().world, &smaller);
    for (const uint32_t to : smaller) {
      Program candidate = search->best();
      candidate.ops[op].arg[arg] = to;
      if (!search->Try(std::move(candidate))) continue;
      accepted = again = true;
      break;
    }
  }
  return accepted;
}

}  // namespace

bool ShrinkArgs(Search* search) {
  bool accepted = ShrinkEqualValues(search);
  for (size_t op = search->size(); op-- > 0 && !search->done();) {
    for (size_t arg = 0; arg < kMaxArgs; ++arg) accepted |= ShrinkOne(search, op, arg);
  }
  return accepted;
}

}  // namespace mmdiff
