#include <cstdint>
#include <set>
#include <utility>

#include "minimize/passes.h"
#include "minimize/ranges.h"
#include "program/world.h"

namespace mmdiff {
namespace {

// Every address from `from` on goes down by `distance`.
bool TryShift(Search* search, uint32_t from, uint32_t distance) {
  Program candidate = search->best();
  for (Op& op : candidate.ops) {
    const size_t vpn = ArgOf(op.code, ArgKind::kVpn);
    if (vpn != kNoArg && op.arg[vpn] >= from) op.arg[vpn] -= distance;
  }
  return search->Try(std::move(candidate));
}

// Closes as much as possible of the gap of `gap` pages below `from`. Whole tables first, so that
// alignment to tables and folios is kept where it matters. Returns what was closed.
uint32_t CloseGap(Search* search, uint32_t from, uint32_t gap) {
  uint32_t closed = 0;
  for (uint32_t order = MaxOrder(search->best().world) + 1; order-- > 0;) {
    const uint32_t whole = (gap - closed) >> order << order;
    if (whole != 0 && TryShift(search, from - closed, whole)) {
      closed += whole;
      continue;
    }
    const uint32_t one = 1u << order;
    if (whole > one && TryShift(search, from - closed, one)) closed += one;
  }
  return closed;
}

}  // namespace

bool Translate(Search* search) {
  bool accepted = false;
  std::set<uint32_t> starts;
  for (const Op& op : search->best().ops) {
    const size_t vpn = ArgOf(op.code, ArgKind::kVpn);
    if (vpn != kNoArg) starts.insert(op.arg[vpn]);
  }
  uint32_t before = 0;  // the start below, as it is now
  uint32_t moved = 0;   // how far everything from here on has gone down
  for (const uint32_t start : starts) {
    if (search->done()) break;
    const uint32_t now = start - moved;
    const uint32_t closed = CloseGap(search, now, now - before);
    accepted |= closed != 0;
    moved += closed;
    before = now - closed;
  }
  return accepted;
}

}  // namespace mmdiff
