#include "program/generate.h"

#include <algorithm>

#include "program/fixup.h"
#include "program/fragments.h"
#include "program/world.h"

namespace mmdiff {
namespace {

// Without these a program has no effect.
bool IsEssential(Opcode code) {
  return code == Opcode::mm || code == Opcode::map || code == Opcode::write;
}

// A new mapping usually goes where none is: behind one in use, or anywhere.
void AimMap(const ArgContext& context, ArgFocus* focus, Random* rnd) {
  const HotPlace place = focus->place;
  if (place.npages == 0 || rnd->Percent(35)) return;
  focus->place.npages = 0;
  if (rnd->OneIn(2)) return;
  const uint32_t end = place.vpn + place.npages;
  if (end < context.world().arena()) focus->place = {place.mm, end, 1};
}

}  // namespace

OpWeights::OpWeights() {
  for (const OpDesc& desc : AllOps()) {
    weight_[static_cast<size_t>(desc.code)] = static_cast<uint32_t>(desc.weight);
  }
}

OpWeights::OpWeights(Random* rnd) : OpWeights() {
  const uint32_t off_percent = rnd->Below(60);
  for (const OpDesc& desc : AllOps()) {
    uint32_t& weight = weight_[static_cast<size_t>(desc.code)];
    const bool off = rnd->Percent(off_percent) && !IsEssential(desc.code);
    weight = off ? 0 : weight * rnd->Between(1, 100);
  }
}

bool CanGenerate(Opcode code, const ArgContext& context) {
  const OpDesc& desc = DescOf(code);
  for (size_t a = 0; a < desc.nargs; ++a) {
    const ArgKind kind = desc.args[a].kind;
    if (IsHandle(kind) && kind != ArgKind::kFile && context.bound()[kind] == 0) return false;
  }
  return true;
}

Opcode OpWeights::Pick(const ArgContext& context, Random* rnd) const {
  // What only repeats an error is picked rarely: an operation on handles that are all spent.
  std::array<uint32_t, kOpcodes> weight;
  uint32_t total = 0;
  for (size_t i = 0; i < kOpcodes; ++i) {
    weight[i] = weight_[i];
    const OpDesc& desc = AllOps()[i];
    if (weight[i] == 0) continue;
    if (!CanGenerate(desc.code, context)) {
      weight[i] = 0;
    } else if (desc.nargs > 0 && IsHandle(desc.args[0].kind) &&
               !context.HasLive(desc.args[0].kind)) {
      weight[i] = (weight[i] + 15) / 16;
    }
    total += weight[i];
  }
  uint32_t draw = rnd->Below(total);
  for (size_t i = 0; i < kOpcodes; ++i) {
    if (draw < weight[i]) return AllOps()[i].code;
    draw -= weight[i];
  }
  return context.bound()[ArgKind::kMm] > 0 ? Opcode::map : Opcode::mm;
}

Op GenerateOp(Opcode code, const ArgContext& context, Random* rnd) {
  Op op;
  op.code = code;
  const OpDesc& desc = DescOf(code);
  ArgFocus focus;
  for (size_t a = 0; a < desc.nargs; ++a) {
    const ArgKind kind = desc.args[a].kind;
    op.arg[a] = GenerateArg(kind, context, &focus, rnd);
    if (kind == ArgKind::kMm && code == Opcode::map) AimMap(context, &focus, rnd);
    op.arg[a] = FixupArg(kind, op.arg[a], context.world(), context.bound());
  }
  return op;
}

Program Generate(uint64_t seed, const GenerateOptions& options) {
  Random rnd(seed);
  Program program;
  program.world = options.world;
  FixWorld(&program.world);
  const size_t count = std::min(options.ops, kMaxOps);
  program.ops.reserve(count + 16);
  const OpWeights weights = options.swarm ? OpWeights(&rnd) : OpWeights();
  ArgContext context(program.world);
  const auto add = [&](const Op& op) {
    program.ops.push_back(op);
    context.Note(op);
  };
  // Every program starts with something to work on.
  if (count > 0) add(Op{.code = Opcode::mm});
  if (count > 1) add(GenerateOp(Opcode::map, context, &rnd));
  uint32_t cpu = 0;
  while (program.ops.size() < count) {
    const size_t first = program.ops.size();
    if (rnd.Percent(options.fragment_percent)) {
      EmitRandomFragment(&context, &rnd, &program.ops);
    } else {
      if (rnd.Percent(options.other_cpu_percent)) cpu = rnd.Below(program.world.cpus);
      Op op = GenerateOp(weights.Pick(context, &rnd), context, &rnd);
      op.cpu = static_cast<uint8_t>(cpu);
      add(op);
    }
    if (options.threads < 2) continue;
    const uint32_t threads = std::min<uint32_t>(options.threads, kMaxThreads);
    const uint8_t thread = static_cast<uint8_t>(rnd.Below(threads));
    for (size_t i = first; i < program.ops.size(); ++i) program.ops[i].thread = thread;
  }
  Fixup(&program, std::max<size_t>(count, 1));
  return program;
}

}  // namespace mmdiff
