// Reverse-map walks: what maps a folio, who used it, and how to unmap it. The kernel's rmap.c; map
// counts are in folio_rmap.cc, anon_vmas in vma.cc, migration entries in rmap_migrate.cc.
#include "model/rmap.h"

#include "model/kernel.h"
#include "model/mlock.h"
#include "model/vmscan.h"

MMDIFF_MODEL_BEGIN

bool page_vma_mapped_walk_init(PageVmaMappedWalk* walk, Folio& folio, Vma& vma, bool migration) {
  const uint32_t first = std::max(folio.index, vma.pgoff);
  const uint32_t end = std::min(folio.index + folio.nr_pages(), vma.pgoff + vma.pages());
  if (first >= end) return false;
  walk->folio = &folio;
  walk->vma = &vma;
  walk->migration = migration;
  walk->vpn = vma.start + (first - vma.pgoff);
  walk->end = vma.start + (end - vma.pgoff);
  return true;
}

bool page_vma_mapped_walk(Task& t, PageVmaMappedWalk* walk) {
  const Mm& mm = *walk->vma->mm;
  const uint32_t size = t.k.world.table;
  const PteKind wanted = walk->migration ? PteKind::kMigration : PteKind::kPresent;
  if (walk->started) ++walk->vpn;
  while (walk->vpn < walk->end) {
    if (walk->table == nullptr || walk->vpn >= walk->table->base + size) {
      if (walk->table != nullptr) walk->table->lock.unlock();
      walk->crossed_table = walk->started;
      walk->started = true;
      walk->table = pmd_lookup(mm, walk->vpn);
      if (walk->table == nullptr) {
        walk->vpn = (walk->vpn / size + 1) * size;
        continue;
      }
      walk->table->lock.lock();
    }
    walk->pte = walk->table->at(walk->vpn - walk->table->base);
    t.k.cost.ptes_visited.add(1);
    if (walk->pte.kind() == wanted && walk->pte.pfn() - walk->folio->pfn < walk->folio->nr_pages())
      return true;
    ++walk->vpn;
  }
  page_vma_mapped_walk_done(walk);
  return false;
}

void page_vma_mapped_walk_done(PageVmaMappedWalk* walk) {
  if (walk->table != nullptr) walk->table->lock.unlock();
  walk->table = nullptr;
  walk->vpn = walk->end;
}

void rmap_walk(Task& t, Folio& folio, AnonVma* held, const std::function<bool(Vma&)>& rmap_one) {
  t.k.cost.rmap_walks.add(1);
  const uint32_t first = folio.index;
  const uint32_t last = folio.index + folio.nr_pages() - 1;
  if (folio.anon()) {
    // Until its root is locked the anon_vma may go and its object may serve another. A folio that
    // is locked and still mapped then was so all the time, and what maps it is chained to the
    // anon_vma.
    AnonVma& anon_vma = held != nullptr ? *held : *folio.anon_vma;
    AnonVma* const root = anon_vma.root;
    sync::SharedGuard guard(root->lock);
    if (held == nullptr && !folio.mapped()) return;
    anon_vma.chains.ForEach(first, last, [&](AnonVmaChain* chain) {
      t.k.cost.vmas_walked.add(1);
      sync::SyncPoint("rmap_walk");
      return rmap_one(*chain->vma);
    });
  } else if (folio.file != nullptr) {
    FileObject& file = *folio.file;
    sync::SharedGuard guard(file.i_mmap_lock);
    file.i_mmap.ForEach(first, last, [&](Vma* vma) {
      t.k.cost.vmas_walked.add(1);
      sync::SyncPoint("rmap_walk");
      return rmap_one(*vma);
    });
  }
}

namespace {

// Entries from the walk's own that lie in its VMA, its table and one choice record.
uint32_t RoomInTable(const Task& t, const PageVmaMappedWalk& walk) {
  const uint32_t table_end = walk.table->base + t.k.world.table;
  return std::min(walk.end, table_end) - walk.vpn;
}

// Sees a kVmLocked VMA page by page: true if the walk was of all the folio's pages, under one table
// lock. Only then is it sure that nothing unmapped a part of it meanwhile.
struct LockedVma {
  uint32_t ptes = 0;
  uint32_t first_vpn = 0;

