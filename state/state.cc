#include "state/state.h"

#include "state/digest.h"

namespace mmdiff {

void State::Clear() {
  mms.clear();
  vmas.clear();
  ptes.clear();
  folios.clear();
  pages.clear();
  swaps.clear();
  batches.clear();
  tlbs.clear();
  stats = StatState{};
}

Digest DigestOf(const State& state) {
  Digest d = FactHash(state.stats);
  for (const auto& f : state.mms) d += FactHash(f);
  for (const auto& f : state.vmas) d += FactHash(f);
  for (const auto& f : state.ptes) d += FactHash(f);
  for (const auto& f : state.folios) d += FactHash(f);
  for (const auto& f : state.pages) d += FactHash(f);
  for (const auto& f : state.swaps) d += FactHash(f);
  for (const auto& f : state.batches) d += FactHash(f);
  for (const auto& f : state.tlbs) d += FactHash(f);
  return d;
}

}  // namespace mmdiff
