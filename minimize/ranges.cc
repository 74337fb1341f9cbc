#include "minimize/ranges.h"

#include "program/arg_kinds.h"
#include "program/edit.h"

namespace mmdiff {

size_t ArgOf(Opcode code, ArgKind kind) {
  const OpDesc& desc = DescOf(code);
  for (size_t i = 0; i < desc.nargs; ++i) {
    if (desc.args[i].kind == kind) return i;
  }
  return kNoArg;
}

std::optional<Range> RangeOf(const Op& op) {
  const size_t vpn = ArgOf(op.code, ArgKind::kVpn);
  if (vpn == kNoArg) return std::nullopt;
  const size_t npages = ArgOf(op.code, ArgKind::kNpages);
  return Range{op.arg[vpn], npages == kNoArg ? 1 : op.arg[npages]};
}

std::optional<Range> RangeThroughHandle(const Program& program, size_t index) {
  const Op& op = program.ops[index];
  if (auto range = RangeOf(op)) return range;
  const OpDesc& desc = DescOf(op.code);
  for (size_t i = 0; i < desc.nargs; ++i) {
    const ArgKind kind = desc.args[i].kind;
    if (!IsHandle(kind) || kind == ArgKind::kMm || kind == ArgKind::kFile) continue;
    const size_t binding = BindingOp(program, kind, op.arg[i]);
    if (binding < program.ops.size()) return RangeOf(program.ops[binding]);
  }
  return std::nullopt;
}

void SetRange(Op* op, Range range) {
  const size_t vpn = ArgOf(op->code, ArgKind::kVpn);
  const size_t npages = ArgOf(op->code, ArgKind::kNpages);
  const size_t pgoff = ArgOf(op->code, ArgKind::kPgoff);
  const size_t file = ArgOf(op->code, ArgKind::kFile);
  if (vpn == kNoArg) return;
  if (pgoff != kNoArg && file != kNoArg && op->arg[file] != kNoFile) {
    const int64_t moved = static_cast<int64_t>(op->arg[pgoff]) + range.vpn - op->arg[vpn];
    op->arg[pgoff] = moved < 0 ? 0 : static_cast<uint32_t>(moved);
  }
  op->arg[vpn] = range.vpn;
  if (npages != kNoArg) op->arg[npages] = range.npages;
}

bool ArgFrom(const Op& first, const Op* second, ArgKind kind, uint32_t* value) {
  for (const Op* op : {&first, second}) {
    if (op == nullptr) continue;
    const size_t at = ArgOf(op->code, kind);
    if (at == kNoArg) continue;
    *value = op->arg[at];
    return true;
  }
  const ArgKindDesc& desc = DescOf(kind);
  if (IsHandle(kind) && !desc.has_default) return false;
  *value = kind == ArgKind::kNpages ? 1 : desc.has_default ? desc.default_value : 0;
  return true;
}

}  // namespace mmdiff
