// Reclaim of folios: isolation, shrinking of a list, putback. The kernel's vmscan.c.
#include "model/vmscan.h"

#include <algorithm>
#include <cstddef>

#include "model/huge_memory.h"
#include "model/kernel.h"
#include "model/madvise.h"
#include "model/syscalls.h"

MMDIFF_MODEL_BEGIN

int get_mapped_folio(Task& t, const Mm& mm, uint32_t vpn, Folio** folio) {
  if (vma_lookup(mm, vpn) == nullptr) return kEFAULT;
  PageTable* table = pmd_lookup(mm, vpn);
  if (table == nullptr) return kENOENT;
  sync::Guard guard(table->lock);
  const Pte pte = table->at(vpn - table->base);
  if (pte.zero()) return kEFAULT;
  if (!pte.present()) return kENOENT;
  *folio = pfn_folio(t.k, pte.pfn());
  folio_get(t, **folio);
  return 0;
}

void mod_isolated(Task& t, const Folio& folio, int32_t sign) {
  const int32_t pages = sign * static_cast<int32_t>(folio.nr_pages());
  (folio.swapbacked() ? t.k.stat.nr_isolated_anon : t.k.stat.nr_isolated_file).add(pages);
}

bool folio_isolate_lru(Task& t, Folio& folio) {
  sync::Guard guard(t.k.lru_lock);
  if (!folio.test(kFolioLru)) return false;
  folio_get(t, folio);
  lruvec_del_folio(t, folio);
  mod_isolated(t, folio, 1);
  return true;
}

void folio_putback_lru(Task& t, Folio& folio) {
  mod_isolated(t, folio, -1);
  folio_add_lru(t, folio);  // which asks again whether it is evictable
  folio_put(t, folio);
}

namespace {

// What becomes of a folio on the list.
enum class Fate : uint8_t {
  kFreed,
  kKeep,
  kActivate,
};

// Back to its list at once, without a batch (move_folios_to_lru).
void PutbackNow(Task& t, Folio& folio) {
  mod_isolated(t, folio, -1);
  lru_add(t, folio);
  folio_put(t, folio);
}

enum class References : uint8_t { kReclaim, kKeep, kActivate };

References folio_check_references(Task& t, Folio& folio) {
  const FolioReferenced ref = folio_referenced(t, folio);
  if (ref.vm_locked) return References::kActivate;  // mlocked: putback makes it unevictable
  const bool referenced_folio = folio_test_clear(t, folio, kFolioReferenced);
  if (ref.referenced != 0) {
    // One use is remembered, a second, now or at the last scan, makes it active.
    folio_set(t, folio, kFolioReferenced);
    return referenced_folio || ref.referenced > 1 ? References::kActivate : References::kKeep;
  }
  return References::kReclaim;
}

// Splits a locked folio of the list; it stays locked as its own first piece, the others are
// *pieces.
bool SplitLocked(Task& t, Folio& folio, std::vector<Folio*>* pieces) {
  const bool split = split_locked_folio(t, folio, pieces) == 0;
  if (split) pieces->erase(pieces->begin());
  return split;
}

// Slots for an anonymous folio that will be swapped out; false if it cannot be now. A large folio
// is split if pages of it are not mapped (no slots for those) or if there is no room for all of it.
bool GiveSwap(Task& t, Folio& folio, std::vector<Folio*>* pieces) {
  if (folio.large()) {
    // Somebody's reference would make all the work vain.
    if (folio_expected_ref_count(folio) != folio.ref_count() - 1) return false;
    if (folio.test(kFolioPartiallyMapped) && !SplitLocked(t, folio, pieces)) return false;
  }
  if (folio_alloc_swap(t, folio) == 0) return true;
  return folio.large() && SplitLocked(t, folio, pieces) && folio_alloc_swap(t, folio) == 0;
}

// The folio is locked; it is freed or locked still. *pieces: those of it that are on the list now.
Fate ShrinkLocked(Task& t, Folio& folio, bool ignore_references, std::vector<Folio*>* pieces) {
  if (folio.test(kFolioMlocked)) return Fate::kKeep;
  if (!ignore_references) {
    switch (folio_check_references(t, folio)) {
      case References::kKeep:
        return Fate::kKeep;
      case References::kActivate:
        return Fate::kActivate;
      case References::kReclaim:
        break;
    }
  }
  if (folio.anon() && folio.swapbacked() && !folio.swapcache()) {
    if (folio_maybe_dma_pinned(folio)) return Fate::kKeep;
    if (!GiveSwap(t, folio, pieces)) return Fate::kActivate;
  }
  if (folio.mapped()) {
    try_to_unmap(t, folio, kTtuBatchFlush);
    if (folio.mapped()) return Fate::kActivate;
  }
  if (folio_maybe_dma_pinned(folio)) return Fate::kActivate;
  if (folio.file != nullptr && folio.test(kFolioDirty)) {
    // Nobody writes back here. pageout() asks of shared memory first whether it could go then.
    const bool freeable = folio.ref_count() == folio_expected_ref_count(folio) + 1;
    if (!folio.swapbacked()) folio_set(t, folio, kFolioReclaim);  // to be freed once it is clean
    return folio.swapbacked() && !freeable ? Fate::kKeep : Fate::kActivate;
  }
  return remove_mapping(t, folio) == 0 ? Fate::kFreed : Fate::kKeep;
}

}  // namespace

