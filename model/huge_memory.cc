// Large folios: the deferred split queue and split_folio. The kernel's huge_memory.c.
#include "model/huge_memory.h"

#include <algorithm>

#include "model/kernel.h"
#include "model/migrate.h"
#include "model/rmap.h"
#include "model/syscalls.h"
#include "model/vmscan.h"

MMDIFF_MODEL_BEGIN

void deferred_split_folio(Task& t, Folio& folio, bool partially_mapped) {
  // Order 1 has no room for the queue's link; a folio in the swap cache is on its way out already.
  if (folio.order < 2 || folio.swapcache()) return;
  sync::Guard guard(t.k.split_queue_lock);
  if (partially_mapped) folio_set(t, folio, kFolioPartiallyMapped);
  if (folio_test_set(t, folio, kFolioDeferredSplit)) return;
  folio.split_prev = nullptr;
  folio.split_next = t.k.split_queue;
  if (folio.split_next != nullptr) folio.split_next->split_prev = &folio;
  t.k.split_queue = &folio;
}

void folio_unqueue_deferred_split(Task& t, Folio& folio) {
  if (!folio.test(kFolioDeferredSplit)) return;
  sync::Guard guard(t.k.split_queue_lock);
  if (!folio.test(kFolioDeferredSplit)) return;
  (folio.split_prev != nullptr ? folio.split_prev->split_next : t.k.split_queue) = folio.split_next;
  if (folio.split_next != nullptr) folio.split_next->split_prev = folio.split_prev;
  folio.split_prev = folio.split_next = nullptr;
  folio_clear(t, folio, kFolioDeferredSplit | kFolioPartiallyMapped);
}

namespace {

// Pieces of the folio that is being split, in order.
using Pieces = std::vector<Folio*>;

// Makes the caches name the pieces. References of the caches: one a piece.
void SplitCaches(Task& t, Folio& folio, const Pieces& pieces) {
  if (folio.swapcache()) {
    sync::Guard guard(t.k.swap_lock);
    for (uint32_t i = 0; i < pieces.size(); ++i) {
      SwapSlot& slot = t.k.swap_map[folio.swap_slot + i];
      slot.cached = pieces[i];
      pieces[i]->swap_slot = folio.swap_slot + i;
      touch_slot(t, slot);
    }
  }
  if (folio.file != nullptr) {
    filemap_split_folio(t, *folio.file, folio.index, static_cast<uint32_t>(pieces.size()));
  }
}

// Turns an unmapped folio of one reference besides the caches' into small folios, locked, each with
// its cache's reference and one for the caller (__split_unmapped_folio).
void split_unmapped_folio(Task& t, Folio& folio, Pieces* pieces) {
  constexpr uint32_t kInherited = kFolioLocked | kFolioReferenced | kFolioDirty | kFolioActive |
                                  kFolioUnevictable | kFolioMlocked | kFolioSwapBacked |
                                  kFolioSwapCache | kFolioAnon;
  const uint32_t nr = folio.nr_pages();
  const bool cached = folio.swapcache() || folio.file != nullptr;
  folio_unqueue_deferred_split(t, folio);
  bool on_lru;
  uint32_t mlock_count;
  {
    sync::Guard guard(t.k.lru_lock);
    on_lru = folio.test(kFolioLru);
    mlock_count = folio.mlock_count;
    if (on_lru) lruvec_del_folio(t, folio);
  }
  const uint32_t flags = folio.flags.get() & kInherited;
  pieces->clear();
  for (uint32_t i = 0; i < nr; ++i) {
    Folio* piece = folio_carve(t, folio, folio.pfn + i, 0);
    pieces->push_back(piece);
    if (i == 0) continue;
    folio_set(t, *piece, flags);
    piece->anon_vma = folio.anon_vma;
    piece->index = folio.index + i;
    set_anon_exclusive(t, *piece->page, false);  // of a page that is not mapped
  }
  SplitCaches(t, folio, *pieces);
  for (Folio* piece : *pieces) {
    MMDIFF_BUG_ON(piece->page->mapcount.get() != 0, "page of a folio that is split is mapped");
    piece->refcount.set(cached ? 2 : 1);
    touch_folio(t, *piece);
  }
  if (!on_lru) return;
  sync::Guard guard(t.k.lru_lock);
  for (Folio* piece : *pieces) lruvec_add_folio(t, *piece);
  folio.mlock_count = mlock_count;
}

// Unmaps all of the folio. Nothing can refuse: a pinned folio has references that nothing explains.
void unmap_folio(Task& t, Folio& folio) {
  if (folio.anon()) {
    try_to_migrate(t, folio, kTtuSplit | kTtuBatchFlush);
  } else {
    try_to_unmap(t, folio, kTtuIgnoreMlock | kTtuSplit | kTtuBatchFlush);
  }
  try_to_unmap_flush(t);
}

// The split itself: unmaps, splits, maps the pieces. The folio is locked and stays so; the other
// pieces are not.
int SplitAndRemap(Task& t, Folio& folio, AnonVma* anon_vma, std::vector<Folio*>* pieces) {
  unmap_folio(t, folio);
  const int32_t frozen = static_cast<int32_t>(folio_expected_ref_count(folio) + 1);
  if (folio.mapped() || !folio.refcount.compare_exchange(frozen, 0)) {
    // Another thread took a reference meanwhile.
    if (folio.anon()) remove_migration_ptes(t, folio, folio, anon_vma);
    return kEAGAIN;
  }
  thread_local Pieces own;
  Pieces& out = pieces != nullptr ? *pieces : own;
  split_unmapped_folio(t, folio, &out);
  if (folio.anon()) {
    for (Folio* piece : out) remove_migration_ptes(t, *piece, *piece, anon_vma, true);
  }
  for (Folio* piece : out) {
    if (piece == &folio) continue;
    folio_unlock(t, *piece);
    free_swap_cache(t, *piece);
    // Without a list to go to, only the first keeps the caller's reference; pieces that nothing
    // maps and no cache holds end here.
    if (pieces == nullptr) folio_put(t, *piece);
  }
  return 0;
}

}  // namespace

