#include <algorithm>
#include <utility>

#include "minimize/passes.h"
#include "minimize/ranges.h"
#include "program/world.h"

namespace mmdiff {
namespace {

bool TryWorld(Search* search, const World& world) {
  Program candidate = search->best();
  candidate.world = world;
  return search->Try(std::move(candidate));
}

// Another table size, with every page at the same distance from its table's start as far as that
// goes.
bool TryTable(Search* search, uint32_t table) {
  Program candidate = search->best();
  const uint32_t old = candidate.world.table;
  candidate.world.table = table;
  for (Op& op : candidate.ops) {
    const auto range = RangeOf(op);
    if (!range) continue;
    const uint32_t vpn = range->vpn / old * table + std::min(range->vpn % old, table - 1);
    const uint32_t npages = range->npages / old * table + std::min(range->npages % old, table);
    SetRange(&op, {vpn, npages});
  }
  return search->Try(std::move(candidate));
}

bool SimplifyField(Search* search, const WorldField& field) {
  World world = search->best().world;
  const uint32_t value = world.*field.member;
  if (value == field.dflt) return false;
  for (uint32_t to : {field.dflt, field.min, value / 2, value - 1}) {
    if (to < field.min || (to != field.dflt && to >= value)) continue;
    world.*field.member = to;
    if (TryWorld(search, world)) return true;
    if (field.member == &World::table && TryTable(search, to)) return true;
  }
  return false;
}

bool SimplifyOrders(Search* search) {
  World world = search->best().world;
  const uint32_t orders = world.orders;
  if (orders == World().orders) return false;
  world.orders = World().orders;
  if (TryWorld(search, world)) return true;
  bool accepted = false;
  for (uint32_t k = 31; k > 0; --k) {
    world = search->best().world;
    if ((world.orders >> k & 1) == 0) continue;
    world.orders &= ~(1u << k);
    accepted |= TryWorld(search, world);
  }
  return accepted;
}

}  // namespace

bool SimplifyWorld(Search* search) {
  if (search->best().world == World()) return false;
  if (TryWorld(search, World())) return true;
  bool accepted = false;
  for (const WorldField& field : WorldFields()) {
    while (!search->done() && SimplifyField(search, field)) accepted = true;
  }
  accepted |= SimplifyOrders(search);
  return accepted;
}

}  // namespace mmdiff
