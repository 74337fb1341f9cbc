// Digest: a 64-bit sum over the facts of a state, cheap to keep as the state changes.
//
// Each record of state.h is one fact; its hash mixes all of its fields; the digest of a state is
// the wrapping sum of the hashes of its facts, so it does not depend on order and one changed
// record costs one subtraction and one addition. Folio numbers enter as the implementation's own,
// which count folios in the order in which they were first installed: two implementations that
// agree on states agree on those too.
//
// The digest decides nothing alone: where two digests differ, full snapshots are compared, and a
// digest that differs while the snapshots agree is reported as a fault of the harness.
#ifndef MMDIFF_STATE_DIGEST_H_
#define MMDIFF_STATE_DIGEST_H_

#include <cstdint>

#include "state/state.h"

namespace mmdiff {

using Digest = uint64_t;

// One round of a 64-bit mixer (multiply, fold).
inline constexpr uint64_t Mix(uint64_t h, uint64_t v) {
  const __uint128_t p =
      static_cast<__uint128_t>(h ^ v ^ 0x9e3779b97f4a7c15ull) * 0xd6e8feb86659fd93ull;
  return static_cast<uint64_t>(p) ^ static_cast<uint64_t>(p >> 64);
}
inline constexpr uint64_t Pair(uint32_t hi, uint32_t lo) {
  return static_cast<uint64_t>(hi) << 32 | lo;
}

inline Digest FactHash(const MmState& f) {
  uint64_t h = Mix(1, Pair(f.id, f.rss_anon));
  h = Mix(h, Pair(f.rss_file, f.rss_shmem));
  h = Mix(h, Pair(f.rss_swap, f.locked_vm));
  h = Mix(h, Pair(f.total_vm, f.map_count));
  return Mix(h, Pair(f.has_pinned, f.tlb_flush_pending));
}
inline Digest FactHash(const VmaState& f) {
  uint64_t h = Mix(2, Pair(f.mm, f.start));
  h = Mix(h, Pair(f.end, f.flags));
  h = Mix(h, Pair(f.file, f.pgoff));
  return Mix(h, f.anon_vma);
}
inline Digest FactHash(const PteState& f) {
  uint64_t h = Mix(3, Pair(f.mm, f.vpn));
  h = Mix(h, Pair(f.folio, f.slot));
  return Mix(h,
             static_cast<uint64_t>(f.kind) << 32 | static_cast<uint64_t>(f.bits) << 16 | f.offset);
}
inline Digest FactHash(const FolioState& f) {
  uint64_t h = Mix(4, Pair(f.id, f.flags));
  h = Mix(h, Pair(f.refcount, f.mapcount));
  h = Mix(h, Pair(f.pincount, f.mlock_count));
  h = Mix(h, Pair(f.file, f.index));
  return Mix(h, static_cast<uint64_t>(f.slot) << 32 | static_cast<uint64_t>(f.order) << 24 |
                    static_cast<uint64_t>(f.node) << 16 | static_cast<uint64_t>(f.zone) << 8 |
                    static_cast<uint64_t>(f.lru));
}
inline Digest FactHash(const PageState& f) {
  uint64_t h = Mix(5, Pair(f.folio, f.offset));
  h = Mix(h, Pair(f.mapcount, f.anon_exclusive));
  return Mix(h, f.content);
}
inline Digest FactHash(const SwapState& f) {
  return Mix(Mix(Mix(6, Pair(f.slot, f.count)), f.cached), f.content);
}
inline Digest FactHash(const BatchState& f) {
  return Mix(Mix(7, Pair(f.cpu, f.position)),
             static_cast<uint64_t>(f.kind) << 40 | static_cast<uint64_t>(f.tag) << 32 | f.folio);
}
inline Digest FactHash(const TlbState& f) {
  uint64_t h = Mix(8, Pair(f.cpu, f.mm));
  h = Mix(h, Pair(f.vpn, f.folio));
  return Mix(h, static_cast<uint64_t>(f.offset) << 2 | f.write << 1 | f.dirty);
}
inline Digest FactHash(const StatState& f) {
  uint64_t h = Mix(9, Pair(f.nr_anon_mapped, f.nr_file_mapped));
  h = Mix(h, Pair(f.nr_mlock, f.nr_allocated));
  h = Mix(h, Pair(f.nr_isolated_anon, f.nr_isolated_file));
  h = Mix(h, Pair(f.nr_inactive_anon, f.nr_active_anon));
  h = Mix(h, Pair(f.nr_inactive_file, f.nr_active_file));
  return Mix(h, f.nr_unevictable);
}

// The digest of a whole snapshot, taken before Canonicalize(); what an incremental digest must
// equal.
Digest DigestOf(const State& state);

}  // namespace mmdiff

#endif  // MMDIFF_STATE_DIGEST_H_
