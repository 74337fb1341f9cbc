// Page tables: a PGD of tables of World::table entries. The kernel's pgtable.h.
//
// Every change of an entry goes through set_pte(), under PageTable::lock, so that the digest sees
// it. Tables are made on demand from a pool; nothing here knows folios, counters or the TLB.
#ifndef MMDIFF_MODEL_PAGE_TABLE_H_
#define MMDIFF_MODEL_PAGE_TABLE_H_

#include <memory>

#include "model/task.h"
#include "state/state.h"

MMDIFF_MODEL_BEGIN

// One entry: kind in bits 0-7, PteBits in 8-15, and the pfn (present, migration) or slot (swap)
// above 32.
struct Pte {
  uint64_t v = 0;

  static Pte Make(PteKind kind, uint32_t payload, uint32_t bits) {
    return Pte{static_cast<uint64_t>(payload) << 32 | static_cast<uint64_t>(bits) << 8 |
               static_cast<uint64_t>(kind)};
  }
  static Pte Present(uint32_t pfn, uint32_t bits) { return Make(PteKind::kPresent, pfn, bits); }
  static Pte Zero(uint32_t bits) { return Make(PteKind::kZero, 0, bits); }
  static Pte Swap(uint32_t slot, uint32_t bits) { return Make(PteKind::kSwap, slot, bits); }
  static Pte Migration(uint32_t pfn, uint32_t bits) { return Make(PteKind::kMigration, pfn, bits); }

  PteKind kind() const { return static_cast<PteKind>(v & 0xff); }
  uint32_t bits() const { return static_cast<uint32_t>(v >> 8) & 0xff; }
  uint32_t pfn() const { return static_cast<uint32_t>(v >> 32); }
  uint32_t slot() const { return static_cast<uint32_t>(v >> 32); }

  bool none() const { return v == 0; }
  bool present() const { return kind() == PteKind::kPresent; }  // a page of a folio
  bool zero() const { return kind() == PteKind::kZero; }
  bool swap() const { return kind() == PteKind::kSwap; }
  bool migration() const { return kind() == PteKind::kMigration; }
  bool write() const { return (bits() & kPteWrite) != 0; }
  bool dirty() const { return (bits() & kPteDirty) != 0; }
  bool young() const { return (bits() & kPteYoung) != 0; }
  bool protnone() const { return (bits() & kPteProtNone) != 0; }
  bool exclusive() const { return (bits() & kPteExclusive) != 0; }

  Pte With(uint32_t set) const { return Pte{v | static_cast<uint64_t>(set) << 8}; }
  Pte Without(uint32_t clear) const { return Pte{v & ~(static_cast<uint64_t>(clear) << 8)}; }
  bool operator==(const Pte&) const = default;
};

inline constexpr uint32_t kMaxTable = 512;

struct PageTable {
  sync::Mutex<sync::Rank::kPageTable> lock;
  Mm* mm = nullptr;              // nullptr: in the pool
  uint32_t base = 0;             // vpn of entry 0
  sync::Counter<uint32_t> used;  // entries that are not none
  uint32_t capacity = 0;         // of the arrays
  std::unique_ptr<sync::Counter<uint64_t>[]>
      entries;  // World::table of them; none while in the pool
  // For the digest: the hash it holds for each entry, and which entries changed.
  std::unique_ptr<uint64_t[]> hashes;
  uint64_t touched_slots[kMaxTable / 64] = {};
  Tracked tracked;

  Pte at(uint32_t i) const { return Pte{entries[i].get()}; }  // i: index in the table
};

// The table that holds `vpn`, or nullptr; O(1). pte_alloc makes it.
PageTable* pmd_lookup(const Mm& mm, uint32_t vpn);
PageTable* pte_alloc(Task& t, Mm& mm, uint32_t vpn);
// The entry of `vpn`, none if there is no table.
Pte ptep_get(const Mm& mm, uint32_t vpn);
// Stores an entry; the table's lock is held. set_ptes stores `nr` entries of consecutive pfns.
void set_pte(Task& t, PageTable& table, uint32_t vpn, Pte pte);
void set_ptes(Task& t, PageTable& table, uint32_t vpn, Pte first, uint32_t nr);
void clear_ptes(Task& t, PageTable& table, uint32_t vpn, uint32_t nr);
// Frees the tables of [start, end) that no VMA within [floor, ceiling) needs; all are empty.
void free_pgtables(Task& t, Mm& mm, uint32_t floor, uint32_t ceiling);

// Flags of folio_pte_batch.
enum FpbFlags : uint32_t {
  kFpbRespectWrite = 1,
  kFpbRespectDirty = 2,
  kFpbMergeWrite = 4,       // fold write into *pte
  kFpbMergeYoungDirty = 8,  // fold young and dirty into *pte
};
// Length of the run from `vpn` (whose entry is *pte, present, in `folio`) of entries that map the
// next pages of the folio, at most max_nr; the caller limits max_nr to one VMA and one table.
// protnone must agree; write and dirty only if asked. O(run).
uint32_t folio_pte_batch(Task& t, const PageTable& table, uint32_t vpn, Pte* pte,
                         const Folio& folio, uint32_t max_nr, uint32_t flags);
// Length of the run of swap entries from `vpn` with consecutive slots and the same exclusive bit.
uint32_t swap_pte_batch(const PageTable& table, uint32_t vpn, Pte first, uint32_t max_nr);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_PAGE_TABLE_H_
