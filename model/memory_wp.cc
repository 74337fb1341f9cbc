#include "model/memory_wp.h"

#include "model/kernel.h"

MMDIFF_MODEL_BEGIN

namespace {

// FP-09: a small page that nothing but this mapping (and its own swap cache) holds.
bool wp_can_reuse_small(Task& t, Folio& folio, Vma& vma) {
  if (folio.ref_count() > 3) return false;
  if (!folio.test(kFolioLru)) lru_add_drain(t);
  if (folio.ref_count() > 1u + (folio.swapcache() ? 1u : 0u)) return false;
  if (!folio_trylock(t, folio)) return false;
  if (folio.swapcache()) folio_free_swap(t, folio);
  const bool reuse = folio.ref_count() == 1;
  if (reuse) folio_move_anon_rmap(t, folio, vma);
  folio_unlock(t, folio);
  return reuse;
}

// FP-10: a large folio all of whose mappings are this process's, and with no other reference.
bool wp_can_reuse_large(Task& t, Folio& folio, uint32_t vpn) {
  if (folio.mapcount() <= 1) return false;
  if (folio_maybe_mapped_shared(t, folio)) {
    // MM_ID may still say so when the other processes are gone.
    t.Choose(ChoiceKind::kWpReuse, 0, vpn);
    return false;
  }
  if (folio.swapcache()) {
    if (!folio_trylock(t, folio)) return false;
    folio_free_swap(t, folio);
    folio_unlock(t, folio);
  }
  // No mapping comes or goes under the lock, and a mapping's reference outlives it: equal counts
  // leave nobody else.
  sync::Guard guard(folio.mm_ids.lock);
  return static_cast<uint32_t>(folio.mapcount()) == folio.ref_count();
}

bool wp_can_reuse_anon_folio(Task& t, Folio& folio, Vma& vma, uint32_t vpn) {
  if (!(folio.large() ? t.k.on.wp_reuse_large : t.k.on.wp_reuse_small)) {
    t.Choose(ChoiceKind::kWpReuse, 0, vpn);
    return false;
  }
  return folio.large() ? wp_can_reuse_large(t, folio, vpn) : wp_can_reuse_small(t, folio, vma);
}

// Puts a private copy in the place of what is mapped at vpn; the table is locked.
void wp_page_copy(Task& t, Vma& vma, PageTable& table, uint32_t vpn, Pte old, uint32_t flags) {
  Mm& mm = *vma.mm;
  Folio* copy = folio_alloc(t, 0, t.node, t.fault_zone);
  Page* old_page = old.present() ? pfn_to_page(t.k, old.pfn()) : nullptr;
  Folio* old_folio = old_page != nullptr ? old_page->folio : nullptr;
  if (old_page != nullptr) {
    set_content(t, *copy->page, old_page->content.get());
    t.k.cost.pages_copied.add(1);
  }
  if (old_folio == nullptr || !old_folio->anon()) {
    if (old_folio != nullptr) add_mm_counter(t, mm, mm_counter(*old_folio), -1);
    add_mm_counter(t, mm, MmCounter::kAnon, 1);
  }
  // Nobody may still write to the old page when the new one is seen.
  set_pte(t, table, vpn, Pte{});
  flush_tlb_page(t, mm, vpn);
  folio_add_new_anon_rmap(t, *copy, vma, vpn, true);
  folio_add_lru_vma(t, *copy, vma);
  const uint32_t bits = flags == kFaultWrite ? kPteYoung | kPteDirty | kPteWrite : kPteYoung;
  set_pte(t, table, vpn, Pte::Present(copy->pfn, bits));
  if (old_folio == nullptr) return;
  folio_remove_rmap_ptes(t, *old_folio, old_page, 1, vma);
  if (old_folio->swapcache()) free_swap_cache(t, *old_folio);
  folio_put(t, *old_folio);
}

int wp_shared(Task& t, PageTable& table, uint32_t vpn, Pte pte, uint32_t flags) {
  if (flags != kFaultWrite || pte.zero()) return 0;
  folio_mark_dirty(t, *pfn_folio(t.k, pte.pfn()));
  set_pte(t, table, vpn, pte.With(kPteWrite | kPteDirty | kPteYoung));
  return 0;
}

}  // namespace

int do_wp_page(Task& t, Vma& vma, PageTable& table, uint32_t vpn, uint32_t flags) {
  const bool write = flags == kFaultWrite;
  {
    // The copy of a zero or page-cache page is the first anonymous page of the VMA, perhaps.
    const Pte pte = table.at(vpn - table.base);
    if (vma.is_cow() && (pte.zero() || pte.present())) anon_vma_prepare(t, vma);
  }
  sync::Guard guard(table.lock);
  const Pte pte = table.at(vpn - table.base);
  if ((!pte.present() && !pte.zero()) || pte.write()) return 0;  // changed meanwhile: look again
  if (!vma.is_cow()) return wp_shared(t, table, vpn, pte, flags);
  if (pte.zero()) {
    wp_page_copy(t, vma, table, vpn, pte, flags);
    return 0;
  }
  Page& page = *pfn_to_page(t.k, pte.pfn());
  Folio& folio = *page.folio;
  if (folio.anon() && (page.anon_exclusive || wp_can_reuse_anon_folio(t, folio, vma, vpn))) {
    set_anon_exclusive(t, page, true);
    if (write) set_pte(t, table, vpn, pte.With(kPteWrite | kPteDirty | kPteYoung));
    return 0;
  }
  wp_page_copy(t, vma, table, vpn, pte, flags);
  return 0;
}

MMDIFF_MODEL_END
