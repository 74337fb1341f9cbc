#include "program/edit.h"

#include <algorithm>
#include <array>

#include "program/words.h"

namespace mmdiff {
namespace {

constexpr uint32_t kGone = UINT32_MAX;

size_t Slot(ArgKind kind) { return static_cast<size_t>(kind); }

// Applies `rename(kind, id)` to every handle argument of an operation that refers to a binding.
template <typename Rename>
void RenameOp(Op* op, const Rename& rename) {
  const OpDesc& desc = DescOf(op->code);
  for (size_t a = 0; a < desc.nargs; ++a) {
    const ArgKind kind = desc.args[a].kind;
    if (!IsHandle(kind) || (kind == ArgKind::kFile && op->arg[a] == kNoFile)) continue;
    op->arg[a] = rename(kind, op->arg[a]);
  }
}

// New numbers of the handles of a program; kGone for those whose binding was removed.
class NewNumbers {
 public:
  void Keep(ArgKind kind) { map_[Slot(kind)].push_back(count_[Slot(kind)]++); }
  void Drop(ArgKind kind) { map_[Slot(kind)].push_back(kGone); }
  uint32_t Of(ArgKind kind, uint32_t id) const { return map_[Slot(kind)][id]; }
  // The nearest earlier binding that stays, else the first; kGone if there is none so far.
  uint32_t Nearest(ArgKind kind, uint32_t id) const {
    const std::vector<uint32_t>& map = map_[Slot(kind)];
    for (uint32_t i = id; i-- > 0;) {
      if (map[i] != kGone) return map[i];
    }
    return count_[Slot(kind)] > 0 ? 0 : kGone;
  }
  // For labels in text, which may name anything.
  uint32_t OfLabel(ArgKind kind, uint32_t id) const {
    const std::vector<uint32_t>& map = map_[Slot(kind)];
    return id < map.size() && map[id] != kGone ? map[id] : id;
  }

