// Pages and folios, the zones they come from, and their reference and map counts. The kernel's
// mm_types.h, page_alloc.c and the counting half of rmap.c.
//
// Counts are kept, never computed. Physical placement is deterministic: the lowest free naturally
// aligned block of the zone, so neighbours in time are neighbours in memory and a batch that runs
// past its folio meets the next one. Allocation is O(1) amortised and does not allocate host memory
// in steady state.
#ifndef MMDIFF_MODEL_FOLIO_H_
#define MMDIFF_MODEL_FOLIO_H_

#include "model/task.h"
#include "state/state.h"

MMDIFF_MODEL_BEGIN

struct AnonVma;
struct FileObject;

struct Page {
  sync::Ptr<Folio> folio = nullptr;  // nullptr: free
  sync::Counter<uint64_t> content;
  uint32_t pfn = 0;
  sync::Counter<int32_t> mapcount;
  sync::Flag anon_exclusive = false;  // under the page-table lock of its only mapping
  Tracked tracked;
};

// Flags beyond state.h's FolioFlags, kept in the same word; no fact of the state.
inline constexpr uint32_t kFolioFlagsOfState = (1u << 12) - 1;

// The two owners of a large folio (CONFIG_MM_ID) and the sticky bit, under `lock`.
struct MmIdSlots {
  sync::Mutex<sync::Rank::kMmId> lock;
  const Mm* mm[2] = {nullptr, nullptr};
  int32_t count[2] = {0, 0};
  sync::Counter<bool> shared;  // read without the lock
};

struct Folio {
  uint32_t id = 0;  // counts allocations
  uint32_t pfn = 0;
  Page* page = nullptr;  // of the first page; the others follow it
  uint8_t order = 0;
  uint8_t node = 0;
  ZoneKind zone = ZoneKind::kMovable;
  bool allocated = false;
  sync::Flags32 flags;  // FolioFlags
  sync::Counter<int32_t> refcount;
  // Large folios: all entries that map any page of it; changes under mm_ids.lock.
  sync::Counter<int32_t> large_mapcount;
  sync::Counter<int32_t> nr_pages_mapped;  // large folios: pages with a mapping
  sync::Counter<int32_t> pincount;         // large folios
  uint32_t mlock_count = 0;                // under the lru lock
  LruList lru = LruList::kNone;            // under the lru lock
  Folio* lru_prev = nullptr;
  Folio* lru_next = nullptr;
  AnonVma* anon_vma = nullptr;           // anon: root of the rmap; changes under the folio lock
  sync::Ptr<FileObject> file = nullptr;  // page cache
  uint32_t index = 0;  // page cache: page offset; anon: pgoff of the first page in its VMA
  uint32_t swap_slot = kNoSlot;  // swap cache: slot of the first page
  Folio* split_prev = nullptr;   // deferred split queue
  Folio* split_next = nullptr;
  MmIdSlots mm_ids;
  Tracked tracked;

  uint32_t nr_pages() const { return 1u << order; }
  bool large() const { return order != 0; }
  bool test(uint32_t flag) const { return flags.test(flag); }
  bool anon() const { return flags.test(kFolioAnon); }
  bool swapbacked() const { return flags.test(kFolioSwapBacked); }
  bool swapcache() const { return flags.test(kFolioSwapCache); }
  bool locked() const { return flags.test(kFolioLocked); }
  int32_t mapcount() const { return large() ? large_mapcount.get() : page->mapcount.get(); }
  bool mapped() const { return mapcount() > 0; }
  uint32_t ref_count() const { return static_cast<uint32_t>(refcount.get()); }
};

// Marks a fact as changed. Every function below does it itself.
void touch_folio(Task& t, Folio& folio);
void touch_page(Task& t, Page& page);

Page* pfn_to_page(const Kernel& k, uint32_t pfn);
Folio* pfn_folio(const Kernel& k, uint32_t pfn);
inline uint32_t folio_page_idx(const Folio& folio, const Page& page) {
  return page.pfn - folio.pfn;
}

