#include <algorithm>
#include <utility>

#include "minimize/passes.h"
#include "program/arg_kinds.h"
#include "program/edit.h"

namespace mmdiff {
namespace {

// `program` with every use of handle `from` of `kind` made to refer to `to`.
Program Renamed(const Program& program, ArgKind kind, uint32_t from, uint32_t to) {
  Program renamed = program;
  for (Op& op : renamed.ops) {
    const OpDesc& desc = DescOf(op.code);
    for (size_t i = 0; i < desc.nargs; ++i) {
      if (desc.args[i].kind == kind && op.arg[i] == from) op.arg[i] = to;
    }
  }
  return renamed;
}

// Tries `to` for `from`, without what bound `from` if possible.
bool TryRename(Search* search, ArgKind kind, uint32_t from, uint32_t to) {
  const Program renamed = Renamed(search->best(), kind, from, to);
  const size_t binding = BindingOp(renamed, kind, from);
  if (binding < renamed.ops.size()) {
    Program candidate = renamed;
    RemoveRange(&candidate, binding, 1, Dependents::kRetarget);
    if (search->Try(std::move(candidate))) return true;
  }
  return search->Try(renamed);
}

bool RetargetKind(Search* search, ArgKind kind) {
  constexpr uint32_t kMaxTargets = 4;  // the lowest handles are what a reader wants to see
  bool accepted = false;
  for (uint32_t id = HandleCounts::Of(search->best(), search->size())[kind]; id-- > 0;) {
    if (search->done()) break;
    if (kind == ArgKind::kFile && TryRename(search, kind, id, kNoFile)) {
      accepted = true;
      continue;
    }
    for (uint32_t to = 0; to < std::min(id, kMaxTargets); ++to) {
      if (!TryRename(search, kind, id, to)) continue;
      accepted = true;
      break;
    }
  }
  return accepted;
}

}  // namespace

bool Retarget(Search* search) {
  bool accepted = false;
  for (size_t kind = 0; kind < kHandleKinds; ++kind) {
    accepted |= RetargetKind(search, static_cast<ArgKind>(kind));
  }
  return accepted;
}

}  // namespace mmdiff
