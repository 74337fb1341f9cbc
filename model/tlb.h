// The TLBs: per CPU, what translations it holds. The kernel's tlb.c; a real entry is hardware.
//
// Kept by (mm, table): one TlbTable holds the entries of all CPUs for one page table's range, so
// that a flush of a range costs O(words of the bitmap + entries dropped). Under Mm::tlb_lock.
#ifndef MMDIFF_MODEL_TLB_H_
#define MMDIFF_MODEL_TLB_H_

#include <memory>

#include "model/mm.h"

MMDIFF_MODEL_BEGIN

struct TlbEntry {
  uint32_t pfn = 0;
  uint32_t folio =
      kNoFolio;  // number of the folio when the entry was made; kNoFolio: the zero page
  uint16_t offset = 0;
  bool write = false;
  bool dirty = false;
};
struct TlbTable {
  Mm* mm = nullptr;
  uint32_t base = 0;
  uint32_t nr_valid = 0;
  uint32_t capacity = 0;  // of the arrays
  // Index cpu * World::table + slot.
  std::unique_ptr<TlbEntry[]> entries;
  std::unique_ptr<uint64_t[]> hashes;
  std::unique_ptr<uint64_t[]> valid;          // bit per index
  std::unique_ptr<uint64_t[]> touched_slots;  // bit per index
  Tracked tracked;
};

// Drops the mm's entries of [start, end) on every CPU.
void flush_tlb_range(Task& t, Mm& mm, uint32_t start, uint32_t end);
inline void flush_tlb_page(Task& t, Mm& mm, uint32_t vpn) { flush_tlb_range(t, mm, vpn, vpn + 1); }
// World::tlb 0, at the end of an access to [start, end): the CPUs have forgotten it. Costs no
// flush.
void tlb_forget_range(Task& t, Mm& mm, uint32_t start, uint32_t end);
// The whole mm; with it what was put off for it is done.
void flush_tlb_mm(Task& t, Mm& mm);

// Deferred flushes of batched unmaps.
// True if a flush for a batched unmap on this mm may wait: another CPU than the task's ever ran it.
bool should_defer_flush(const Task& t, const Mm& mm);
// Whether a CPU may have cached a present entry: not without rights, unless a gather is open, whose
// flush may be to come.
bool pte_accessible(const Mm& mm, Pte pte);
void set_tlb_ubc_flush_pending(Task& t, Mm& mm);
// Before an operation changes entries of mm: does what was put off for it.
void flush_tlb_batched_pending(Task& t, Mm& mm, uint32_t start, uint32_t end);
// flush_batched: does what was put off for every mm.
void try_to_unmap_flush(Task& t);

// One load or store of the task's CPU, through the TLB and, on a miss, the page-table walk; faults
// are the caller's. kDone: *value is what was read, or was stored.
enum class TlbAccess : uint8_t { kDone, kFault };
TlbAccess tlb_access(Task& t, Mm& mm, uint32_t vpn, bool write, uint64_t* value);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_TLB_H_
