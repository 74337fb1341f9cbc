// try_to_migrate: the half of the kernel's rmap.c that turns mappings into migration entries.
#include "model/kernel.h"
#include "model/mlock.h"
#include "model/rmap.h"

MMDIFF_MODEL_BEGIN

namespace {

struct MigrateArg {
  Task& t;
  Folio& folio;
  uint32_t flags;
  uint32_t entries = 0;
};

// Replaces the walk's entry; false if the page may be pinned and stays mapped. One page at a time:
// each has an exclusive bit and an entry kind of its own.
bool MigrateEntry(MigrateArg& a, PageVmaMappedWalk& walk) {
  Task& t = a.t;
  Folio& folio = a.folio;
  Vma& vma = *walk.vma;
  const Pte pte = walk.pte;
  Page& page = *pfn_to_page(t.k, pte.pfn());
  set_pte(t, *walk.table, walk.vpn, Pte{});
  if (!pte_accessible(*vma.mm, pte)) {
    // nothing to flush
  } else if ((a.flags & kTtuBatchFlush) != 0 && should_defer_flush(t, *vma.mm)) {
    set_tlb_ubc_flush_pending(t, *vma.mm);
  } else {
    flush_tlb_page(t, *vma.mm, walk.vpn);
  }
  if (pte.dirty()) folio_mark_dirty(t, folio);
  const bool exclusive = folio.anon() && page.anon_exclusive;
  MMDIFF_BUG_ON(folio.anon() && pte.write() && !exclusive,
                "writable anonymous page is not AnonExclusive");
  if (exclusive && !folio_try_share_anon_rmap_pte(t, folio, page)) {
    set_pte(t, *walk.table, walk.vpn, pte);
    return false;
  }
  uint32_t bits = pte.bits() & (kPteYoung | kPteDirty);
  if (pte.write()) {
    bits |= kPteWrite;
  } else if (exclusive) {
    bits |= kPteExclusive;
  }
  set_pte(t, *walk.table, walk.vpn, Pte::Migration(page.pfn, bits));
  folio_remove_rmap_ptes(t, folio, &page, 1, vma);
  if (vma.has(kVmLocked)) mlock_drain_local(t);
  folio_put(t, folio);
  ++a.entries;
  return true;
}

bool try_to_migrate_one(MigrateArg& a, Vma& vma) {
  PageVmaMappedWalk walk;
  if (!page_vma_mapped_walk_init(&walk, a.folio, vma, false)) return true;
  while (page_vma_mapped_walk(a.t, &walk)) {
    if ((a.flags & kTtuSplit) == 0) a.t.Choose(ChoiceKind::kVisit, vma.mm->id, walk.vpn, 1);
    if (!MigrateEntry(a, walk)) {
      page_vma_mapped_walk_done(&walk);
      return false;
    }
  }
  return true;
}

}  // namespace

uint32_t try_to_migrate(Task& t, Folio& folio, uint32_t ttu_flags) {
  MigrateArg a{t, folio, ttu_flags};
  if (!folio.mapped()) return 0;
  rmap_walk(t, folio, nullptr, [&a](Vma& vma) {
    if (!try_to_migrate_one(a, vma)) return false;
    // Migration entries are no mappings, so the count says when all are replaced.
    return !(a.t.k.on.unmap_walk_done && !a.folio.mapped());
  });
  return a.entries;
}

MMDIFF_MODEL_END
