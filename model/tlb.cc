#include "model/tlb.h"

#include <algorithm>

#include "model/kernel.h"

MMDIFF_MODEL_BEGIN

namespace {

// Index of an entry in the arrays of its TlbTable.
uint32_t IndexOf(const Mm& mm, uint32_t cpu, uint32_t vpn) {
  const uint32_t size = 1u << mm.table_shift;
  return (cpu << mm.table_shift) + (vpn & (size - 1));
}

TlbTable* AllocTable(Kernel& k, Mm& mm, uint32_t vpn) {
  TlbTable* table = k.tlb_tables.Alloc();
  const uint32_t size = k.world.cpus << mm.table_shift;
  if (table->capacity < size) {
    const uint32_t words = (size + 63) / 64;
    table->entries = std::make_unique<TlbEntry[]>(size);
    table->hashes = std::make_unique<uint64_t[]>(size);
    table->valid = std::make_unique<uint64_t[]>(words);
    table->touched_slots = std::make_unique<uint64_t[]>(words);
    table->capacity = size;
  }
  table->mm = &mm;
  table->base = vpn >> mm.table_shift << mm.table_shift;
  table->nr_valid = 0;
  return table;
}

void TouchSlot(Kernel& k, TlbTable& table, uint32_t i) {
  if constexpr (!kThreaded) {
    table.touched_slots[i / 64] |= 1ull << (i % 64);
    Touch(k.touched.tlbs, &table, table.tracked);
  }
}

bool Valid(const TlbTable& table, uint32_t i) { return (table.valid[i / 64] >> (i % 64) & 1) != 0; }

void Drop(Kernel& k, TlbTable& table, uint32_t i) {
  table.valid[i / 64] &= ~(1ull << (i % 64));
  --table.nr_valid;
  TouchSlot(k, table, i);
}

void Insert(Kernel& k, Mm& mm, uint32_t cpu, uint32_t vpn, const TlbEntry& entry) {
  TlbTable*& table = mm.tlb[vpn >> mm.table_shift];
  if (table == nullptr) table = AllocTable(k, mm, vpn);
  const uint32_t i = IndexOf(mm, cpu, vpn);
  if (!Valid(*table, i)) ++table->nr_valid;
  table->valid[i / 64] |= 1ull << (i % 64);
  table->entries[i] = entry;
  TouchSlot(k, *table, i);
}

// Drops the valid entries of [first, last] of the arrays.
void DropRange(Kernel& k, TlbTable& table, uint32_t first, uint32_t last) {
  for (uint32_t w = first / 64; w <= last / 64; ++w) {
    uint64_t bits = table.valid[w];
    if (w == first / 64) bits &= ~0ull << (first % 64);
    if (w == last / 64) bits &= ~0ull >> (63 - last % 64);
    for (; bits != 0; bits &= bits - 1) {
      Drop(k, table, w * 64 + static_cast<uint32_t>(__builtin_ctzll(bits)));
    }
  }
}

// Loads or stores through an entry.
void Use(Task& t, const TlbEntry& entry, bool write, uint64_t* value) {
  if (entry.folio == kNoFolio) {
    *value = 0;
    return;
  }
  Page& page = *pfn_to_page(t.k, entry.pfn);
  if (write) {
    set_content(t, page, *value);
  } else {
    *value = page.content.get();
  }
}

// The access as far as a cached translation serves it without a look at the page table.
bool TryHit(Task& t, Mm& mm, uint32_t vpn, bool write, uint64_t* value) {
  sync::Guard guard(mm.tlb_lock);
  TlbTable* table = mm.tlb[vpn >> mm.table_shift];
  if (table == nullptr) return false;
  const uint32_t i = IndexOf(mm, t.cpu, vpn);
  if (!Valid(*table, i)) return false;
  const TlbEntry& entry = table->entries[i];
  if (write && !(entry.write && entry.dirty)) return false;
  Use(t, entry, write, value);
  return true;
}

// A store through an entry that is writable but not dirty sets the dirty bit of the page table, if
// that still maps the page writable. Otherwise, and for a store through a read-only entry, the
// entry goes.
bool TryDirty(Task& t, Mm& mm, uint32_t vpn, PageTable* ptes, uint64_t* value) {
  TlbTable* table = mm.tlb[vpn >> mm.table_shift];
  if (table == nullptr) return false;
  const uint32_t i = IndexOf(mm, t.cpu, vpn);
  if (!Valid(*table, i)) return false;
  TlbEntry& entry = table->entries[i];
  if (entry.write && ptes != nullptr) {
    const Pte pte = ptes->at(vpn - ptes->base);
    if (pte.present() && pte.write() && entry.folio != kNoFolio && pte.pfn() == entry.pfn) {
      set_pte(t, *ptes, vpn, pte.With(kPteDirty | kPteYoung));
      entry.dirty = true;
      TouchSlot(t.k, *table, i);
      Use(t, entry, true, value);
      return true;
    }
  }
  Drop(t.k, *table, i);
  return false;
}

// The walk of the page table by the hardware.
bool Walk(Task& t, Mm& mm, uint32_t vpn, bool write, PageTable& ptes, uint64_t* value) {
  Pte pte = ptes.at(vpn - ptes.base);
  if (!pte.present() && !pte.zero()) return false;
  if (pte.protnone() || (write && !pte.write())) return false;
  pte = pte.With(write ? kPteYoung | kPteDirty : kPteYoung);
  set_pte(t, ptes, vpn, pte);
  TlbEntry entry;
  if (pte.present()) {
    const Page& page = *pfn_to_page(t.k, pte.pfn());
    entry.pfn = pte.pfn();
    entry.folio = page.folio->id;
    entry.offset = static_cast<uint16_t>(folio_page_idx(*page.folio, page));
    entry.write = pte.write();
    entry.dirty = pte.dirty();
  }
  Insert(t.k, mm, t.cpu, vpn, entry);
  Use(t, entry, write, value);
  return true;
}

// Drops the entries of [start, end) on every CPU; the mm's tlb_lock is held.
void FlushRange(Kernel& k, Mm& mm, uint32_t start, uint32_t end) {
  const uint32_t size = 1u << mm.table_shift;
  for (uint32_t at = start; at < end;) {
    const uint32_t base = at & ~(size - 1);
    const uint32_t stop = std::min(end, base + size);
    if (TlbTable* table = mm.tlb[at >> mm.table_shift]; table != nullptr && table->nr_valid != 0) {
      for (uint32_t cpu = 0; cpu < k.world.cpus; ++cpu) {
        DropRange(k, *table, IndexOf(mm, cpu, at), IndexOf(mm, cpu, stop - 1));
      }
    }
    at = stop;
  }
}

// Nothing is put off for the mm any more; its tlb_lock is held.
void ForgetPending(Task& t, Mm& mm) {
  if (mm.tlb_flush_pending.get() == 0) return;
  mm.tlb_flush_pending.set(0);
  sync::Guard guard(t.k.ubc_lock);
  t.k.ubc_mms.erase(std::find(t.k.ubc_mms.begin(), t.k.ubc_mms.end(), &mm));
  touch_mm(t, mm);
}

}  // namespace

