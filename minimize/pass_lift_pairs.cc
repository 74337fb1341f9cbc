#include <array>
#include <utility>

#include "minimize/passes.h"
#include "minimize/ranges.h"
#include "program/arg_kinds.h"
#include "program/edit.h"

namespace mmdiff {
namespace {

// The second works on the handle that the first binds; `whole` does the work of both.
struct Phases {
  Opcode first, second, whole;
};
constexpr std::array kPhases = {
    Phases{Opcode::zap_begin, Opcode::zap_finish, Opcode::dontneed},
    Phases{Opcode::migrate_begin, Opcode::migrate_end, Opcode::migrate},
    Phases{Opcode::isolate, Opcode::try_to_unmap, Opcode::reclaim},
    Phases{Opcode::isolate, Opcode::try_to_unmap, Opcode::pageout},
    Phases{Opcode::isolate, Opcode::remove_mapping, Opcode::reclaim},
    Phases{Opcode::isolate, Opcode::remove_mapping, Opcode::pageout},
    Phases{Opcode::isolate, Opcode::swap_add, Opcode::reclaim},
    Phases{Opcode::isolate, Opcode::referenced, Opcode::reclaim},
};

// `op` with the arguments that `whole` shares with the two phases.
bool MakeWhole(const Op& first, const Op& second, Opcode whole, Op* op) {
  *op = second;
  op->code = whole;
  const OpDesc& desc = DescOf(whole);
  for (size_t i = 0; i < kMaxArgs; ++i) {
    op->arg[i] = 0;
    if (i < desc.nargs && !ArgFrom(first, &second, desc.args[i].kind, &op->arg[i])) return false;
  }
  return true;
}

bool LiftPhases(Search* search, size_t second) {
  const Program& best = search->best();
  const Op op = best.ops[second];
  const OpDesc& desc = DescOf(op.code);
  if (desc.nargs == 0 || !IsHandle(desc.args[0].kind)) return false;
  const size_t first = BindingOp(best, desc.args[0].kind, op.arg[0]);
  if (first >= second) return false;
  for (const Phases& phases : kPhases) {
    Op whole;
    if (best.ops[first].code != phases.first || op.code != phases.second ||
        !MakeWhole(best.ops[first], op, phases.whole, &whole)) {
      continue;
    }
    for (const size_t at : {second, first}) {
      Program candidate = search->best();
      // At the place of the first phase the second goes away as its dependent.
      ReplaceOp(&candidate, at, whole, Dependents::kRemove);
      if (at == second) RemoveRange(&candidate, first, 1);
      if (search->Try(std::move(candidate))) return true;
    }
  }
  return false;
}

// What a map becomes that does the work of `second` as well; false if it cannot.
bool Absorb(const Op& second, Op* map) {
  const size_t flags = ArgOf(Opcode::map, ArgKind::kMapFlags);
  switch (second.code) {
    case Opcode::read:
    case Opcode::write:
      map->arg[flags] |= kMapPopulate;
      return true;
    case Opcode::lock:
      map->arg[flags] |= kMapLocked;
      return true;
    case Opcode::protect:
      map->arg[flags] &= ~(kMapRead | kMapWrite);
      map->arg[flags] |= second.arg[ArgOf(Opcode::protect, ArgKind::kProt)];
      return true;
    default:
      return false;
  }
}

bool LiftIntoMap(Search* search, size_t map, size_t second) {
  const Program& best = search->best();
  const Op& other = best.ops[second];
  const size_t mm = ArgOf(other.code, ArgKind::kMm);
  const auto range = RangeOf(other);
  if (mm == kNoArg || !range ||
      other.arg[mm] != best.ops[map].arg[ArgOf(Opcode::map, ArgKind::kMm)] ||
      !range->Overlaps(*RangeOf(best.ops[map]))) {
    return false;
  }
  Program candidate = best;
  if (!Absorb(other, &candidate.ops[map])) return false;
  RemoveRange(&candidate, second, 1);
  return search->Try(std::move(candidate));
}

}  // namespace

bool LiftPairs(Search* search) {
  bool accepted = false;
  for (size_t j = search->size(); j-- > 1 && !search->done();) {
    if (j >= search->size()) continue;
    if (LiftPhases(search, j)) {
      accepted = true;
      continue;
    }
    for (size_t i = j; i-- > 0;) {
      if (search->best().ops[i].code == Opcode::map && LiftIntoMap(search, i, j)) {
        accepted = true;
        break;
      }
    }
  }
  return accepted;
}

}  // namespace mmdiff