  bool Saw(const PageVmaMappedWalk& walk) {
    if (ptes++ == 0) first_vpn = walk.vpn;
    return ptes == walk.folio->nr_pages() && !walk.crossed_table;
  }
};

// ---- folio_referenced
// ------------------------------------------------------------------------------

struct ReferencedArg {
  Task& t;
  Folio& folio;
  int32_t mapcount;  // mappings not seen yet
  FolioReferenced result;
};

bool folio_referenced_one(ReferencedArg& a, Vma& vma) {
  Task& t = a.t;
  PageVmaMappedWalk walk;
  if (!page_vma_mapped_walk_init(&walk, a.folio, vma, false)) return true;
  LockedVma locked;
  uint32_t seen = 0;
  bool referenced = false;
  while (page_vma_mapped_walk(t, &walk)) {
    if (vma.has(kVmLocked)) {
      --a.mapcount;
      if (!locked.Saw(walk)) continue;
      t.Choose(ChoiceKind::kVisit, vma.mm->id, locked.first_vpn, 0);
      mlock_folio(t, a.folio);  // restores an mlock that was missed
      a.result.vm_locked = true;
      page_vma_mapped_walk_done(&walk);
      return false;
    }
    uint32_t nr = 1;
    if (t.k.on.batch_referenced && a.folio.large()) {
      Pte pte = walk.pte;
      nr = folio_pte_batch(t, *walk.table, walk.vpn, &pte, a.folio, RoomInTable(t, walk), 0);
    }
    t.Choose(ChoiceKind::kVisit, vma.mm->id, walk.vpn, nr);
    for (uint32_t i = 0; i < nr; ++i) {
      const Pte pte = walk.table->at(walk.vpn + i - walk.table->base);
      if (!pte.young()) continue;
      set_pte(t, *walk.table, walk.vpn + i, pte.Without(kPteYoung));
      referenced = true;
    }
    walk.vpn += nr - 1;
    seen += nr;
    a.mapcount -= static_cast<int32_t>(nr);
    if (seen == a.folio.nr_pages()) page_vma_mapped_walk_done(&walk);
  }
  a.result.referenced += referenced;
  return !(t.k.on.referenced_early_exit && a.mapcount <= 0);
}

// ---- try_to_unmap
// ----------------------------------------------------------------------------------

struct UnmapArg {
  Task& t;
  Folio& folio;
  uint32_t flags;
  uint32_t unmapped = 0;
};

// Entries that are unmapped as one. Swap-backed anonymous pages each need a swap entry and an
// exclusive bit of their own; entries that disagree in write could not be put back from the first
// one's value.
uint32_t folio_unmap_pte_batch(Task& t, PageVmaMappedWalk& walk, Pte* pte) {
  const Folio& folio = *walk.folio;
  if (!t.k.on.batch_unmap || !folio.large() || (folio.anon() && folio.swapbacked())) return 1;
  return folio_pte_batch(t, *walk.table, walk.vpn, pte, folio, RoomInTable(t, walk),
                         kFpbRespectWrite | kFpbMergeYoungDirty);
}

void FlushUnmapped(Task& t, Mm& mm, Pte old, uint32_t vpn, uint32_t nr, uint32_t flags) {
  if (!pte_accessible(mm, old)) return;
  if ((flags & kTtuBatchFlush) != 0 && should_defer_flush(t, mm)) {
    set_tlb_ubc_flush_pending(t, mm);
  } else {
    flush_tlb_range(t, mm, vpn, vpn + nr);
  }
}

// A discarded lazyfree batch, its entries cleared and counts still held: true if the pages may go.
bool MayDiscard(Task& t, Folio& folio) {
  // References before dirty: a GUP user may dirty the page and then drop his reference.
  const auto refs = static_cast<uint32_t>(folio.refcount.get_ordered());
  const uint32_t maps = static_cast<uint32_t>(folio.mapcount());
  if (folio.test(kFolioDirty)) {
    // Written since MADV_FREE: it is worth keeping after all.
    mod_isolated(t, folio, -1);
    folio_set(t, folio, kFolioSwapBacked);
    mod_isolated(t, folio, 1);
    return false;
  }
  return refs == 1 + maps;
}

// Turns a swap-backed page's entry into a swap entry; false if it must stay mapped.
bool UnmapToSwap(Task& t, PageVmaMappedWalk& walk, Folio& folio, Page& page) {
  if (!folio.swapcache()) return false;
  const uint32_t slot = folio.swap_slot + folio_page_idx(folio, page);
  const bool exclusive = page.anon_exclusive;
  swap_dup(t, slot);
  if (exclusive && !folio_try_share_anon_rmap_pte(t, folio, page)) {
    swap_free(t, slot, 1, false);
    return false;
  }
  Mm& mm = *walk.vma->mm;
  add_mm_counter(t, mm, MmCounter::kAnon, -1);
  add_mm_counter(t, mm, MmCounter::kSwap, 1);
  set_pte(t, *walk.table, walk.vpn, Pte::Swap(slot, exclusive ? uint32_t{kPteExclusive} : 0u));
  return true;
}

// Unmaps `nr` entries from the walk's own; false if they had to be put back.
bool UnmapEntries(UnmapArg& a, PageVmaMappedWalk& walk, Pte pte, uint32_t nr) {
  Task& t = a.t;
  Folio& folio = a.folio;
  Vma& vma = *walk.vma;
  Mm& mm = *vma.mm;
  Page* page = pfn_to_page(t.k, pte.pfn());
  clear_ptes(t, *walk.table, walk.vpn, nr);
  FlushUnmapped(t, mm, pte, walk.vpn, nr, a.flags);
  if (pte.dirty()) folio_mark_dirty(t, folio);
  bool gone = true;
  if (!folio.anon()) {
    add_mm_counter(t, mm, mm_counter(folio), -static_cast<int32_t>(nr));
  } else if (folio.swapbacked()) {
    gone = UnmapToSwap(t, walk, folio, *page);
  } else {
    gone = MayDiscard(t, folio);
    if (gone) add_mm_counter(t, mm, MmCounter::kAnon, -static_cast<int32_t>(nr));
  }
  if (!gone) {
    set_ptes(t, *walk.table, walk.vpn, pte, nr);
    return false;
  }
  folio_remove_rmap_ptes(t, folio, page, nr, vma);
  if (vma.has(kVmLocked)) mlock_drain_local(t);
  folio_put(t, folio, static_cast<int32_t>(nr));
  a.unmapped += nr;
  return true;
}

bool try_to_unmap_one(UnmapArg& a, Vma& vma) {
  Task& t = a.t;
  PageVmaMappedWalk walk;
  if (!page_vma_mapped_walk_init(&walk, a.folio, vma, false)) return true;
  const bool keep_locked = vma.has(kVmLocked) && (a.flags & kTtuIgnoreMlock) == 0;
  LockedVma locked;
  while (page_vma_mapped_walk(t, &walk)) {
    if (keep_locked) {
      if (locked.ptes == 0) t.Choose(ChoiceKind::kVisit, vma.mm->id, walk.vpn, 0);
      if (!locked.Saw(walk)) continue;
      mlock_folio(t, a.folio);
      page_vma_mapped_walk_done(&walk);
      return false;
    }
    Pte pte = walk.pte;
    const uint32_t nr = folio_unmap_pte_batch(t, walk, &pte);
    if ((a.flags & kTtuSplit) == 0) t.Choose(ChoiceKind::kVisit, vma.mm->id, walk.vpn, nr);
    if (!UnmapEntries(a, walk, pte, nr)) {
      page_vma_mapped_walk_done(&walk);
      return false;
    }
    // A VMA maps each page of a folio once, so nothing of the folio is left in this one.
    if (t.k.on.unmap_walk_done && nr == a.folio.nr_pages()) {
      page_vma_mapped_walk_done(&walk);
      break;
    }
    walk.vpn += nr - 1;
  }
  return locked.ptes == 0;
}

}  // namespace

FolioReferenced folio_referenced(Task& t, Folio& folio) {
  ReferencedArg a{t, folio, folio.mapcount(), {}};
  if (a.mapcount == 0) return a.result;
  rmap_walk(t, folio, nullptr, [&a](Vma& vma) { return folio_referenced_one(a, vma); });
  return a.result;
}

uint32_t try_to_unmap(Task& t, Folio& folio, uint32_t ttu_flags) {
  UnmapArg a{t, folio, ttu_flags};
  if (!folio.mapped()) return 0;
  rmap_walk(t, folio, nullptr, [&a](Vma& vma) {
    if (!try_to_unmap_one(a, vma)) return false;
    return !(a.t.k.on.unmap_walk_done && !a.folio.mapped());
  });
  return a.unmapped;
}

MMDIFF_MODEL_END