int split_locked_folio(Task& t, Folio& folio, std::vector<Folio*>* pieces) {
  MMDIFF_BUG_ON(!folio.large(), "split of a small folio");
  if (folio.ref_count() != folio_expected_ref_count(folio) + 1) return kEAGAIN;
  sync::SyncPoint("split_folio");
  AnonVma* anon_vma = folio_get_anon_vma(t, folio);  // while nothing maps the folio
  const int err = SplitAndRemap(t, folio, anon_vma, pieces);
  if (anon_vma != nullptr) put_anon_vma(t, *anon_vma);
  return err;
}

int split_folio(Task& t, Folio& folio, std::vector<Folio*>* pieces) {
  if (!folio_trylock(t, folio)) return kEAGAIN;
  // Whoever had the lock may have split it.
  const int err = folio.large() ? split_locked_folio(t, folio, pieces) : int{kEAGAIN};
  folio_unlock(t, folio);
  return err;
}

OpResult Model::split(const args::split& a, OpContext& ctx) {
  OpResult r;
  MmRef mm = k_.FindMm(a.mm);
  if (!mm) {
    r.err = kESRCH;
    return r;
  }
  Task t(k_, ctx, k_.world.nodes);
  sync::SharedGuard guard(mm->mmap_lock);
  Folio* folio = nullptr;
  r.err = get_mapped_folio(t, *mm, a.vpn, &folio);
  if (r.err != 0) return r;
  const uint32_t nr = folio->nr_pages();
  if (folio->locked()) {
    r.err = kEAGAIN;
  } else if (nr == 1) {
    r.err = kEINVAL;
  } else {
    r.err = split_folio(t, *folio, nullptr);
    if (r.err == 0) r.value = nr;
  }
  folio_put(t, *folio);
  return r;
}

MMDIFF_MODEL_END
