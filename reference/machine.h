// The flat data of the reference, and nothing that is derived from it.
//
// There is no mapcount here, no refcount, no rss, no list length: whoever wants one counts
// (count.cc). Records are plain and live in vectors that keep their capacity from program to
// program.
#ifndef MMDIFF_REFERENCE_MACHINE_H_
#define MMDIFF_REFERENCE_MACHINE_H_

#include <cstdint>
#include <vector>

#include "state/state.h"

namespace mmdiff::reference {

using FolioId = uint32_t;

// A page-table entry. `ref` is the folio (present, migration) or the swap slot.
struct Pte {
  PteKind kind = PteKind::kNone;
  uint8_t bits = 0;
  uint16_t offset = 0;
  uint32_t ref = 0;

  bool none() const { return kind == PteKind::kNone; }
  bool present() const { return kind == PteKind::kPresent; }
  bool maps(FolioId f) const { return present() && ref == f; }
  // Maps `f`, or is a migration entry of it.
  bool of(FolioId f) const { return ref == f && (present() || kind == PteKind::kMigration); }
  bool has(uint8_t bit) const { return (bits & bit) != 0; }
};

// A chain of anon_vmas, root first: [first, first + size) of Machine::chains.
struct Chain {
  uint32_t first = 0;
  uint32_t size = 0;
};

inline constexpr uint32_t kNoAnonVma = 0xffffffff;
struct AnonVma {
  uint32_t parent = kNoAnonVma;  // kNoAnonVma: a root
};

struct Vma {
  uint32_t start = 0, end = 0;
  uint32_t flags = 0;
  uint32_t file = 0;  // as VmaState::file
  uint32_t pgoff = 0;
  uint32_t anon_vma = kNoAnonVma;
  Chain chain;

  bool shared() const { return (flags & kVmShared) != 0; }
  bool writable() const { return (flags & kVmWrite) != 0; }
  bool locked() const { return (flags & kVmLocked) != 0; }
  uint32_t pages() const { return end - start; }
  uint32_t FileIndex(uint32_t vpn) const { return pgoff + (vpn - start); }
};

// A translation that a CPU holds for one page of one process.
struct TlbEntry {
  bool valid = false;
  bool write = false;
  bool dirty = false;
  uint16_t offset = 0;
  FolioId folio = kNoFolio;  // kNoFolio: the zero page
};

// Calls fn(i) for every bit i of [start, end) that is set, ascending; O(end - start) / 64 and
// those. fn may clear bit i.
template <typename Fn>
void ForEachBit(const std::vector<uint64_t>& set, uint32_t start, uint32_t end, Fn&& fn) {
  for (uint32_t word = start / 64; word * 64 < end; ++word) {
    uint64_t bits = set[word];
    if (word == start / 64) bits &= ~uint64_t{0} << (start % 64);
    if (end - word * 64 < 64) bits &= (uint64_t{1} << (end % 64)) - 1;
    for (; bits != 0; bits &= bits - 1)
      fn(word * 64 + static_cast<uint32_t>(__builtin_ctzll(bits)));
  }
}
inline void SetBit(std::vector<uint64_t>* set, uint32_t i, bool on) {
  const uint64_t bit = uint64_t{1} << (i % 64);
  uint64_t& word = (*set)[i / 64];
  word = on ? word | bit : word & ~bit;
}

struct Mm {
  uint32_t id = 0;    // handle index
  uint32_t slot = 0;  // in Engine::mms_
  bool alive = false;
  bool has_pinned = false;
  bool tlb_flush_pending = false;
  bool tlb_flush_batched = false;  // since flush_tlb_batched_pending; outlives the flush itself
  uint32_t cpus = 0;               // bit c: CPU c has accessed this mm
  uint32_t open_zaps = 0;
  bool advised = false;   // an madvise is at work on it, with a gather open
  std::vector<Pte> ptes;  // one per page of the arena
  // Bit v: ptes[v] is not none. An index for sweeps and no fact; SetPte() alone writes either.
  std::vector<uint64_t> used;
  // [table]: the page table is there. It comes with its first entry and goes when no VMA is left
  // over any of its pages.
  std::vector<uint8_t> tables;
  std::vector<Vma> vmas;                    // sorted by start
  std::vector<std::vector<TlbEntry>> tlbs;  // [cpu][vpn]
  // [cpu], bit v: tlbs[cpu][v] is valid. An index as well.
  std::vector<std::vector<uint64_t>> tlb_used;

  // Calls fn(vpn) for every entry of [start, end) that is not none, ascending; O(end - start) / 64
  // and those. fn may change entries that are not none into others that are not.
  template <typename Fn>
  void ForEachUsed(uint32_t start, uint32_t end, Fn&& fn) const {
    ForEachBit(used, start, end, fn);
  }
};

struct Page {
  uint64_t content = 0;
  bool anon_exclusive = false;
};

struct Folio {
  bool allocated = false;
  uint8_t order = 0;
  uint8_t node = 0;
  ZoneKind zone = ZoneKind::kMovable;
  LruList lru = LruList::kNone;
  uint32_t flags = 0;  // FolioFlags
  uint32_t mlock_count = 0;
  uint32_t file = 0;  // page cache, else kNoFile
  uint32_t index = 0;
  uint32_t slot = kNoSlot;  // swap cache
  uint32_t first_page = 0;  // in Machine::pages
  // No entry outside of [low, high) has ever been of this folio. An index for sweeps and no fact,
  // as Mm::used; SetPte() alone writes it.
  uint32_t low = 0xffffffff, high = 0;
  bool ever_three_mms =
      false;  // three processes once mapped it: MM_ID may call it shared for longer

  uint32_t pages() const { return 1u << order; }
  bool large() const { return order > 0; }
  bool is(uint32_t flag) const { return (flags & flag) != 0; }
  void Set(uint32_t flag, bool on = true) { flags = on ? flags | flag : flags & ~flag; }
  // folio_mark_dirty.
  void MarkDirty() { flags = (flags | kFolioDirty) & ~kFolioReclaim; }
};

struct File {
  uint32_t id = 0;  // handle index, or kShmemFile + n
  uint32_t npages = 0;
  uint32_t order = 0;
  std::vector<FolioId> cache;  // by page index
  bool shmem() const { return id >= kShmemFile; }
};

struct SwapSlot {
  FolioId cached = kNoFolio;
  uint64_t content = 0;
};

struct BatchEntry {
  FolioId folio = 0;
  MlockTag tag = MlockTag::kNone;
};

// A page that somebody holds outside page tables. kNoFolio: the zero page, which counts nothing.
struct HeldPage {
  FolioId folio = 0;
  uint32_t offset = 0;
};

// Handles. `open` until spent.
struct Iso {
  bool open = false;
  FolioId folio = 0;
};
// Where migrated folios go.
struct MigrateTarget {
  uint32_t node;  // kNoFolio: the folio's own
  ZoneKind zone;
};
struct Migration {
  bool open = false;
  bool was_mlocked = false;
  FolioId src = 0, dst = 0;
};
struct Pin {
  bool open = false;
  bool get = false;
  std::vector<HeldPage> pages;
};
// What a zap has taken out of page tables and not yet flushed and freed.
struct Gather {
  bool open = false;
  uint32_t mm = 0;
  uint32_t low = 0, high = 0;  // range to flush, [low, high); empty if equal
  std::vector<HeldPage> pages;
};

}  // namespace mmdiff::reference

#endif  // MMDIFF_REFERENCE_MACHINE_H_
