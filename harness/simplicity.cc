#include "harness/simplicity.h"

#include "program/arg_kinds.h"
#include "program/world.h"

namespace mmdiff {
namespace {

// The sum that an argument of this kind belongs to.
uint64_t& SumOf(Complexity& c, ArgKind kind) {
  switch (kind) {
    case ArgKind::kNpages:
      return c.pages;
    case ArgKind::kVpn:
    case ArgKind::kPgoff:
      return c.addresses;
    case ArgKind::kNode:
      return c.places;
    default:
      return IsHandle(kind) ? c.objects : c.flags;
  }
}

std::strong_ordering CompareOps(const Op& a, const Op& b) {
  if (const auto o = a.code <=> b.code; o != 0) return o;
  const OpDesc& desc = DescOf(a.code);
  for (size_t i = 0; i < desc.nargs; ++i) {
    const ArgKind kind = desc.args[i].kind;
    const auto o = ArgCost(kind, a.arg[i]) <=> ArgCost(kind, b.arg[i]);
    if (o != 0) return o;
  }
  if (const auto o = a.cpu <=> b.cpu; o != 0) return o;
  return a.thread <=> b.thread;
}

std::strong_ordering CompareWorlds(const World& a, const World& b) {
  for (const WorldField& f : WorldFields()) {
    if (const auto o = a.*f.member <=> b.*f.member; o != 0) return o;
  }
  return a.orders <=> b.orders;
}

}  // namespace

Complexity ComplexityOf(const Program& program) {
  Complexity c;
  c.ops = program.ops.size();
  for (const Op& op : program.ops) {
    c.opcodes += static_cast<uint64_t>(op.code);
    const OpDesc& desc = DescOf(op.code);
    for (size_t i = 0; i < desc.nargs; ++i) {
      SumOf(c, desc.args[i].kind) += ArgCost(desc.args[i].kind, op.arg[i]);
    }
    c.places += op.cpu + op.thread;
  }
  for (const WorldField& f : WorldFields()) {
    const uint32_t value = program.world.*f.member;
    if (value == f.dflt) continue;
    ++c.odd_worlds;
    c.world_values += value;
  }
  if (program.world.orders != World().orders) {
    ++c.odd_worlds;
    c.world_values += program.world.orders;
  }
  return c;
}

std::strong_ordering CompareSimplicity(const Program& a, const Program& b) {
  // Most comparisons end here, before anything is summed.
  if (const auto o = a.ops.size() <=> b.ops.size(); o != 0) return o;
  if (const auto o = ComplexityOf(a) <=> ComplexityOf(b); o != 0) return o;
  for (size_t i = 0; i < a.ops.size(); ++i) {
    if (const auto o = CompareOps(a.ops[i], b.ops[i]); o != 0) return o;
  }
  return CompareWorlds(a.world, b.world);
}

}  // namespace mmdiff