void flush_tlb_range(Task& t, Mm& mm, uint32_t start, uint32_t end) {
  t.k.cost.tlb_flushes.add(1);
  sync::Guard guard(mm.tlb_lock);
  FlushRange(t.k, mm, start, end);
}

void tlb_forget_range(Task& t, Mm& mm, uint32_t start, uint32_t end) {
  sync::Guard guard(mm.tlb_lock);
  FlushRange(t.k, mm, start, end);
}

void flush_tlb_mm(Task& t, Mm& mm) {
  t.k.cost.tlb_flushes.add(1);
  sync::Guard guard(mm.tlb_lock);
  FlushRange(t.k, mm, 0, mm.tables << mm.table_shift);
  ForgetPending(t, mm);
}

bool should_defer_flush(const Task& t, const Mm& mm) {
  return (mm.cpus.get() & ~(1u << t.cpu)) != 0;
}

bool pte_accessible(const Mm& mm, Pte pte) { return !pte.protnone() || mm.gathers.get() != 0; }

void set_tlb_ubc_flush_pending(Task& t, Mm& mm) {
  // Under the lock of the flush: one that ran before the entries were cleared does not undo this.
  sync::Guard tlb_guard(mm.tlb_lock);
  mm.tlb_flush_batched.set(1);
  if (mm.tlb_flush_pending.get() != 0) return;
  mm.tlb_flush_pending.set(1);
  sync::Guard guard(t.k.ubc_lock);
  t.k.ubc_mms.push_back(&mm);
  touch_mm(t, mm);
}

void flush_tlb_batched_pending(Task& t, Mm& mm, uint32_t start, uint32_t end) {
  // Before the flush: what is put off while it goes on is not forgotten.
  if (mm.tlb_flush_batched.get() == 0 || start >= end) return;
  uint32_t index = start >> mm.table_shift;
  const uint32_t last = (end - 1) >> mm.table_shift;
  while (index <= last && mm.pgd[index].get() == nullptr) ++index;
  if (index > last) return;
  mm.tlb_flush_batched.set(0);
  flush_tlb_mm(t, mm);
}

void try_to_unmap_flush(Task& t) {
  for (;;) {
    Mm* mm = nullptr;
    {
      // It leaves the list when it is flushed: nobody believes it done before.
      sync::Guard guard(t.k.ubc_lock);
      if (t.k.ubc_mms.empty()) return;
      mm = t.k.ubc_mms.front();
      mm->users.add(1);  // alive while it is on the list
    }
    flush_tlb_mm(t, *mm);
    t.k.mmput(*mm);
  }
}

TlbAccess tlb_access(Task& t, Mm& mm, uint32_t vpn, bool write, uint64_t* value) {
  if (TryHit(t, mm, vpn, write, value)) return TlbAccess::kDone;
  PageTable* ptes = pmd_lookup(mm, vpn);
  if (ptes == nullptr) {
    sync::Guard guard(mm.tlb_lock);
    if (write) TryDirty(t, mm, vpn, nullptr, value);  // drops an entry that does not serve
    return TlbAccess::kFault;
  }
  sync::Guard pte_guard(ptes->lock);
  sync::Guard tlb_guard(mm.tlb_lock);
  if (write && TryDirty(t, mm, vpn, ptes, value)) return TlbAccess::kDone;
  return Walk(t, mm, vpn, write, *ptes, value) ? TlbAccess::kDone : TlbAccess::kFault;
}

MMDIFF_MODEL_END