namespace {

// Takes a folio without references out of its cache; false if its contents would be lost.
bool DropFromCache(Task& t, Folio& folio) {
  if (folio.swapcache()) {
    if (folio.test(kFolioDirty)) folio_write_swap(t, folio);
    swap_cache_del_folio(t, folio);
    return true;
  }
  if (folio.anon()) return !folio.swapbacked();
  if (folio.test(kFolioDirty) || folio.file == nullptr)
    return false;  // truncated: putback frees it
  page_cache_delete(t, folio);
  return true;
}

}  // namespace

int remove_mapping(Task& t, Folio& folio) {
  MMDIFF_BUG_ON(!folio.locked(), "folio removed without its lock");
  if (folio.mapped()) return kEBUSY;
  try_to_unmap_flush(t);  // no TLB may reach a page that is written or freed
  if (folio_maybe_dma_pinned(folio)) return kEBUSY;
  // At 0 nobody new can take it (folio_ref_freeze).
  const auto refs = static_cast<int32_t>(1 + folio_expected_ref_count(folio));
  // swap_writeout: where nobody has an entry, nothing is written and the slots are freed.
  if (folio.swapcache() && folio.test(kFolioDirty) &&
      folio.ref_count() == static_cast<uint32_t>(refs) && folio_free_swap(t, folio)) {
    return kEBUSY;
  }
  if (!folio.refcount.compare_exchange(refs, 0)) return kEBUSY;
  if (!DropFromCache(t, folio)) {
    folio.refcount.set(refs);
    return kEBUSY;
  }
  folio.refcount.set(1);  // the isolation's
  mod_isolated(t, folio, -1);
  folio_unlock(t, folio);
  folio_put(t, folio);
  return 0;
}

uint32_t reclaim_folio_list(Task& t, std::vector<Folio*>& folios, bool ignore_references) {
  thread_local std::vector<Folio*> pieces;
  uint32_t freed = 0;
  if (folios.empty()) return freed;
  size_t kept = 0;  // folios[0, kept) stay
  for (size_t i = 0; i < folios.size(); ++i) {
    Folio& folio = *folios[i];
    if (!folio_trylock(t, folio)) {
      folios[kept++] = &folio;
      continue;
    }
    pieces.clear();
    uint32_t nr = folio.nr_pages();
    const Fate fate = ShrinkLocked(t, folio, ignore_references, &pieces);
    if (!pieces.empty()) {
      folios.insert(folios.begin() + static_cast<ptrdiff_t>(i) + 1, pieces.begin(), pieces.end());
      nr = 1;
    }
    if (fate == Fate::kFreed) {
      freed += nr;
      continue;
    }
    if (fate == Fate::kActivate && folio.test(kFolioMlocked)) {
      if (folio.swapcache()) folio_free_swap(t, folio);  // of no use to it
    } else if (fate == Fate::kActivate) {
      folio_set(t, folio, kFolioActive);
    }
    folio_unlock(t, folio);
    folios[kept++] = &folio;
  }
  try_to_unmap_flush(t);
  for (size_t i = 0; i < kept; ++i) {
    if (ignore_references || folios[i]->test(kFolioMlocked)) {
      folio_putback_lru(t, *folios[i]);
    } else {
      PutbackNow(t, *folios[i]);
    }
  }
  folios.clear();
  return freed;
}

