// Map counts of folios: what the adding and removing halves of the kernel's rmap.c keep.
#include "model/kernel.h"
#include "model/mlock.h"

MMDIFF_MODEL_BEGIN

namespace {

// MM_ID: counts `nr` more mappings of a large folio, by `mm`.
void AddLargeMapcount(Folio& folio, const Mm& mm, int32_t nr) {
  MmIdSlots& s = folio.mm_ids;
  sync::Guard guard(s.lock);
  const int32_t total = folio.large_mapcount.add(nr);
  for (int i = 0; i < 2; ++i) {
    if (s.mm[i] == &mm) {
      s.count[i] += nr;
      return;
    }
  }
  if (s.mm[0] == nullptr) {
    s.mm[0] = &mm;
    s.count[0] = nr;
    if (nr != total) s.shared.set(true);
  } else if (s.mm[1] == nullptr) {
    s.mm[1] = &mm;
    s.count[1] = nr;
    s.shared.set(true);
  } else {
    MMDIFF_BUG_ON(!s.shared.get(), "mm-id: two owners but not marked shared");
  }
}

void SubLargeMapcount(Folio& folio, const Mm& mm, int32_t nr) {
  MmIdSlots& s = folio.mm_ids;
  sync::Guard guard(s.lock);
  const int32_t total = folio.large_mapcount.sub(nr);
  MMDIFF_BUG_ON(total < 0, "folio map count below zero");
  for (int i = 0; i < 2; ++i) {
    if (s.mm[i] != &mm) continue;
    s.count[i] -= nr;
    if (s.count[i] > 0) return;
    // Below zero if some of its mappings were added while no slot was free: those were never
    // counted.
    s.count[i] = 0;
    s.mm[i] = nullptr;
  }
  if (total == 0 || s.count[0] == total || s.count[1] == total) s.shared.set(false);
}

void ModMapped(Task& t, const Folio& folio, int32_t pages) {
  (folio.anon() ? t.k.stat.nr_anon_mapped : t.k.stat.nr_file_mapped).add(pages);
}

void AddCounts(Task& t, Folio& folio, Page* page, uint32_t nr, const Mm& mm) {
  MMDIFF_BUG_ON(nr == 0 || page < folio.page || page + nr > folio.page + folio.nr_pages(),
                "rmap operation on pages outside the folio");
  int32_t first = 0;
  for (uint32_t i = 0; i < nr; ++i) {
    first += page[i].mapcount.add(1) == 1;
    touch_page(t, page[i]);
  }
  if (folio.large()) {
    folio.nr_pages_mapped.add(first);
    AddLargeMapcount(folio, mm, static_cast<int32_t>(nr));
  }
  ModMapped(t, folio, first);
  t.k.cost.atomic_ops.add(1);
  touch_folio(t, folio);
}

}  // namespace

bool folio_maybe_mapped_shared(Task& t, Folio& folio) {
  const int32_t total = folio.mapcount();
  if (total <= 1 || !folio.large()) return total > 1;
  if (t.k.on.mm_id) return folio.mm_ids.shared.get();
  sync::Guard guard(folio.mm_ids.lock);
  return folio.mm_ids.count[0] != total && folio.mm_ids.count[1] != total;
}

void folio_add_new_anon_rmap(Task& t, Folio& folio, Vma& vma, uint32_t vpn, bool exclusive) {
  MMDIFF_BUG_ON(vpn < vma.start || vpn + folio.nr_pages() > vma.end,
                "new anonymous folio outside its VMA");
  MMDIFF_BUG_ON(vma.anon_vma == nullptr, "anonymous mapping in a VMA without anon_vma");
  folio.anon_vma = exclusive ? vma.anon_vma : vma.anon_vma->root;
  folio.index = vma.pgoff_of(vpn);
  folio_set(t, folio, kFolioAnon | kFolioSwapBacked);
  AddCounts(t, folio, folio.page, folio.nr_pages(), *vma.mm);
  if (exclusive) {
    for (uint32_t i = 0; i < folio.nr_pages(); ++i) set_anon_exclusive(t, folio.page[i], true);
  }
}

