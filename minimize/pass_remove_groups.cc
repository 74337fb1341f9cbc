#include <array>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "minimize/passes.h"
#include "minimize/ranges.h"
#include "program/arg_kinds.h"
#include "program/edit.h"

namespace mmdiff {
namespace {

// Tries best() without the operations for which `drop` is true. The index it gets is valid in
// best().
bool TryWithout(Search* search, const std::function<bool(const Op&, size_t)>& drop) {
  Program candidate = search->best();
  std::vector<bool> keep(candidate.ops.size());
  bool any = false;
  for (size_t i = 0; i < keep.size(); ++i) {
    keep[i] = !drop(candidate.ops[i], i);
    any |= !keep[i];
  }
  if (!any) return false;
  RemoveOps(&candidate, keep);
  return search->Try(std::move(candidate));
}

using Handle = std::pair<ArgKind, uint32_t>;

// The handles that each operation names or binds.
std::vector<std::vector<Handle>> HandlesOf(const Program& program) {
  std::vector<std::vector<Handle>> all(program.ops.size());
  HandleCounts bound;
  for (size_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    const OpDesc& desc = DescOf(op.code);
    for (size_t k = 0; k < desc.nargs; ++k) {
      const ArgKind kind = desc.args[k].kind;
      if (!IsHandle(kind) || (kind == ArgKind::kFile && op.arg[k] == kNoFile)) continue;
      all[i].push_back({kind, op.arg[k]});
    }
    const uint32_t id = bound.Add(op);
    if (desc.result != ArgKind::kNone) all[i].push_back({desc.result, id});
  }
  return all;
}

// Operations that share a handle with `root`, or with one that does, and so on up to `steps` times.
std::vector<bool> Related(const Program& program, size_t root, size_t steps) {
  const auto handles = HandlesOf(program);
  std::set<Handle> known(handles[root].begin(), handles[root].end());
  std::vector<bool> related(program.ops.size(), false);
  related[root] = true;
  for (size_t step = 0, before = 0; step < steps && known.size() != before; ++step) {
    before = known.size();
    std::set<Handle> next = known;
    for (size_t i = 0; i < handles.size(); ++i) {
      bool hit = false;
      for (const Handle& h : handles[i]) hit |= known.contains(h);
      if (!hit) continue;
      related[i] = true;
      next.insert(handles[i].begin(), handles[i].end());
    }
    known = std::move(next);
  }
  // What binds a handle that a kept operation needs stays as well.
  for (size_t i = handles.size(); i-- > 0;) {
    if (!related[i]) continue;
    for (const auto& [kind, id] : handles[i]) {
      const size_t binding = BindingOp(program, kind, id);
      if (binding < i) related[binding] = true;
    }
  }
  return related;
}

// Keeps what has to do with the operation that shows the finding: by address, then by handles.
bool KeepSlice(Search* search) {
  bool accepted = false;
  const auto root = [&] {
    return search->failing_op().value_or(static_cast<uint32_t>(search->size() - 1));
  };
  if (const auto place = RangeThroughHandle(search->best(), root())) {
    const size_t at = root();
    accepted |= TryWithout(search, [&](const Op& op, size_t i) {
      const auto range = RangeOf(op);
      return i != at && range && !range->Overlaps(*place);
    });
  }
  for (const size_t steps : {size_t{1}, size_t{2}, search->size()}) {
    const std::vector<bool> related = Related(search->best(), root(), steps);
    const auto unrelated = [&](const Op& op, size_t i) { return !related[i]; };
    const auto unrelated_with_handles = [&](const Op& op, size_t i) {
      return !related[i] && DescOf(op.code).nargs > 0;  // drains and the like stay
    };
    if (TryWithout(search, unrelated) || TryWithout(search, unrelated_with_handles)) {
      accepted = true;
      break;
    }
  }
  return accepted;
}

bool RemoveProcessesAndFiles(Search* search) {
  bool accepted = false;
  for (size_t i = search->size(); i-- > 0;) {
    if (i >= search->size()) continue;
    const ArgKind result = DescOf(search->best().ops[i].code).result;
    if (result != ArgKind::kMm && result != ArgKind::kFile) continue;
    accepted |= TryWithout(search, [i](const Op&, size_t k) { return k == i; });
  }
  return accepted;
}

}  // namespace

bool RemoveGroups(Search* search) {
  if (search->size() < 2) return false;
  bool accepted = KeepSlice(search);
  accepted |= RemoveProcessesAndFiles(search);
  for (size_t code = kOpcodes; code-- > 0;) {
    accepted |= TryWithout(
        search, [code](const Op& op, size_t) { return static_cast<size_t>(op.code) == code; });
  }
  std::set<uint32_t> tables;
  std::set<uint8_t> cpus;
  for (const Op& op : search->best().ops) {
    if (const auto range = RangeOf(op)) tables.insert(range->vpn / search->best().world.table);
    cpus.insert(op.cpu);
  }
  for (const uint32_t table : tables) {
    accepted |= TryWithout(search, [&](const Op& op, size_t) {
      const auto range = RangeOf(op);
      return range && range->vpn / search->best().world.table == table;
    });
  }
  for (const uint8_t cpu : cpus) {
    accepted |= TryWithout(search, [cpu](const Op& op, size_t) { return op.cpu == cpu; });
  }
  return accepted;
}

}  // namespace mmdiff
