#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "minimize/passes.h"
#include "minimize/ranges.h"
#include "program/edit.h"

namespace mmdiff {
namespace {

// Everything outside of [lo, hi) is taken out of all ranges; operations left with nothing go.
bool TryClip(Search* search, uint32_t lo, uint32_t hi) {
  Program candidate = search->best();
  std::vector<bool> keep(candidate.ops.size(), true);
  for (size_t i = 0; i < candidate.ops.size(); ++i) {
    const auto range = RangeOf(candidate.ops[i]);
    if (!range) continue;
    const uint32_t start = std::max(range->vpn, lo), end = std::min(range->end(), hi);
    if (start < end) {
      SetRange(&candidate.ops[i], {start, end - start});
    } else {
      keep[i] = false;
    }
  }
  RemoveOps(&candidate, keep);
  return search->Try(std::move(candidate));
}

bool Clip(Search* search) {
  bool accepted = false;
  std::set<uint32_t> edges;
  for (const Op& op : search->best().ops) {
    if (const auto range = RangeOf(op)) edges.insert({range->vpn, range->end()});
  }
  // The largest cuts first from both sides; once one holds, smaller ones of that side are implied.
  for (auto e = edges.rbegin(); e != edges.rend() && !search->done(); ++e) {
    if (TryClip(search, *e, 0xffffffff)) {
      accepted = true;
      break;
    }
  }
  for (auto e = edges.begin(); e != edges.end() && !search->done(); ++e) {
    if (TryClip(search, 0, *e)) {
      accepted = true;
      break;
    }
  }
  return accepted;
}

// Tries `narrow` in the place of `range` in every operation that names it.
bool TryAll(Search* search, Range range, Range narrow) {
  Program candidate = search->best();
  for (Op& op : candidate.ops) {
    if (RangeOf(op) == range) SetRange(&op, narrow);
  }
  return search->Try(std::move(candidate));
}

bool TryOne(Search* search, size_t at, Range narrow) {
  Program candidate = search->best();
  SetRange(&candidate.ops[at], narrow);
  return search->Try(std::move(candidate));
}

// Halves, quarters, ... off the front and the back as long as `accept` takes them.
template <typename Accept>
bool Narrow(Range range, const Accept& accept) {
  bool accepted = false;
  for (uint32_t cut = range.npages / 2; cut > 0; cut = std::min(cut, range.npages) / 2) {
    for (bool again = true; again && range.npages > cut;) {
      again = false;
      for (const Range narrow :
           {Range{range.vpn, range.npages - cut}, Range{range.vpn + cut, range.npages - cut}}) {
        if (!accept(range, narrow)) continue;
        range = narrow;
        accepted = again = true;
        break;
      }
    }
  }
  return accepted;
}

}  // namespace

bool NarrowRanges(Search* search) {
  bool accepted = Clip(search);
  std::set<Range> ranges;
  for (const Op& op : search->best().ops) {
    const auto range = RangeOf(op);
    if (range && range->npages > 1) ranges.insert(*range);
  }
  for (const Range& range : ranges) {
    if (search->done()) return accepted;
    accepted |= Narrow(range, [&](Range from, Range to) { return TryAll(search, from, to); });
  }
  for (size_t i = 0; i < search->size() && !search->done(); ++i) {
    const auto range = RangeOf(search->best().ops[i]);
    if (!range) continue;
    accepted |= Narrow(*range, [&](Range, Range to) { return TryOne(search, i, to); });
  }
  return accepted;
}

}  // namespace mmdiff
