// Generation and mutation of arguments: where the interesting values are.
#include <algorithm>

#include "program/arg_kinds.h"
#include "program/world.h"

namespace mmdiff {
namespace {

constexpr size_t Slot(ArgKind kind) { return static_cast<size_t>(kind); }

// log2 of a folio size of this world, larger than a page if there is one.
uint32_t PickOrder(const World& world, Random* rnd) {
  const uint32_t top = MaxOrder(world);
  uint32_t order = rnd->Between(1, top);
  for (uint32_t i = 0; i <= top; ++i) {
    if (order > 0 && (world.orders >> order & 1)) return order;
    order = order == top ? 0 : order + 1;
  }
  return 0;
}

// `value` or its neighbour on either side; the exact one half the time.
uint32_t NearBy(uint32_t value, Random* rnd) {
  switch (rnd->Below(4)) {
    case 0:
      return value + 1;
    case 1:
      return value > 0 ? value - 1 : value;
    default:
      return value;
  }
}

// A table size to make lengths from.
uint32_t TableForLengths(const World& world, Random* rnd) {
  const uint32_t span = HotSpan(world);
  return world.table == span || rnd->OneIn(64) ? world.table : span;
}

// A place in a table.
uint32_t TableOffset(const World& world, Random* rnd) {
  const uint32_t span = HotSpan(world);
  if (world.table == span || rnd->OneIn(16)) return rnd->Below(world.table);
  const uint32_t offset = rnd->Below(span);
  return offset < span / 2 ? offset : offset + world.table - span;
}

uint32_t TableBoundary(const World& world, Random* rnd) {
  return rnd->Below(world.tables) * world.table;
}

uint32_t GenerateVpn(const ArgContext& context, ArgFocus* focus, Random* rnd) {
  const World& world = context.world();
  const HotPlace& place = focus->place;
  uint32_t vpn = 0;
  if (place.npages > 0 && rnd->Percent(80)) {
    switch (rnd->Below(8)) {
      case 0:
      case 1:
      case 2:
        vpn = place.vpn;
        break;
      case 3:
      case 4:
        vpn = place.vpn + rnd->Below(place.npages);
        break;
      case 5:
        vpn = NearBy(place.vpn + place.npages - 1, rnd);
        break;
      case 6: {
        // The first page of a folio inside the range, or beside it.
        const uint32_t size = 1u << PickOrder(world, rnd);
        vpn = NearBy((place.vpn + rnd->Below(place.npages)) & ~(size - 1), rnd);
        break;
      }
      default:
        vpn = NearBy((place.vpn + place.npages) & ~(world.table - 1), rnd);
        break;
    }
  } else if (rnd->OneIn(3)) {
    vpn = world.table == HotSpan(world) ? rnd->Below(world.arena())
                                        : TableBoundary(world, rnd) + TableOffset(world, rnd);
  } else if (rnd->OneIn(2)) {
    vpn = NearBy(TableBoundary(world, rnd), rnd);
  } else {
    vpn = TableBoundary(world, rnd) +
          (TableOffset(world, rnd) & ~((1u << PickOrder(world, rnd)) - 1));
  }
  focus->vpn = vpn % world.arena();
  return focus->vpn;
}

uint32_t GenerateNpages(const ArgContext& context, const ArgFocus& focus, Random* rnd) {
  const World& world = context.world();
  const HotPlace& place = focus.place;
  const uint32_t end = place.vpn + place.npages;
  const uint32_t room = world.arena() - focus.vpn;
  uint32_t n = 1;
  const uint32_t table = TableForLengths(world, rnd);
  const uint32_t draw = rnd->Below(100);
  if (draw < 1) return 0;
  if (draw < 2) return std::min(room + 1, world.arena());  // one page past the arena
  if (draw < 27) return 1;
  if (draw < 55 && focus.vpn < end) {
    n = NearBy(end - focus.vpn, rnd);
  } else if (draw < 62 && place.npages > 0) {
    n = place.npages;
  } else if (draw < 80) {
    n = NearBy(1u << PickOrder(world, rnd), rnd);
  } else if (draw < 88) {
    n = NearBy(table, rnd);
  } else if (draw < 94) {
    n = std::min(world.table - focus.vpn % world.table, table);  // up to the end of the table
  } else {
    n = rnd->Between(1, 2 * table);
  }
  return std::clamp(n, 1u, room);
}

uint32_t GenerateMapFlags(Random* rnd) {
  const uint32_t draw = rnd->Below(100);
  uint32_t flags = draw < 75 ? 3 : draw < 92 ? 1 : 0;  // rw, r, none
  if (rnd->Percent(20)) flags |= kMapShared;
  if (rnd->Percent(15)) flags |= kMapPopulate;
  if (rnd->Percent(10)) flags |= kMapLocked;
  if (rnd->Percent(30)) flags |= kMapFixed;
  if (rnd->Percent(10)) flags |= kMapNoHuge;
  return flags;
}

uint32_t GenerateGupFlags(Random* rnd) {
  uint32_t flags = 0;
  if (rnd->Percent(50)) flags |= kGupWrite;
  if (rnd->Percent(35)) flags |= kGupLongterm;
  if (rnd->Percent(25)) flags |= kGupGet;
  if (rnd->Percent(30)) flags |= kGupFast;
  return flags;
}

uint32_t GeneratePgoff(const ArgContext& context, const ArgFocus& focus, Random* rnd) {
  if (focus.file == kNoFile || rnd->OneIn(2)) return 0;
  const World& world = context.world();
  const uint32_t table = TableForLengths(world, rnd);
  switch (rnd->Below(8)) {
    case 0:
      return rnd->Below(2 * table);
    case 1:
      return rnd->OneIn(8) ? kMaxArena - rnd->Below(3) : NearBy(table, rnd);
    default:
      return NearBy(rnd->Below(4) << PickOrder(world, rnd), rnd);
  }
}

// A number near another one, by a distance that matters to tables and folios.
uint32_t NudgeNumber(ArgKind kind, uint32_t value, const World& world, Random* rnd) {
  const uint32_t table = kind == ArgKind::kVpn ? world.table : TableForLengths(world, rnd);
  const uint32_t steps[] = {1, 1, 1u << PickOrder(world, rnd), table, value / 2};
  const uint32_t step = rnd->Pick(steps);
  return rnd->OneIn(2) && value >= step ? value - step : value + step;
}

}  // namespace

ArgContext::ArgContext(const World& world) : world_(world) {}

void ArgContext::Spend(ArgKind kind, uint32_t id) {
  Live& live = live_[Slot(kind)];
  const auto end = live.id.begin() + live.n;
  live.n = static_cast<uint32_t>(std::remove(live.id.begin(), end, id) - live.id.begin());
}

void ArgContext::AddPlace(HotPlace place) {
  if (place.npages == 0) return;
  places_[next_place_] = place;
  next_place_ = (next_place_ + 1) % kPlaces;
  places_used_ = std::min(places_used_ + 1, kPlaces);
}

void ArgContext::Note(const Op& op) {
  const uint32_t id = bound_.Add(op);
  const ArgKind result = DescOf(op.code).result;
  if (result != ArgKind::kNone) {
    Live& live = live_[Slot(result)];
    if (live.n == kHot) {
      std::copy(live.id.begin() + 1, live.id.end(), live.id.begin());
      --live.n;
    }
    live.id[live.n++] = id;
  }
  switch (op.code) {
    case Opcode::map:
      AddPlace({op.arg[0], op.arg[1], std::min(op.arg[2], world_.arena() - op.arg[1])});
      break;
    case Opcode::fork: {
      // The child has the ranges of its parent; the newest few are enough.
      constexpr uint32_t kInherited = 3;
      const std::array<HotPlace, kPlaces> before = places_;
      const uint32_t used = places_used_, next = next_place_;
      uint32_t copied = 0;
      for (uint32_t i = 1; i <= used && copied < kInherited; ++i) {
        HotPlace place = before[(next + kPlaces - i) % kPlaces];
        if (place.mm != op.arg[0]) continue;
        place.mm = id;
        AddPlace(place);
        ++copied;
      }
      break;
    }
    case Opcode::exit:
      Spend(ArgKind::kMm, op.arg[0]);
      break;
    case Opcode::putback:
      Spend(ArgKind::kIso, op.arg[0]);
      break;
    case Opcode::migrate_end:
    case Opcode::migrate_abort:
      Spend(ArgKind::kMig, op.arg[0]);
      break;
    case Opcode::unpin:
    case Opcode::unpin_dirty:
      Spend(ArgKind::kPin, op.arg[0]);
      break;
    case Opcode::zap_finish:
      Spend(ArgKind::kZap, op.arg[0]);
      break;
    default:
      break;
  }
}

void ArgContext::Scan(const Program& program, size_t end) {
  for (size_t i = 0; i < end; ++i) Note(program.ops[i]);
}

bool ArgContext::HasLive(ArgKind kind) const { return live_[Slot(kind)].n > 0; }

uint32_t ArgContext::PickHandle(ArgKind kind, Random* rnd) const {
  const uint32_t count = bound_[kind];
  if (kind == ArgKind::kFile && (count == 0 || rnd->Percent(65))) return kNoFile;
  if (count == 0) return 0;
  const Live& live = live_[Slot(kind)];
  if (live.n == 0 || rnd->Percent(4)) return rnd->Below(count);
  if (rnd->OneIn(2)) return live.id[live.n - 1];
  return live.id[rnd->Below(live.n)];
}

HotPlace ArgContext::PickPlace(uint32_t mm, Random* rnd) const {
  if (places_used_ == 0) return {mm, 0, 0};
  // Newer ranges more often: the older of two draws loses.
  const uint32_t age = std::min(rnd->Below(places_used_), rnd->Below(places_used_));
  const bool any = rnd->Percent(8);
  for (uint32_t i = 0; i < places_used_; ++i) {
    const uint32_t at = (age + i) % places_used_;
    const HotPlace& place = places_[(next_place_ + kPlaces - 1 - at) % kPlaces];
    if (any || place.mm == mm) return place;
  }
  return {mm, 0, 0};
}

uint32_t GenerateArg(ArgKind kind, const ArgContext& context, ArgFocus* focus, Random* rnd) {
  const World& world = context.world();
  switch (kind) {
    case ArgKind::kMm: {
      const uint32_t mm = context.PickHandle(kind, rnd);
      focus->place = context.PickPlace(mm, rnd);
      return mm;
    }
    case ArgKind::kFile:
      focus->file = context.PickHandle(kind, rnd);
      return focus->file;
    case ArgKind::kIso:
    case ArgKind::kMig:
    case ArgKind::kPin:
    case ArgKind::kZap:
      return context.PickHandle(kind, rnd);
    case ArgKind::kVpn:
      return GenerateVpn(context, focus, rnd);
    case ArgKind::kNpages:
      return GenerateNpages(context, *focus, rnd);
    case ArgKind::kPgoff:
      return GeneratePgoff(context, *focus, rnd);
    case ArgKind::kOrder:
      return rnd->OneIn(3) ? rnd->Below(MaxOrder(world) + 1) : PickOrder(world, rnd);
    case ArgKind::kNode:
      return rnd->Percent(3) ? world.nodes : rnd->Below(world.nodes);
    case ArgKind::kProt: {
      const uint32_t prots[] = {3, 3, 3, 3, 1, 1, 1, 0, 0};
      return rnd->Pick(prots);
    }
    case ArgKind::kMapFlags:
      return GenerateMapFlags(rnd);
    case ArgKind::kGupFlags:
      return GenerateGupFlags(rnd);
    case ArgKind::kTtuFlags:
      return rnd->OneIn(2) ? 0 : rnd->Below(kTtuAllFlags + 1);
    case ArgKind::kNone:
      break;
  }
  return 0;
}

uint32_t MutateArg(ArgKind kind, uint32_t value, const ArgContext& context, Random* rnd) {
  ArgFocus focus;
  focus.place = context.PickPlace(context.PickHandle(ArgKind::kMm, rnd), rnd);
  focus.vpn = focus.place.vpn;
  focus.file = 0;
  switch (kind) {
    case ArgKind::kVpn:
    case ArgKind::kNpages:
    case ArgKind::kPgoff:
      value = rnd->OneIn(3) ? GenerateArg(kind, context, &focus, rnd)
                            : NudgeNumber(kind, value, context.world(), rnd);
      break;
    case ArgKind::kMapFlags:
      value ^= 1u << rnd->Below(7);
      break;
    case ArgKind::kGupFlags:
      value ^= 1u << rnd->Below(4);
      break;
    case ArgKind::kTtuFlags:
      value ^= 1u << rnd->Below(2);
      break;
    default:
      value = GenerateArg(kind, context, &focus, rnd);
      break;
  }
  return FixupArg(kind, value, context.world(), context.bound());
}

}  // namespace mmdiff
