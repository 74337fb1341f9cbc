#include <algorithm>
#include <utility>

#include "minimize/passes.h"
#include "minimize/ranges.h"
#include "program/edit.h"

namespace mmdiff {
namespace {

// True if the two differ in nothing but the pages they name.
bool Alike(const Op& a, const Op& b) {
  if (a.code != b.code) return false;
  const OpDesc& desc = DescOf(a.code);
  for (size_t i = 0; i < desc.nargs; ++i) {
    const ArgKind kind = desc.args[i].kind;
    if (kind == ArgKind::kVpn || kind == ArgKind::kNpages || kind == ArgKind::kPgoff) continue;
    if (a.arg[i] != b.arg[i]) return false;
  }
  return ArgOf(a.code, ArgKind::kNpages) != kNoArg && ArgOf(a.code, ArgKind::kVpn) != kNoArg;
}

bool TryMerge(Search* search, size_t i, size_t j) {
  const Program& best = search->best();
  const Range a = *RangeOf(best.ops[i]), b = *RangeOf(best.ops[j]);
  const uint32_t start = std::min(a.vpn, b.vpn);
  const Range both{start, std::max(a.end(), b.end()) - start};
  for (const size_t at : {i, j}) {
    Program candidate = best;
    SetRange(&candidate.ops[at], both);
    RemoveRange(&candidate, at == i ? j : i, 1);
    if (search->Try(std::move(candidate))) return true;
  }
  return false;
}

}  // namespace

bool MergeRanges(Search* search) {
  bool accepted = false;
  for (size_t i = search->size(); i-- > 0 && !search->done();) {
    // With the next one of its sort only: a chain of them is merged link by link.
    for (size_t j = i + 1; j < search->size(); ++j) {
      if (!Alike(search->best().ops[i], search->best().ops[j])) continue;
      accepted |= TryMerge(search, i, j);
      break;
    }
  }
  return accepted;
}

}  // namespace mmdiff
