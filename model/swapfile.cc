// Swap slots and the swap cache. The kernel's swapfile.c and swap_state.c.
#include "model/swapfile.h"

#include "model/kernel.h"
#include "model/rmap.h"
#include "model/syscalls.h"
#include "model/vmscan.h"

MMDIFF_MODEL_BEGIN

namespace {

bool SlotFree(const SwapSlot& slot) { return slot.count == 0 && slot.cached == nullptr; }

// A slot that nothing holds any more forgets what was in it.
void ReleaseIfFree(SwapSlot& slot) {
  if (SlotFree(slot)) slot.content = 0;
}

// The first slot of the lowest free run of nr, aligned to nr; swap_lock is held.
uint32_t FindFreeRun(const Kernel& k, uint32_t nr) {
  for (uint32_t first = 0; first + nr <= k.world.swap; first += nr) {
    uint32_t i = 0;
    while (i < nr && SlotFree(k.swap_map[first + i])) ++i;
    if (i == nr) return first;
  }
  return kNoSlot;
}

// Whether an entry of a page table still holds a slot of the folio (folio_swapped).
bool FolioSwapped(const Kernel& k, const Folio& folio) {
  for (uint32_t i = 0; i < folio.nr_pages(); ++i) {
    if (k.swap_map[folio.swap_slot + i].count != 0) return true;
  }
  return false;
}

}  // namespace

void touch_slot(Task& t, SwapSlot& slot) { Touch(t.k.touched.slots, &slot, slot.tracked); }

int folio_alloc_swap(Task& t, Folio& folio) {
  MMDIFF_BUG_ON(!folio.locked(), "swap slots for a folio that is not locked");
  const uint32_t nr = folio.nr_pages();
  {
    sync::Guard guard(t.k.swap_lock);
    const uint32_t first = FindFreeRun(t.k, nr);
    if (first == kNoSlot) return kENOSPC;
    t.k.swap_high = std::max(t.k.swap_high, first + nr);
    for (uint32_t i = 0; i < nr; ++i) {
      SwapSlot& slot = t.k.swap_map[first + i];
      slot.cached = &folio;
      slot.content = 0;
      touch_slot(t, slot);
    }
    folio.swap_slot = first;
  }
  folio_get(t, folio, static_cast<int32_t>(nr));
  folio_set(t, folio, kFolioSwapCache | kFolioDirty);
  return 0;
}

void folio_write_swap(Task& t, Folio& folio) {
  sync::Guard guard(t.k.swap_lock);
  for (uint32_t i = 0; i < folio.nr_pages(); ++i) {
    SwapSlot& slot = t.k.swap_map[folio.swap_slot + i];
    slot.content = folio.page[i].content.get();
    touch_slot(t, slot);
  }
  folio_clear(t, folio, kFolioDirty);
}

void swap_dup(Task& t, uint32_t slot, uint32_t nr) {
  sync::Guard guard(t.k.swap_lock);
  for (uint32_t i = 0; i < nr; ++i) {
    SwapSlot& s = t.k.swap_map[slot + i];
    MMDIFF_BUG_ON(SlotFree(s), "swap entry made for a free slot");
    ++s.count;
    touch_slot(t, s);
  }
}

void swap_free(Task& t, uint32_t slot, uint32_t nr, bool and_cache) {
  bool reclaimable = false;
  {
    sync::Guard guard(t.k.swap_lock);
    for (uint32_t i = 0; i < nr; ++i) {
      SwapSlot& s = t.k.swap_map[slot + i];
      MMDIFF_BUG_ON(s.count == 0, "swap entry dropped of a slot that has none");
      if (--s.count == 0) {
        reclaimable |= s.cached != nullptr;
        ReleaseIfFree(s);
      }
      touch_slot(t, s);
    }
  }
  if (!and_cache || !reclaimable) return;
  for (uint32_t i = 0; i < nr;) {
    Folio* folio = nullptr;
    uint32_t step = 1;
    {
      sync::Guard guard(t.k.swap_lock);
      const SwapSlot& s = t.k.swap_map[slot + i];
      if (s.count == 0 && s.cached != nullptr && folio_try_get(t, *s.cached)) {
        folio = s.cached;
        step = folio->swap_slot + folio->nr_pages() - (slot + i);
      }
    }
    if (folio != nullptr) {
      free_swap_cache(t, *folio);
      folio_put(t, *folio);
    }
    i += step;
  }
}

