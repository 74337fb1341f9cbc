#include "model/mmu_gather.h"

#include <algorithm>

#include "model/kernel.h"

MMDIFF_MODEL_BEGIN

namespace {

void ResetRange(MmuGather& tlb) {
  tlb.start = UINT32_MAX;
  tlb.end = 0;
}

void FreePages(Task& t, MmuGather& tlb) {
  for (const MmuGather::Slot& slot : tlb.slots) {
    Folio& folio = *slot.page->folio;
    if (folio.swapcache()) free_swap_cache(t, folio);
    folio_put(t, folio, static_cast<int32_t>(slot.nr));
  }
  tlb.slots.clear();
}

}  // namespace

void tlb_gather_mmu(Task& t, MmuGather& tlb, Mm& mm, bool fullmm) {
  mm.gathers.add(1);
  tlb.mm = &mm;
  tlb.fullmm = fullmm;
  tlb.delayed_rmap = false;
  tlb.slots.clear();
  ResetRange(tlb);
}

void tlb_flush_range(MmuGather& tlb, uint32_t start, uint32_t end) {
  tlb.start = std::min(tlb.start, start);
  tlb.end = std::max(tlb.end, end);
}

bool tlb_remove_pages(Task& t, MmuGather& tlb, Page* page, uint32_t nr, Vma* delayed_rmap) {
  tlb.slots.push_back({page, nr, delayed_rmap});
  if (delayed_rmap != nullptr) tlb.delayed_rmap = true;
  return !t.k.on.gather_batch || tlb.slots.size() >= t.k.world.gather;
}

void tlb_flush_mmu_tlbonly(Task& t, MmuGather& tlb) {
  if (tlb.start >= tlb.end) return;
  flush_tlb_range(t, *tlb.mm, tlb.start, tlb.end);
  ResetRange(tlb);
}

void tlb_flush_rmaps(Task& t, MmuGather& tlb) {
  if (!tlb.delayed_rmap) return;
  for (MmuGather::Slot& slot : tlb.slots) {
    if (slot.delayed_rmap == nullptr) continue;
    folio_remove_rmap_ptes(t, *slot.page->folio, slot.page, slot.nr, *slot.delayed_rmap);
    slot.delayed_rmap = nullptr;
  }
  tlb.delayed_rmap = false;
}

void tlb_flush_mmu(Task& t, MmuGather& tlb) {
  MMDIFF_BUG_ON(tlb.delayed_rmap, "gathered pages freed before their rmap was removed");
  t.k.cost.gather_flushes.add(1);
  tlb_flush_mmu_tlbonly(t, tlb);
  FreePages(t, tlb);
}

void tlb_finish_mmu(Task& t, MmuGather& tlb) {
  // With another gather open (mm_tlb_flush_nested) its entries may be gone but not flushed.
  if (tlb.fullmm || tlb.mm->gathers.get() > 1) {
    flush_tlb_mm(t, *tlb.mm);
    ResetRange(tlb);
  }
  tlb_flush_mmu(t, tlb);
  tlb.mm->gathers.add(static_cast<uint32_t>(-1));
  tlb.mm = nullptr;
}

MMDIFF_MODEL_END
