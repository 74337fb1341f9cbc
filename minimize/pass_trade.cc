#include <set>
#include <utility>
#include <vector>

#include "minimize/passes.h"
#include "minimize/ranges.h"
#include "program/arg_kinds.h"
#include "program/edit.h"

namespace mmdiff {
namespace {

constexpr size_t kMaxSize = 12;  // about size^2 * 20 runs: only for programs that are short already

// Values of each argument kind that the program uses, the simplest first.
std::vector<std::set<uint32_t>> ValuesIn(const Program& program) {
  std::vector<std::set<uint32_t>> values(kArgKinds);
  HandleCounts bound;
  for (const Op& op : program.ops) {
    const OpDesc& desc = DescOf(op.code);
    for (size_t i = 0; i < desc.nargs; ++i) {
      values[static_cast<size_t>(desc.args[i].kind)].insert(op.arg[i]);
    }
    const uint32_t id = bound.Add(op);
    if (desc.result != ArgKind::kNone) values[static_cast<size_t>(desc.result)].insert(id);
  }
  return values;
}

// Another value, used elsewhere in the program, for each argument that says what an operation is
// about.
bool TradeForArgument(Search* search, const Program& shorter, size_t at,
                      const std::vector<std::set<uint32_t>>& values) {
  const OpDesc& desc = DescOf(shorter.ops[at].code);
  for (size_t arg = 0; arg < desc.nargs; ++arg) {
    const ArgKind kind = desc.args[arg].kind;
    if (!IsHandle(kind) && kind != ArgKind::kVpn && kind != ArgKind::kNpages) continue;
    for (const uint32_t value : values[static_cast<size_t>(kind)]) {
      if (value == shorter.ops[at].arg[arg]) continue;
      Program candidate = shorter;
      candidate.ops[at].arg[arg] = value;
      if (search->Try(std::move(candidate))) return true;
    }
  }
  return false;
}

bool TradeForMove(Search* search, const Program& shorter, size_t at) {
  for (size_t to = 0; to <= shorter.ops.size(); ++to) {
    if (to == at || to == at + 1) continue;
    Program candidate = shorter;
    MoveOp(&candidate, at, to);
    if (search->Try(std::move(candidate))) return true;
  }
  return false;
}

// Another operation on the same objects: one that the program has elsewhere, or one that binds the
// same.
bool TradeForOpcode(Search* search, const Program& shorter, size_t at) {
  std::set<Opcode> codes;
  for (const Op& op : search->best().ops) codes.insert(op.code);
  const ArgKind result = DescOf(shorter.ops[at].code).result;
  for (const OpDesc& desc : AllOps()) {
    if (result != ArgKind::kNone && desc.result == result) codes.insert(desc.code);
  }
  for (const Opcode code : codes) {
    if (code == shorter.ops[at].code) continue;
    Op op = shorter.ops[at];
    op.code = code;
    const OpDesc& desc = DescOf(code);
    bool fits = true;
    for (size_t i = 0; i < kMaxArgs; ++i) {
      op.arg[i] = 0;
      if (i < desc.nargs) fits &= ArgFrom(shorter.ops[at], nullptr, desc.args[i].kind, &op.arg[i]);
    }
    // An operation without a process, like mm, becomes one on the first: fork m0.
    if (!fits && desc.nargs == 1 && desc.args[0].kind == ArgKind::kMm && at > 0) fits = true;
    if (!fits) continue;
    Program candidate = shorter;
    ReplaceOp(&candidate, at, op);
    // What binds a handle takes its meaning from its place: a fork copies what is there by then.
    const bool binds = desc.result != ArgKind::kNone;
    if ((binds && TradeForMove(search, candidate, at)) || search->Try(std::move(candidate)))
      return true;
  }
  return false;
}

// Removing operation `drop` pays for any one change of another operation.
bool TradeFor(Search* search, size_t drop, Dependents dependents) {
  Program shorter = search->best();
  RemoveRange(&shorter, drop, 1, dependents);
  const auto values = ValuesIn(search->best());
  for (size_t at = 0; at < shorter.ops.size() && !search->done(); ++at) {
    if (TradeForArgument(search, shorter, at, values) || TradeForOpcode(search, shorter, at) ||
        TradeForMove(search, shorter, at)) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool Trade(Search* search) {
  bool accepted = false;
  if (search->size() > kMaxSize) return false;
  for (size_t drop = search->size(); drop-- > 0 && !search->done();) {
    if (drop >= search->size()) continue;
    const bool binds = DescOf(search->best().ops[drop].code).result != ArgKind::kNone;
    accepted |= TradeFor(search, drop, Dependents::kRetarget) ||
                (binds && TradeFor(search, drop, Dependents::kRemove));
  }
  return accepted;
}

}  // namespace mmdiff