Folio* swap_cache_get_folio(Task& t, uint32_t slot) {
  sync::Guard guard(t.k.swap_lock);
  Folio* folio = t.k.swap_map[slot].cached;
  return folio != nullptr && folio_try_get(t, *folio) ? folio : nullptr;
}

Folio* swap_cache_read(Task& t, uint32_t slot) {
  Folio* folio = folio_alloc(t, 0, t.node, t.fault_zone);
  bool added = false;
  {
    sync::Guard guard(t.k.swap_lock);
    SwapSlot& s = t.k.swap_map[slot];
    if (s.cached == nullptr && s.count != 0) {
      set_content(t, *folio->page, s.content);
      folio->swap_slot = slot;
      folio_get(t, *folio);
      folio_set(t, *folio, kFolioSwapBacked | kFolioSwapCache);
      s.cached = folio;
      touch_slot(t, s);
      added = true;
    }
  }
  if (!added) {  // another thread has read it, or the entry is gone
    folio_put(t, *folio);
    return nullptr;
  }
  folio_add_lru(t, *folio);
  return folio;
}

void swap_cache_del_folio(Task& t, Folio& folio) {
  const uint32_t nr = folio.nr_pages();
  {
    sync::Guard guard(t.k.swap_lock);
    for (uint32_t i = 0; i < nr; ++i) {
      SwapSlot& s = t.k.swap_map[folio.swap_slot + i];
      MMDIFF_BUG_ON(s.cached != &folio, "swap cache does not know its folio");
      s.cached = nullptr;
      ReleaseIfFree(s);
      touch_slot(t, s);
    }
    folio.swap_slot = kNoSlot;
  }
  folio_clear(t, folio, kFolioSwapCache);
}

void delete_from_swap_cache(Task& t, Folio& folio) {
  swap_cache_del_folio(t, folio);
  folio_put(t, folio, static_cast<int32_t>(folio.nr_pages()));
}

bool folio_free_swap(Task& t, Folio& folio) {
  MMDIFF_BUG_ON(!folio.locked(), "swap freed of a folio that is not locked");
  if (!folio.swapcache()) return false;
  {
    sync::Guard guard(t.k.swap_lock);
    if (FolioSwapped(t.k, folio)) return false;
  }
  delete_from_swap_cache(t, folio);
  folio_set(t, folio, kFolioDirty);  // the only copy is in memory again
  return true;
}

void free_swap_cache(Task& t, Folio& folio) {
  if (!folio.swapcache() || folio.mapped() || !folio_trylock(t, folio)) return;
  if (!folio.mapped()) folio_free_swap(t, folio);
  folio_unlock(t, folio);
}

void swap_cache_replace(Task& t, Folio& src, Folio& dst) {
  const uint32_t nr = src.nr_pages();
  folio_get(t, dst, static_cast<int32_t>(nr));
  {
    sync::Guard guard(t.k.swap_lock);
    for (uint32_t i = 0; i < nr; ++i) {
      SwapSlot& s = t.k.swap_map[src.swap_slot + i];
      s.cached = &dst;
      touch_slot(t, s);
    }
    dst.swap_slot = src.swap_slot;
    src.swap_slot = kNoSlot;
  }
  folio_set(t, dst, kFolioSwapCache);
  folio_clear(t, src, kFolioSwapCache);
}

OpResult Model::swap_add(const args::swap_add& a, OpContext& ctx) {
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
    if (!folio.anon() || !folio.swapbacked()) {
      r.err = kEINVAL;
    } else if (folio.swapcache()) {
      r.err = kEEXIST;
    } else if (folio_maybe_dma_pinned(folio) ||
               (folio.large() && (folio_expected_ref_count(folio) != folio.ref_count() - 1 ||
                                  folio.test(kFolioPartiallyMapped)))) {
      r.err = kEBUSY;
    } else {
      r.err = folio_alloc_swap(t, folio);
    }
    folio_unlock(t, folio);
  }
  k_.isos.Release(a.iso);
  return r;
}

MMDIFF_MODEL_END