 private:
  std::array<std::vector<uint32_t>, kHandleKinds> map_;
  std::array<uint32_t, kHandleKinds> count_{};
};

// Renumbers the handles of `op`. False if it cannot stay.
bool Renumber(Op* op, const NewNumbers& numbers, Dependents dependents) {
  const OpDesc& desc = DescOf(op->code);
  for (size_t a = 0; a < desc.nargs; ++a) {
    const ArgKind kind = desc.args[a].kind;
    uint32_t& id = op->arg[a];
    if (!IsHandle(kind) || (kind == ArgKind::kFile && id == kNoFile)) continue;
    uint32_t number = numbers.Of(kind, id);
    if (number == kGone && dependents == Dependents::kRetarget) number = numbers.Nearest(kind, id);
    if (number == kGone && kind == ArgKind::kFile && dependents == Dependents::kRetarget) {
      number = kNoFile;
    }
    if (number == kGone) return false;
    id = number;
  }
  return true;
}

// The bindings of each kind before operation `at`.
HandleCounts CountsBefore(const Program& program, size_t at) {
  return HandleCounts::Of(program, at);
}

template <typename Rename>
void RenameFrom(Program* program, size_t at, const Rename& rename) {
  for (size_t i = at; i < program->ops.size(); ++i) RenameOp(&program->ops[i], rename);
  for (Expectation& e : program->expectations) {
    if (e.op_index >= at && e.text[0] == '?') RenameLabels(&e.text, rename);
  }
}

}  // namespace

size_t RemoveOps(Program* program, const std::vector<bool>& keep, Dependents dependents) {
  NewNumbers numbers;
  std::vector<Expectation>& expectations = program->expectations;
  size_t kept = 0, e = 0, kept_expectations = 0;
  const size_t before = program->ops.size();
  for (size_t i = 0; i < before; ++i) {
    Op op = program->ops[i];
    const bool stays = keep[i] && Renumber(&op, numbers, dependents);
    const ArgKind result = DescOf(op.code).result;
    if (result != ArgKind::kNone) stays ? numbers.Keep(result) : numbers.Drop(result);
    if (stays) program->ops[kept] = op;
    for (; e < expectations.size() && expectations[e].op_index == i; ++e) {
      if (!stays) continue;
      if (kept_expectations != e) expectations[kept_expectations] = std::move(expectations[e]);
      Expectation& expectation = expectations[kept_expectations++];
      expectation.op_index = static_cast<uint32_t>(kept);
      if (expectation.text[0] != '?') continue;
      RenameLabels(&expectation.text,
                   [&](ArgKind kind, uint32_t id) { return numbers.OfLabel(kind, id); });
    }
    kept += stays;
  }
  program->ops.resize(kept);
  expectations.resize(kept_expectations);
  return before - kept;
}

size_t RemoveRange(Program* program, size_t at, size_t count, Dependents dependents) {
  std::vector<bool> keep(program->ops.size(), true);
  for (size_t i = at; i < program->ops.size() && i - at < count; ++i) keep[i] = false;
  return RemoveOps(program, keep, dependents);
}

void InsertOps(Program* program, size_t at, absl::Span<const Op> ops) {
  const HandleCounts before = CountsBefore(*program, at);
  HandleCounts inserted;
  for (const Op& op : ops) inserted.Add(op);
  RenameFrom(program, at, [&](ArgKind kind, uint32_t id) {
    return id < before[kind] ? id : id + inserted[kind];
  });
  for (Expectation& e : program->expectations) {
    if (e.op_index >= at) e.op_index += static_cast<uint32_t>(ops.size());
  }
  program->ops.insert(program->ops.begin() + static_cast<ptrdiff_t>(at), ops.begin(), ops.end());
}

void ReplaceOp(Program* program, size_t at, const Op& op, Dependents dependents) {
  if (DescOf(op.code).result == DescOf(program->ops[at].code).result) {
    program->ops[at] = op;
    return;
  }
  // The new one goes behind the old one, so that a dependent can be given to an earlier binding
  // only.
  InsertOps(program, at, {&op, 1});
  RemoveRange(program, at + 1, 1, dependents);
}

bool SwapOps(Program* program, size_t at) {
  Op& first = program->ops[at];
  Op& second = program->ops[at + 1];
  const ArgKind kind = DescOf(first.code).result;
  HandleCounts bound = CountsBefore(*program, at);
  const uint32_t first_id = bound.Add(first);
  if (kind != ArgKind::kNone) {
    bool needs = false;
    RenameOp(&second, [&](ArgKind k, uint32_t id) {
      needs |= k == kind && id == first_id;
      return id;
    });
    if (needs) return false;
  }
  if (kind != ArgKind::kNone && DescOf(second.code).result == kind) {
    RenameFrom(program, at + 2, [&](ArgKind k, uint32_t id) {
      if (k != kind || id < first_id || id > first_id + 1) return id;
      return id == first_id ? first_id + 1 : first_id;
    });
  }
  std::swap(first, second);
  for (Expectation& e : program->expectations) {
    if (e.op_index == at) {
      e.op_index = static_cast<uint32_t>(at + 1);
    } else if (e.op_index == at + 1) {
      e.op_index = static_cast<uint32_t>(at);
    }
  }
  std::stable_sort(
      program->expectations.begin(), program->expectations.end(),
      [](const Expectation& a, const Expectation& b) { return a.op_index < b.op_index; });
  return true;
}

size_t MoveOp(Program* program, size_t from, size_t to) {
  while (from > to && SwapOps(program, from - 1)) --from;
  while (from + 1 < to && SwapOps(program, from)) ++from;
  return from;
}

size_t BindingOp(const Program& program, ArgKind kind, uint32_t id) {
  uint32_t seen = 0;
  for (size_t i = 0; i < program.ops.size(); ++i) {
    if (DescOf(program.ops[i].code).result == kind && seen++ == id) return i;
  }
  return program.ops.size();
}

void RenameLabels(std::string* text, const std::function<uint32_t(ArgKind, uint32_t)>& rename) {
  const auto is_word = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  std::string out;
  for (size_t i = 0; i < text->size();) {
    size_t end = i;
    while (end < text->size() && is_word((*text)[end])) ++end;
    if (end == i) {
      out += (*text)[i++];
      continue;
    }
    const std::string_view word = std::string_view(*text).substr(i, end - i);
    i = end;
    bool renamed = false;
    for (size_t k = 0; k < kHandleKinds && !renamed; ++k) {
      const ArgKind kind = static_cast<ArgKind>(k);
      if (word[0] != DescOf(kind).prefix) continue;
      const absl::StatusOr<uint32_t> id = ParseArg(kind, word);
      // The label itself must be canonical, so that "m00" is left as it was written.
      if (!id.ok() || ArgText(kind, *id) != word) continue;
      PrintArg(kind, rename(kind, *id), &out);
      renamed = true;
    }
    if (!renamed) out += word;
  }
  *text = std::move(out);
}

}  // namespace mmdiff
