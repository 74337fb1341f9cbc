// fork: dup_mmap and the copying of page tables. The kernel's fork.c and the copy half of memory.c.
#include <algorithm>

#include "model/kernel.h"
#include "model/memory.h"
#include "model/syscalls.h"

MMDIFF_MODEL_BEGIN

namespace {

struct Copy {
  Task& t;
  Vma& dst;
  Vma& src;
  PageTable* dst_table = nullptr;
  PageTable* src_table = nullptr;
};

// The page is pinned: whoever holds the pin must keep seeing the parent's page, so the child gets
// its own copy now.
void copy_present_page(Copy& c, uint32_t vpn, Pte pte, const Page& page) {
  Task& t = c.t;
  Folio* copy = folio_alloc(t, 0, t.node, ZoneKind::kMovable);
  set_content(t, *copy->page, page.content.get());
  t.k.cost.pages_copied.add(1);
  folio_add_new_anon_rmap(t, *copy, c.dst, vpn, true);
  folio_add_lru_vma(t, *copy, c.dst);
  add_mm_counter(t, *c.dst.mm, MmCounter::kAnon, 1);
  uint32_t bits =
      kPteDirty | kPteYoung | (pte.bits() & kPteProtNone);  // x86 protections carry young
  if (c.dst.has(kVmWrite)) bits |= kPteWrite;
  set_pte(t, *c.dst_table, vpn, Pte::Present(copy->pfn, bits));
}

// Copies the run that begins at vpn; its length.
uint32_t copy_present_ptes(Copy& c, uint32_t vpn, uint32_t end, Pte pte) {
  Task& t = c.t;
  Page* page = pfn_to_page(t.k, pte.pfn());
  Folio& folio = *page->folio;
  uint32_t nr = 1;
  Pte merged = pte;
  if (folio.large() && t.k.on.batch_fork && end - vpn > 1) {
    nr = folio_pte_batch(t, *c.src_table, vpn, &merged, folio, end - vpn,
                         kFpbRespectDirty | kFpbMergeWrite);
  }
  folio_get(t, folio, static_cast<int32_t>(nr));
  if (!folio.anon()) {
    folio_dup_file_rmap_ptes(t, folio, page, nr, *c.dst.mm);
  } else if (!folio_try_dup_anon_rmap_ptes(t, folio, page, nr, *c.dst.mm, *c.src.mm)) {
    // Some page of the run is pinned; the others may still be shared, one by one.
    if (nr > 1) {
      folio_put(t, folio, static_cast<int32_t>(nr - 1));
      nr = 1;
      merged = pte;
    }
    if (!folio_try_dup_anon_rmap_ptes(t, folio, page, 1, *c.dst.mm, *c.src.mm)) {
      folio_put(t, folio);
      copy_present_page(c, vpn, pte, *page);
      return 1;
    }
  }
  add_mm_counter(t, *c.dst.mm, mm_counter(folio), static_cast<int32_t>(nr));
  if (merged.write()) {
    for (uint32_t i = 0; i < nr; ++i) {
      set_pte(t, *c.src_table, vpn + i,
              c.src_table->at(vpn + i - c.src_table->base).Without(kPteWrite));
    }
  }
  set_ptes(t, *c.dst_table, vpn, merged.Without(kPteWrite | kPteYoung), nr);
  return nr;
}

void copy_nonpresent_pte(Copy& c, uint32_t vpn, Pte pte) {
  Task& t = c.t;
  if (pte.zero()) {
    pte = pte.Without(kPteYoung);
  } else if (pte.swap()) {
    swap_dup(t, pte.slot());
    pte = pte.Without(kPteExclusive);
    set_pte(t, *c.src_table, vpn, pte);
    add_mm_counter(t, *c.dst.mm, MmCounter::kSwap, 1);
  } else {
    pte = pte.Without(kPteWrite | kPteExclusive);
    set_pte(t, *c.src_table, vpn, pte);
    add_mm_counter(t, *c.dst.mm, mm_counter(*pfn_folio(t.k, pte.pfn())), 1);
  }
  set_pte(t, *c.dst_table, vpn, pte);
}

void copy_pte_range(Copy& c, uint32_t start, uint32_t end) {
  c.dst_table->lock.lock();
  c.src_table->lock.lock_nested();
  for (uint32_t vpn = start; vpn < end;) {
    const Pte pte = c.src_table->at(vpn - c.src_table->base);
    if (pte.none()) {
      ++vpn;
      continue;
    }
    c.t.k.cost.ptes_visited.add(1);
    if (pte.present()) {
      vpn += copy_present_ptes(c, vpn, end, pte);
    } else {
      copy_nonpresent_pte(c, vpn++, pte);
    }
  }
  c.src_table->lock.unlock();
  c.dst_table->lock.unlock();
}

}  // namespace

void copy_page_range(Task& t, Vma& dst, Vma& src) {
  Copy c{t, dst, src};
  const uint32_t size = t.k.world.table;
  for (uint32_t start = src.start; start < src.end;) {
    const uint32_t stop = std::min(src.end, (start | (size - 1)) + 1);
    c.src_table = pmd_lookup(*src.mm, start);
    // A walk of the rmap may hold the last entry cleared for a moment: without the lock `used` says
    // nothing.
    if (c.src_table != nullptr) {
      c.dst_table = pte_alloc(t, *dst.mm, start);  // though there may be nothing to put into it
      if (kThreaded || c.src_table->used.get() != 0) copy_pte_range(c, start, stop);
    }
    start = stop;
  }
}

void dup_mmap(Task& t, Mm& child, Mm& parent) {
  for (Vma* src : parent.vmas) {
    t.k.cost.vmas_walked.add(1);
    if (src->has(kVmDontCopy)) continue;
    Vma* dst = vma_dup(t, child, *src);
    dst->flags &= ~(kVmLocked | kVmLockOnFault);
    anon_vma_fork(t, *dst, *src);
    vma_link_last(t, *dst);
    child.total_vm += dst->pages();
    // FP-07: what has no anonymous page of its own can be faulted in again.
    if (src->anon_vma != nullptr) copy_page_range(t, *dst, *src);
  }
  flush_tlb_mm(t, parent);
  touch_mm(t, child);
}

OpResult Model::fork(const args::fork& a, OpContext& ctx) {
  Task t(k_, ctx, k_.world.nodes);
  MmRef parent = k_.FindMm(a.mm);
  if (!parent) return OpResult{.err = kESRCH};
  sync::Guard guard(parent->mmap_lock);
  if (!parent->alive) return OpResult{.err = kESRCH};
  if (parent->open_zaps.get() != 0) return OpResult{.err = kEAGAIN};
  Mm* child = k_.mm_alloc(t, ctx.result_handle);
  if (child == nullptr) return OpResult{.err = kEAGAIN};
  child->tlb_flush_batched.set(parent->tlb_flush_batched.get());  // dup_mm copies it with the rest
  dup_mmap(t, *child, *parent);
  k_.mm_publish(*child);
  return OpResult{};
}

MMDIFF_MODEL_END