void folio_add_anon_rmap_ptes(Task& t, Folio& folio, Page* page, uint32_t nr, Vma& vma,
                              uint32_t vpn, bool exclusive) {
  MMDIFF_BUG_ON(!folio.anon(), "anonymous mapping of a folio that is not anonymous");
  MMDIFF_BUG_ON(folio.anon_vma->root != vma.anon_vma->root, "anonymous mapping under another root");
  MMDIFF_BUG_ON(folio.index + folio_page_idx(folio, *page) != vma.pgoff_of(vpn),
                "anonymous mapping away from its linear index");
  AddCounts(t, folio, page, nr, *vma.mm);
  for (uint32_t i = 0; i < nr; ++i) {
    if (exclusive) set_anon_exclusive(t, page[i], true);
    MMDIFF_BUG_ON(page[i].anon_exclusive && page[i].mapcount.get() > 1,
                  "AnonExclusive page with several mappings");
  }
  mlock_vma_folio(t, folio, vma, nr);
}

void folio_add_file_rmap_ptes(Task& t, Folio& folio, Page* page, uint32_t nr, Vma& vma) {
  MMDIFF_BUG_ON(folio.anon(), "file mapping of an anonymous folio");
  AddCounts(t, folio, page, nr, *vma.mm);
  mlock_vma_folio(t, folio, vma, nr);
}

void folio_dup_file_rmap_ptes(Task& t, Folio& folio, Page* page, uint32_t nr, Mm& dst) {
  AddCounts(t, folio, page, nr, dst);
}

bool folio_try_dup_anon_rmap_ptes(Task& t, Folio& folio, Page* page, uint32_t nr, Mm& dst,
                                  Mm& src) {
  MMDIFF_BUG_ON(!folio.anon(), "anonymous mapping duplicated of a folio that is not anonymous");
  // All pages are asked before the first is changed: a refusal leaves nothing half shared.
  if (src.has_pinned.get() != 0 && folio_maybe_dma_pinned(folio)) {
    for (uint32_t i = 0; i < nr; ++i) {
      if (page[i].anon_exclusive) return false;
    }
  }
  for (uint32_t i = 0; i < nr; ++i) set_anon_exclusive(t, page[i], false);
  AddCounts(t, folio, page, nr, dst);
  return true;
}

void folio_remove_rmap_ptes(Task& t, Folio& folio, Page* page, uint32_t nr, Vma& vma) {
  MMDIFF_BUG_ON(nr == 0 || page < folio.page || page + nr > folio.page + folio.nr_pages(),
                "rmap operation on pages outside the folio");
  int32_t last = 0;
  for (uint32_t i = 0; i < nr; ++i) {
    const int32_t left = page[i].mapcount.sub(1);
    MMDIFF_BUG_ON(left < 0, "page map count below zero");
    last += left == 0;
    touch_page(t, page[i]);
  }
  bool partially_mapped = false;
  if (folio.large()) {
    const int32_t mapped = folio.nr_pages_mapped.sub(last);
    MMDIFF_BUG_ON(mapped < 0, "count of mapped pages below zero");
    SubLargeMapcount(folio, *vma.mm, static_cast<int32_t>(nr));
    partially_mapped = last != 0 && mapped != 0;
  }
  ModMapped(t, folio, -last);
  t.k.cost.atomic_ops.add(1);
  touch_folio(t, folio);
  if (partially_mapped && folio.anon()) deferred_split_folio(t, folio, true);
  munlock_vma_folio(t, folio, vma);
}

bool folio_try_share_anon_rmap_pte(Task& t, Folio& folio, Page& page) {
  MMDIFF_BUG_ON(!folio.anon() || !page.anon_exclusive,
                "sharing of a page that is not AnonExclusive");
  if (folio_maybe_dma_pinned(folio)) return false;
  set_anon_exclusive(t, page, false);
  return true;
}

void folio_move_anon_rmap(Task& t, Folio& folio, Vma& vma) {
  MMDIFF_BUG_ON(vma.anon_vma == nullptr, "folio moved to a VMA without anon_vma");
  folio.anon_vma = vma.anon_vma;
}

MMDIFF_MODEL_END
