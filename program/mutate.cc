#include "program/mutate.h"

#include <algorithm>
#include <vector>

#include "program/edit.h"
#include "program/fixup.h"
#include "program/fragments.h"
#include "program/generate.h"
#include "program/world.h"

namespace mmdiff {
namespace {

uint32_t Size(const Program& program) { return static_cast<uint32_t>(program.ops.size()); }

ArgContext ContextAt(const Program& program, size_t at) {
  ArgContext context(program.world);
  context.Scan(program, at);
  return context;
}

// What runs on the CPU of its neighbour meets it in the same batches.
uint8_t PickCpu(const Program& program, size_t at, Random* rnd) {
  if (at > 0 && rnd->Percent(75)) return program.ops[at - 1].cpu;
  return static_cast<uint8_t>(rnd->Below(program.world.cpus));
}

Op NewOp(const Program& program, size_t at, Random* rnd) {
  const ArgContext context = ContextAt(program, at);
  Op op = GenerateOp(OpWeights().Pick(context, rnd), context, rnd);
  op.cpu = PickCpu(program, at, rnd);
  return op;
}

bool InsertOne(Program* program, Random* rnd, const MutateOptions&) {
  const size_t at = rnd->Below(Size(*program) + 1);
  const Op op = NewOp(*program, at, rnd);
  InsertOps(program, at, {&op, 1});
  return true;
}

bool InsertFragment(Program* program, Random* rnd, const MutateOptions&) {
  const size_t at = rnd->Below(Size(*program) + 1);
  ArgContext context = ContextAt(*program, at);
  std::vector<Op> ops;
  EmitRandomFragment(&context, rnd, &ops);
  InsertOps(program, at, ops);
  return true;
}

bool RemoveSome(Program* program, Random* rnd, const MutateOptions&) {
  if (Size(*program) < 2) return false;
  const uint32_t at = rnd->Below(Size(*program));
  const uint32_t count = rnd->OneIn(2) ? 1 : rnd->Between(1, std::min(Size(*program) - at, 8u));
  RemoveRange(program, at, count, rnd->OneIn(4) ? Dependents::kRemove : Dependents::kRetarget);
  return true;
}

bool DuplicateSome(Program* program, Random* rnd, const MutateOptions& options) {
  const uint32_t size = Size(*program);
  if (size == 0 || size >= options.max_ops) return false;
  const uint32_t at = rnd->Below(size);
  const uint32_t count = rnd->OneIn(2) ? 1 : rnd->Between(1, std::min(size - at, 6u));
  const auto first = program->ops.begin() + at;
  std::vector<Op> ops(first, first + count);
  // The copies come after the originals, so all they refer to is bound; what the piece binds itself
  // is not followed: the copies of its users go on with the original handles.
  InsertOps(program, rnd->Between(at + count, size), ops);
  return true;
}

bool ReplaceOne(Program* program, Random* rnd, const MutateOptions&) {
  if (program->ops.empty()) return false;
  const size_t at = rnd->Below(Size(*program));
  ReplaceOp(program, at, NewOp(*program, at, rnd));
  return true;
}

// Changes the operation and keeps what arguments fit: read becomes write, lock becomes unlock.
bool ChangeCode(Program* program, Random* rnd, const MutateOptions&) {
  if (program->ops.empty()) return false;
  const size_t at = rnd->Below(Size(*program));
  const Op old = program->ops[at];
  const OpDesc& from = DescOf(old.code);
  const ArgContext context = ContextAt(*program, at);
  for (int tries = 0; tries < 8; ++tries) {
    const OpDesc& to = AllOps()[rnd->Below(kOpcodes)];
    if (to.code == old.code || to.nargs == 0 || from.nargs == 0 ||
        to.args[0].kind != from.args[0].kind || !CanGenerate(to.code, context)) {
      continue;
    }
    Op op = GenerateOp(to.code, context, rnd);
    op.cpu = old.cpu;
    op.thread = old.thread;
    for (size_t a = 0; a < to.nargs && a < from.nargs; ++a) {
      if (to.args[a].kind == from.args[a].kind) op.arg[a] = old.arg[a];
    }
    ReplaceOp(program, at, op);
    return true;
  }
  return false;
}

bool MutateOneArg(Program* program, Random* rnd, const MutateOptions&) {
  if (program->ops.empty()) return false;
  const size_t at = rnd->Below(Size(*program));
  Op& op = program->ops[at];
  const OpDesc& desc = DescOf(op.code);
  if (desc.nargs == 0) return false;
  const size_t a = rnd->Below(static_cast<uint32_t>(desc.nargs));
  op.arg[a] = MutateArg(desc.args[a].kind, op.arg[a], ContextAt(*program, at), rnd);
  return true;
}

// Makes one operation work on the range or the handle of another.
bool CopyArgs(Program* program, Random* rnd, const MutateOptions&) {
  if (Size(*program) < 2) return false;
  const uint32_t at = rnd->Between(1, Size(*program) - 1);
  const Op& source = program->ops[rnd->Below(at)];
  Op& op = program->ops[at];
  const OpDesc& from = DescOf(source.code);
  const OpDesc& to = DescOf(op.code);
  bool changed = false;
  for (size_t a = 0; a < to.nargs && a < from.nargs; ++a) {
    if (to.args[a].kind != from.args[a].kind || op.arg[a] == source.arg[a]) continue;
    op.arg[a] = source.arg[a];
    changed = true;
  }
  return changed;
}

bool SwapNeighbours(Program* program, Random* rnd, const MutateOptions&) {
  if (Size(*program) < 2) return false;
  return SwapOps(program, rnd->Below(Size(*program) - 1));
}

bool MoveOne(Program* program, Random* rnd, const MutateOptions&) {
  if (Size(*program) < 3) return false;
  const uint32_t from = rnd->Below(Size(*program));
  return MoveOp(program, from, rnd->Below(Size(*program) + 1)) != from;
}

bool SplicePrefix(Program* program, Random* rnd, const MutateOptions& options) {
  if (options.other == nullptr || options.other->ops.empty()) return false;
  *program = Crossover(*options.other, *program, rnd, options);
  return true;
}

bool RetargetHandle(Program* program, Random* rnd, const MutateOptions&) {
  if (program->ops.empty()) return false;
  const uint32_t start = rnd->Below(Size(*program));
  for (uint32_t i = 0; i < Size(*program); ++i) {
    const uint32_t at = (start + i) % Size(*program);
    const OpDesc& desc = DescOf(program->ops[at].code);
    if (desc.nargs == 0 || !IsHandle(desc.args[0].kind)) continue;
    const HandleCounts bound = HandleCounts::Of(*program, at);
    const uint32_t choices = bound[desc.args[0].kind];
    if (choices < 2) continue;
    uint32_t& id = program->ops[at].arg[0];
    id = (id + 1 + rnd->Below(choices - 1)) % choices;
    return true;
  }
  return false;
}

bool ChangeCpu(Program* program, Random* rnd, const MutateOptions&) {
  if (program->ops.empty() || program->world.cpus < 2) return false;
  const uint32_t at = rnd->Below(Size(*program));
  const uint32_t count = rnd->OneIn(2) ? 1 : rnd->Between(1, Size(*program) - at);
  const uint32_t step = rnd->Between(1, program->world.cpus - 1);
  for (uint32_t i = at; i < at + count; ++i) {
    Op& op = program->ops[i];
    op.cpu = static_cast<uint8_t>((op.cpu + step) % program->world.cpus);
  }
  return true;
}

bool ChangeWorld(Program* program, Random* rnd, const MutateOptions& options) {
  if (!options.change_world) return false;
  World& world = program->world;
  if (rnd->OneIn(3)) {
    const auto presets = WorldPresets();
    world = presets[rnd->Below(static_cast<uint32_t>(presets.size()))].world;
  } else if (rnd->OneIn(3)) {
    world.orders ^= 1u << rnd->Between(1, MaxOrder(world));
  } else {
    const WorldField& field = WorldFields()[rnd->Below(kWorldFields)];
    const uint32_t value = world.*field.member;
    // Small steps of small numbers; larger worlds only slow programs down.
    const uint32_t values[] = {field.min, field.dflt, value / 2, value + 1,
                               std::min(value * 2, field.dflt * 4)};
    world.*field.member = rnd->Pick(values);
  }
  return true;
}

struct MutationFunction {
  Mutation info;
  bool (*apply)(Program*, Random*, const MutateOptions&);
};
constexpr MutationFunction kMutations[] = {
    {{"insert", "a new operation", 20}, InsertOne},
    {{"insert_fragment", "a new fragment", 6}, InsertFragment},
    {{"remove", "one operation or a few less", 10}, RemoveSome},
    {{"duplicate", "one operation or a few again, later", 6}, DuplicateSome},
    {{"replace", "another operation in its place", 8}, ReplaceOne},
    {{"change_code", "another operation with the same arguments", 8}, ChangeCode},
    {{"mutate_arg", "one argument changed", 24}, MutateOneArg},
    {{"copy_args", "the arguments of an earlier operation", 8}, CopyArgs},
    {{"swap", "two neighbours swapped", 6}, SwapNeighbours},
    {{"move", "one operation elsewhere", 6}, MoveOne},
    {{"splice", "a prefix of the other program in front", 4}, SplicePrefix},
    {{"retarget", "another handle of the same kind", 8}, RetargetHandle},
    {{"change_cpu", "one operation or several on another CPU", 8}, ChangeCpu},
    {{"change_world", "another geometry", 1}, ChangeWorld},
};
constexpr size_t kMutationKinds = sizeof(kMutations) / sizeof(kMutations[0]);

constexpr std::array<Mutation, kMutationKinds> kInfos = [] {
  std::array<Mutation, kMutationKinds> infos{};
  for (size_t i = 0; i < kMutationKinds; ++i) infos[i] = kMutations[i].info;
  return infos;
}();

constexpr uint32_t kTotalWeight = [] {
  uint32_t total = 0;
  for (const MutationFunction& mutation : kMutations) total += mutation.info.weight;
  return total;
}();

size_t PickMutation(Random* rnd) {
  uint32_t draw = rnd->Below(kTotalWeight);
  size_t kind = 0;
  while (draw >= kMutations[kind].info.weight) draw -= kMutations[kind++].info.weight;
  return kind;
}

size_t OpLimit(const MutateOptions& options) {
  return std::clamp<size_t>(options.max_ops, 1, kMaxOps);
}

}  // namespace

absl::Span<const Mutation> AllMutations() { return kInfos; }

bool ApplyMutation(size_t kind, Program* program, Random* rnd, const MutateOptions& options) {
  program->expectations.clear();
  const bool changed = kMutations[kind].apply(program, rnd, options);
  Fixup(program, OpLimit(options));
  return changed;
}

void Mutate(Program* program, Random* rnd, const MutateOptions& options) {
  Fixup(program, OpLimit(options));
  const uint32_t changes = rnd->Between(1, std::max(options.max_changes, 1u));
  for (uint32_t done = 0; done < changes; ++done) {
    constexpr int kTries = 8;  // some kinds have no place in some programs
    for (int i = 0; i < kTries; ++i) {
      if (ApplyMutation(PickMutation(rnd), program, rnd, options)) break;
    }
  }
}

Program Crossover(const Program& a, const Program& b, Random* rnd, const MutateOptions& options) {
  Program joined;
  joined.world = a.world;
  const uint32_t cut_a = rnd->Between(0, Size(a));
  const uint32_t cut_b = rnd->Between(0, Size(b));
  joined.ops.assign(a.ops.begin(), a.ops.begin() + cut_a);
  // The tail keeps its distance to the newest handle, so that it works on what the prefix left
  // behind.
  HandleCounts bound_b = HandleCounts::Of(b, cut_b);
  HandleCounts bound = HandleCounts::Of(joined, joined.ops.size());
  for (uint32_t i = cut_b; i < Size(b); ++i) {
    Op op = b.ops[i];
    const OpDesc& desc = DescOf(op.code);
    for (size_t k = 0; k < desc.nargs; ++k) {
      const ArgKind kind = desc.args[k].kind;
      if (!IsHandle(kind) || (kind == ArgKind::kFile && op.arg[k] == kNoFile)) continue;
      const uint32_t distance = bound_b[kind] - op.arg[k];  // 1 is the newest
      op.arg[k] = bound[kind] >= distance ? bound[kind] - distance : 0;
    }
    bound_b.Add(op);
    bound.Add(op);
    joined.ops.push_back(op);
  }
  Fixup(&joined, OpLimit(options));
  return joined;
}

}  // namespace mmdiff