// Flags. The test_ forms give the old value.
void folio_set(Task& t, Folio& folio, uint32_t flags);
void folio_clear(Task& t, Folio& folio, uint32_t flags);
// What is dirty again is not reclaimed as soon as it is clean: kFolioReclaim goes.
void folio_mark_dirty(Task& t, Folio& folio);
bool folio_test_set(Task& t, Folio& folio, uint32_t flag);
bool folio_test_clear(Task& t, Folio& folio, uint32_t flag);
// The folio lock is a trylock: who would wait answers EAGAIN.
bool folio_trylock(Task& t, Folio& folio);
void folio_unlock(Task& t, Folio& folio);

// A new folio with refcount 1 and no flag, its contents 0; memory never runs out.
Folio* folio_alloc(Task& t, uint32_t order, uint32_t node, ZoneKind zone);
// Pieces of a split keep their frames: turns [pfn, pfn + 2^order) of a larger folio into a folio of
// its own, refcount 0; the first piece keeps the number (huge_memory.cc alone calls it).
Folio* folio_carve(Task& t, Folio& from, uint32_t pfn, uint32_t order);
void folio_get(Task& t, Folio& folio, int32_t refs = 1);
bool folio_try_get(Task& t, Folio& folio, int32_t refs = 1);  // false if the count was 0
// Drops references; at 0 takes the folio off its lists and frees it. True if it was freed.
bool folio_put(Task& t, Folio& folio, int32_t refs = 1);

// References that can be explained by mappings and caches (folio_expected_ref_count).
uint32_t folio_expected_ref_count(const Folio& folio);
bool folio_maybe_dma_pinned(const Folio& folio);
// Whether several processes may map the folio: exact for a small one. For a large one MM_ID's
// answer, which stays "shared" for a third process when the first two are gone; with the switch
// mm_id off the sticky bit is not asked, only the owners' counts. Records no choice.
bool folio_maybe_mapped_shared(Task& t, Folio& folio);

void set_anon_exclusive(Task& t, Page& page, bool on);
void set_content(Task& t, Page& page, uint64_t content);

// Reverse-map counts of `nr` pages from `page`; the page-table lock is held. Statistics and the
// mm-id slots follow; rss and references are the caller's.
void folio_add_new_anon_rmap(Task& t, Folio& folio, Vma& vma, uint32_t vpn, bool exclusive);
void folio_add_anon_rmap_ptes(Task& t, Folio& folio, Page* page, uint32_t nr, Vma& vma,
                              uint32_t vpn, bool exclusive);
void folio_add_file_rmap_ptes(Task& t, Folio& folio, Page* page, uint32_t nr, Vma& vma);
void folio_dup_file_rmap_ptes(Task& t, Folio& folio, Page* page, uint32_t nr, Mm& dst);
// False, and nothing done, if a page is AnonExclusive and the folio may be pinned (`src_pinned`
// mm).
bool folio_try_dup_anon_rmap_ptes(Task& t, Folio& folio, Page* page, uint32_t nr, Mm& dst, Mm& src);
void folio_remove_rmap_ptes(Task& t, Folio& folio, Page* page, uint32_t nr, Vma& vma);
// Clears AnonExclusive unless the folio may be pinned; false if it may.
bool folio_try_share_anon_rmap_pte(Task& t, Folio& folio, Page& page);
// An anonymous folio all of whose mappings are this VMA's now points at its anon_vma alone.
void folio_move_anon_rmap(Task& t, Folio& folio, Vma& vma);

// Deferred split queue (huge_memory.cc).
void deferred_split_folio(Task& t, Folio& folio, bool partially_mapped);
void folio_unqueue_deferred_split(Task& t, Folio& folio);

// Free pages
// ----------------------------------------------------------------------------------------
inline constexpr uint32_t kChunkPages = 512;  // the largest folio, and what a zone grows by
struct PageChunk {
  Page pages[kChunkPages];
  uint64_t free[kChunkPages / 64];  // bit set: free
  uint32_t nr_free = 0;
  uint32_t high = 0;      // no page at or above it was used since Reset
  uint32_t position = 0;  // in Zone::chunks
};
struct Zone {
  sync::Mutex<sync::Rank::kZone> lock;
  std::vector<uint32_t> chunks;  // numbers of its chunks, ascending
  uint32_t lowest = 0;           // no chunk below this position has a free page
};

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_FOLIO_H_