// Operations
// -----------------------------------------------------------------------------------------

OpResult Model::isolate(const args::isolate& a, OpContext& ctx) {
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
  if (folio_isolate_lru(t, *folio)) {
    *k_.isos.Bind(ctx.result_handle) = folio;
    k_.isos.Release(ctx.result_handle);
  } else {
    r.err = kEBUSY;
  }
  folio_put(t, *folio);
  return r;
}

OpResult Model::referenced(const args::referenced& a, OpContext& ctx) {
  OpResult r;
  Folio** iso = k_.isos.Claim(a.iso);
  if (iso == nullptr) {
    r.err = kEBADF;
    return r;
  }
  Task t(k_, ctx, k_.world.nodes);
  if (folio_trylock(t, **iso)) {
    const FolioReferenced ref = folio_referenced(t, **iso);
    r.value = ref.referenced + (ref.vm_locked ? 1000 : 0);
    folio_unlock(t, **iso);
  } else {
    r.err = kEAGAIN;
  }
  k_.isos.Release(a.iso);
  return r;
}

OpResult Model::try_to_unmap(const args::try_to_unmap& a, OpContext& ctx) {
  OpResult r;
  Folio** iso = k_.isos.Claim(a.iso);
  if (iso == nullptr) {
    r.err = kEBADF;
    return r;
  }
  Task t(k_, ctx, k_.world.nodes);
  Folio& folio = **iso;
  if (!folio_trylock(t, folio)) {
    r.err = kEAGAIN;
  } else {
    if (folio.anon() && folio.swapbacked() != folio.swapcache()) {
      r.err = kEINVAL;  // its pages would have nowhere to go
    } else {
      r.value = model::try_to_unmap(t, folio, a.flags);
    }
    folio_unlock(t, folio);
  }
  k_.isos.Release(a.iso);
  return r;
}

OpResult Model::remove_mapping(const args::remove_mapping& a, OpContext& ctx) {
  OpResult r;
  Folio** iso = k_.isos.Claim(a.iso);
  if (iso == nullptr) {
    r.err = kEBADF;
    return r;
  }
  Task t(k_, ctx, k_.world.nodes);
  Folio& folio = **iso;
  if (!folio_trylock(t, folio)) {
    r.err = kEAGAIN;
  } else {
    const uint32_t nr = folio.nr_pages();
    r.err = model::remove_mapping(t, folio);
    if (r.err == 0) {
      r.value = nr;
      k_.isos.Spend(a.iso);
      return r;
    }
    folio_unlock(t, folio);
  }
  k_.isos.Release(a.iso);
  return r;
}

OpResult Model::putback(const args::putback& a, OpContext& ctx) {
  OpResult r;
  Folio** iso = k_.isos.Claim(a.iso);
  if (iso == nullptr) {
    r.err = kEBADF;
    return r;
  }
  Task t(k_, ctx, k_.world.nodes);
  try_to_unmap_flush(t);  // who put a flush off makes it before he lets the folio go
  folio_putback_lru(t, **iso);
  k_.isos.Spend(a.iso);
  return r;
}

OpResult Model::reclaim(const args::reclaim& a, OpContext& ctx) {
  OpResult r;
  MmRef mm = k_.FindMm(a.mm);
  if (!mm) {
    r.err = kESRCH;
    return r;
  }
  if (a.npages == 0) return r;
  Task t(k_, ctx, k_.world.nodes);
  sync::SharedGuard guard(mm->mmap_lock);
  lru_add_drain(t);
  thread_local std::vector<Folio*> folios;
  folios.clear();
  const uint32_t end = std::min(madvise_end(k_.world, a.vpn, a.npages), k_.world.arena());
  for (uint32_t vpn = a.vpn; vpn < end; ++vpn) {
    Folio* folio = nullptr;
    if (get_mapped_folio(t, *mm, vpn, &folio) != 0) continue;
    // One that is on the list already has lost its LRU flag.
    if (!folio->test(kFolioUnevictable) && !folio->locked() && folio_isolate_lru(t, *folio)) {
      folio_clear(t, *folio, kFolioActive);  // reclaim is of the inactive lists
      folios.push_back(folio);
    }
    folio_put(t, *folio);
  }
  r.value = reclaim_folio_list(t, folios, false);
  return r;
}

MMDIFF_MODEL_END
