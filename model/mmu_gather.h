// mmu_gather: pages that were unmapped and may be freed only after the TLB flush. The kernel's
// mmu_gather.c. Costs nothing a page but a slot; folios are freed by tlb_flush_mmu alone.
#ifndef MMDIFF_MODEL_MMU_GATHER_H_
#define MMDIFF_MODEL_MMU_GATHER_H_

#include <vector>

#include "model/mm.h"

MMDIFF_MODEL_BEGIN

struct MmuGather {
  struct Slot {
    Page* page;
    uint32_t nr;
    Vma* delayed_rmap;  // rmap removal waits for the flush
  };
  Mm* mm = nullptr;
  bool fullmm = false;
  uint32_t start = UINT32_MAX, end = 0;  // flush range, empty if start >= end
  bool delayed_rmap = false;
  std::vector<Slot> slots;
};

void tlb_gather_mmu(Task& t, MmuGather& tlb, Mm& mm, bool fullmm);
void tlb_flush_range(MmuGather& tlb, uint32_t start, uint32_t end);  // adds to the range
// Queues pages; true if the gather is full and must be flushed before more is queued.
bool tlb_remove_pages(Task& t, MmuGather& tlb, Page* page, uint32_t nr, Vma* delayed_rmap);
void tlb_flush_mmu_tlbonly(Task& t, MmuGather& tlb);
void tlb_flush_rmaps(Task& t, MmuGather& tlb);
void tlb_flush_mmu(Task& t, MmuGather& tlb);  // flush, then free
void tlb_finish_mmu(Task& t, MmuGather& tlb);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_MMU_GATHER_H_
