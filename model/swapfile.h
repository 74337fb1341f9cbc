// Swap slots and the swap cache. The kernel's swapfile.c and swap_state.c.
#ifndef MMDIFF_MODEL_SWAPFILE_H_
#define MMDIFF_MODEL_SWAPFILE_H_

#include "model/folio.h"

MMDIFF_MODEL_BEGIN

struct SwapSlot {
  uint32_t number = 0;
  uint32_t count = 0;       // entries in page tables
  Folio* cached = nullptr;  // folio of the swap cache, page number - folio->swap_slot
  uint64_t content = 0;
  Tracked tracked;
};

void touch_slot(Task& t, SwapSlot& slot);

// Gives the folio slots and puts it into the swap cache: 0, or ENOSPC with nothing done.
int folio_alloc_swap(Task& t, Folio& folio);
void folio_write_swap(Task& t, Folio& folio);  // contents to the slots; clears dirty
void swap_dup(Task& t, uint32_t slot, uint32_t nr = 1);
// Drops entries of slots; a slot without count and cache is freed. With `and_cache` the cache of a
// folio that is unmapped, unlocked and has no count left is dropped too (free_swap_and_cache).
void swap_free(Task& t, uint32_t slot, uint32_t nr, bool and_cache);
// The folio that caches the slot, with a reference for the caller, or nullptr.
Folio* swap_cache_get_folio(Task& t, uint32_t slot);
// Swap-in: a new order-0 folio filled from the slot, put into the swap cache and the LRU, with one
// reference for the caller besides the cache's; nullptr if the slot was cached or freed meanwhile.
Folio* swap_cache_read(Task& t, uint32_t slot);
// Drops the swap cache of a locked folio if no slot has a count; sets it dirty. True if dropped.
bool folio_free_swap(Task& t, Folio& folio);
// The same by trylock and only if it is unmapped.
void free_swap_cache(Task& t, Folio& folio);
// Drops the cache whatever the counts (the contents are in the slots); its references are the
// caller's (reclaim has frozen them), or go with it.
void swap_cache_del_folio(Task& t, Folio& folio);
void delete_from_swap_cache(Task& t, Folio& folio);
// Puts `dst` in the place of `src`, whose count the caller has frozen; dst gets the cache's
// references (migration).
void swap_cache_replace(Task& t, Folio& src, Folio& dst);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_SWAPFILE_H_
