// Zapping of page-table entries: the unmap_vmas half of the kernel's memory.c.
#include <algorithm>

#include "model/kernel.h"
#include "model/memory.h"

MMDIFF_MODEL_BEGIN

namespace {

struct Zap {
  Task& t;
  MmuGather& tlb;
  Vma& vma;
  PageTable* table = nullptr;
  bool force_flush = false;  // a dirty file entry went: its rmap removal waits for the flush
};

// Clears the run of entries of one folio that begins at vpn, at most up to `end`; its length.
// *full: the gather must be flushed.
uint32_t zap_present_ptes(Zap& z, uint32_t vpn, uint32_t end, Pte pte, bool* full) {
  Task& t = z.t;
  Page* page = pfn_to_page(t.k, pte.pfn());
  Folio& folio = *page->folio;
  uint32_t nr = 1;
  if (folio.large() && end - vpn > 1) {
    Pte merged = pte;
    const uint32_t run =
        folio_pte_batch(t, *z.table, vpn, &merged, folio, end - vpn, kFpbMergeYoungDirty);
    if (t.k.on.batch_zap) {
      nr = run;
      pte = merged;
    } else if (run > 1) {
      t.Choose(ChoiceKind::kZapBatch, z.vma.mm->id, vpn, 1);
    }
  }
  clear_ptes(t, *z.table, vpn, nr);
  tlb_flush_range(z.tlb, vpn, vpn + nr);
  add_mm_counter(t, *z.vma.mm, mm_counter(folio), -static_cast<int32_t>(nr));
  bool delay = false;
  if (!folio.anon()) {
    if (pte.dirty()) {
      folio_mark_dirty(t, folio);
      z.force_flush = true;
      // Until the flush another CPU may still write to the page through its TLB: the folio must not
      // look unmapped before. Munlock is part of the removal and its order is seen, so it is never
      // advanced.
      delay = t.k.on.delayed_rmap || z.vma.has(kVmLocked);
    }
    if (pte.young()) folio_mark_accessed(t, folio);
  }
  if (!delay) folio_remove_rmap_ptes(t, folio, page, nr, z.vma);
  *full = tlb_remove_pages(t, z.tlb, page, nr, delay ? &z.vma : nullptr);
  return nr;
}

uint32_t zap_nonpresent_ptes(Zap& z, uint32_t vpn, uint32_t end, Pte pte) {
  Task& t = z.t;
  Mm& mm = *z.vma.mm;
  if (pte.zero()) {
    tlb_flush_range(z.tlb, vpn, vpn + 1);
    set_pte(t, *z.table, vpn, Pte{});
    return 1;
  }
  if (pte.migration()) {
    add_mm_counter(t, mm, mm_counter(*pfn_folio(t.k, pte.pfn())), -1);
    set_pte(t, *z.table, vpn, Pte{});
    return 1;
  }
  const uint32_t nr = t.k.on.batch_swap ? swap_pte_batch(*z.table, vpn, pte, end - vpn) : 1;
  add_mm_counter(t, mm, MmCounter::kSwap, -static_cast<int32_t>(nr));
  clear_ptes(t, *z.table, vpn, nr);
  swap_free(t, pte.slot(), nr, true);
  return nr;
}

// Clears [start, end) of one table; the number of entries cleared.
uint32_t zap_pte_range(Zap& z, uint32_t start, uint32_t end) {
  Task& t = z.t;
  uint32_t cleared = 0;
  sync::Guard guard(z.table->lock);
  for (uint32_t vpn = start; vpn < end && z.table->used.get() != 0;) {
    const Pte pte = z.table->at(vpn - z.table->base);
    if (pte.none()) {
      ++vpn;
      continue;
    }
    t.k.cost.ptes_visited.add(1);
    uint32_t nr = 0;
    bool full = false;
    if (pte.present()) {
      nr = zap_present_ptes(z, vpn, end, pte, &full);
    } else {
      nr = zap_nonpresent_ptes(z, vpn, end, pte);
    }
    vpn += nr;
    cleared += nr;
    if (full) {
      t.Choose(ChoiceKind::kGatherFlush, z.vma.mm->id, vpn - 1);
      tlb_flush_mmu_tlbonly(t, z.tlb);
      tlb_flush_rmaps(t, z.tlb);
      tlb_flush_mmu(t, z.tlb);
      z.force_flush = z.tlb.delayed_rmap;
    }
  }
  if (z.force_flush) {
    tlb_flush_mmu_tlbonly(t, z.tlb);
    tlb_flush_rmaps(t, z.tlb);
    tlb_flush_mmu(t, z.tlb);
    z.force_flush = false;
  }
  return cleared;
}

}  // namespace

uint32_t zap_vma_range(Task& t, MmuGather& tlb, Vma& vma, uint32_t start, uint32_t end) {
  t.k.cost.vmas_walked.add(1);
  const uint32_t size = t.k.world.table;
  Zap z{t, tlb, vma};
  uint32_t cleared = 0;
  while (start < end) {
    const uint32_t stop = std::min(end, (start | (size - 1)) + 1);
    z.table = pmd_lookup(*vma.mm, start);
    if (z.table != nullptr) cleared += zap_pte_range(z, start, stop);
    start = stop;
  }
  return cleared;
}

MMDIFF_MODEL_END
