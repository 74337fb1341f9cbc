// Zones and the pages of folios: allocation, references, freeing. The kernel's page_alloc.c.
#include "model/huge_memory.h"
#include "model/kernel.h"

MMDIFF_MODEL_BEGIN

namespace {

// Bits at which an aligned block of 2^k pages may begin, in one word of the bitmap.
constexpr uint64_t kAligned[7] = {~0ull,
                                  0x5555555555555555ull,
                                  0x1111111111111111ull,
                                  0x0101010101010101ull,
                                  0x0001000100010001ull,
                                  0x0000000100000001ull,
                                  1ull};
constexpr uint32_t kNoBlock = UINT32_MAX;

// The lowest free aligned block of the chunk, or kNoBlock.
uint32_t FindBlock(const PageChunk& chunk, uint32_t order) {
  constexpr uint32_t kWords = kChunkPages / 64;
  if (order <= 6) {
    for (uint32_t w = 0; w < kWords; ++w) {
      uint64_t m = chunk.free[w];
      for (uint32_t k = 0; k < order && m != 0; ++k) m &= m >> (1u << k);
      m &= kAligned[order];
      if (m != 0) return w * 64 + static_cast<uint32_t>(__builtin_ctzll(m));
    }
    return kNoBlock;
  }
  const uint32_t span = 1u << (order - 6);
  for (uint32_t w = 0; w < kWords; w += span) {
    uint32_t i = 0;
    while (i < span && chunk.free[w + i] == ~0ull) ++i;
    if (i == span) return w * 64;
  }
  return kNoBlock;
}

void MarkBlock(PageChunk& chunk, uint32_t first, uint32_t nr, bool free) {
  for (uint32_t i = first; i < first + nr;) {
    const uint32_t n = std::min(nr - (i - first), 64 - i % 64);
    const uint64_t mask = (n == 64 ? ~0ull : (1ull << n) - 1) << (i % 64);
    if (free) {
      chunk.free[i / 64] |= mask;
    } else {
      chunk.free[i / 64] &= ~mask;
    }
    i += n;
  }
  chunk.nr_free += free ? nr : 0u - nr;
}

// A chunk of frames for the zone; its memory is kept across Reset.
uint32_t GrowZone(Kernel& k) {
  sync::Guard guard(k.mem_map_lock);
  const uint32_t number = k.chunks_used++;
  MMDIFF_BUG_ON(number == kMaxChunks, "the model is out of frames");
  if (k.mem_map.size() == number) {
    k.mem_map.push_back(std::make_unique<PageChunk>());
    for (uint32_t i = 0; i < kChunkPages; ++i)
      k.mem_map[number]->pages[i].pfn = number * kChunkPages + i;
  }
  PageChunk& chunk = *k.mem_map[number];
  std::fill(std::begin(chunk.free), std::end(chunk.free), ~0ull);
  chunk.nr_free = kChunkPages;
  chunk.high = 0;
  return number;
}

// The first page of a free block, now taken.
Page* TakeBlock(Kernel& k, Zone& zone, uint32_t order) {
  sync::Guard guard(zone.lock);
  const uint32_t nr = 1u << order;
  for (uint32_t pos = zone.lowest;; ++pos) {
    if (pos == zone.chunks.size()) zone.chunks.push_back(GrowZone(k));
    PageChunk& chunk = *k.mem_map[zone.chunks[pos]];
    if (chunk.nr_free < nr) continue;
    const uint32_t first = FindBlock(chunk, order);
    if (first == kNoBlock) continue;
    MarkBlock(chunk, first, nr, false);
    chunk.high = std::max(chunk.high, first + nr);
    chunk.position = pos;
    while (zone.lowest < zone.chunks.size() && k.mem_map[zone.chunks[zone.lowest]]->nr_free == 0)
      ++zone.lowest;
    return &chunk.pages[first];
  }
}

void InitFolio(Task& t, Folio& folio, Page* page, uint32_t order, uint32_t node, ZoneKind zone) {
  folio.id = t.k.next_folio_id.add(1) - 1;
  folio.pfn = page->pfn;
  folio.page = page;
  folio.order = static_cast<uint8_t>(order);
  folio.node = static_cast<uint8_t>(node);
  folio.zone = zone;
  folio.allocated = true;
  folio.flags.reset(0);
  folio.large_mapcount.set(0);
  folio.nr_pages_mapped.set(0);
  folio.pincount.set(0);
  folio.mlock_count = 0;
  folio.lru = LruList::kNone;
  folio.anon_vma = nullptr;
  folio.file = nullptr;
  folio.index = 0;
  folio.swap_slot = kNoSlot;
  folio.mm_ids.mm[0] = folio.mm_ids.mm[1] = nullptr;
  folio.mm_ids.count[0] = folio.mm_ids.count[1] = 0;
  folio.mm_ids.shared.set(false);
  touch_folio(t, folio);
}

void FreeFolio(Task& t, Folio& folio) {
  MMDIFF_BUG_ON(folio.mapped(), "folio freed while mapped");
  MMDIFF_BUG_ON(folio.locked(), "folio freed while locked");
  MMDIFF_BUG_ON(folio.swapcache() || folio.file != nullptr, "folio freed while in a cache");
  MMDIFF_BUG_ON(folio.pincount.get() != 0, "folio freed while pinned");
  folio_release_lru(t, folio);
  folio_unqueue_deferred_split(t, folio);
  const uint32_t nr = folio.nr_pages();
  for (uint32_t i = 0; i < nr; ++i) {
    Page& page = folio.page[i];
    page.folio = nullptr;
    page.anon_exclusive = false;
    touch_page(t, page);
  }
  t.k.stat.nr_allocated.sub(static_cast<int32_t>(nr));
  folio.allocated = false;
  touch_folio(t, folio);
  Zone& zone = t.k.zones[folio.node][static_cast<uint32_t>(folio.zone)];
  {
    sync::Guard guard(zone.lock);
    PageChunk& chunk = *t.k.mem_map[folio.pfn / kChunkPages];
    MarkBlock(chunk, folio.pfn % kChunkPages, nr, true);
    zone.lowest = std::min(zone.lowest, chunk.position);
  }
  t.k.folios.Free(&folio);
}

}  // namespace

void folio_unlock(Task& t, Folio& folio) {
  const bool was = folio_test_clear(t, folio, kFolioLocked);
  MMDIFF_BUG_ON(!was, "unlock of a folio that is not locked");
}

Folio* folio_alloc(Task& t, uint32_t order, uint32_t node, ZoneKind zone) {
  Page* page = TakeBlock(t.k, t.k.zones[node][static_cast<uint32_t>(zone)], order);
  Folio* folio = t.k.folios.Alloc();
  InitFolio(t, *folio, page, order, node, zone);
  for (uint32_t i = 0; i < folio->nr_pages(); ++i) {
    page[i].content.set(0);
    page[i].mapcount.set(0);
    page[i].anon_exclusive = false;
    page[i].folio = folio;
    touch_page(t, page[i]);
  }
  t.k.stat.nr_allocated.add(static_cast<int32_t>(folio->nr_pages()));
  t.k.cost.folios_allocated.add(1);
  folio->refcount.set(1);  // last: a lockless walk may take a reference now
  return folio;
}

Folio* folio_carve(Task& t, Folio& from, uint32_t pfn, uint32_t order) {
  Page* page = from.page + (pfn - from.pfn);
  Folio* piece = &from;
  if (pfn == from.pfn) {
    from.order = static_cast<uint8_t>(order);
    from.large_mapcount.set(0);
    from.nr_pages_mapped.set(0);
    touch_folio(t, from);
  } else {
    piece = t.k.folios.Alloc();
    InitFolio(t, *piece, page, order, from.node, from.zone);
    piece->refcount.set(0);
    // Who finds the piece through an entry for migration asks what kind of folio it is.
    piece->flags.reset(from.flags.get() & (kFolioAnon | kFolioSwapBacked));
  }
  for (uint32_t i = 0; i < 1u << order; ++i) {
    page[i].folio = piece;
    touch_page(t, page[i]);
  }
  return piece;
}

void folio_get(Task& t, Folio& folio, int32_t refs) {
  MMDIFF_BUG_ON(folio.refcount.get() <= 0, "reference taken on a free folio");
  folio.refcount.add(refs);
  t.k.cost.atomic_ops.add(1);
  touch_folio(t, folio);
}

bool folio_try_get(Task& t, Folio& folio, int32_t refs) {
  t.k.cost.atomic_ops.add(1);
  touch_folio(t, folio);
  return folio.refcount.add_unless_zero(refs);
}

bool folio_put(Task& t, Folio& folio, int32_t refs) {
  t.k.cost.atomic_ops.add(1);
  touch_folio(t, folio);
  const int32_t left = folio.refcount.sub(refs);
  MMDIFF_BUG_ON(left < 0, "folio reference count below zero");
  if (left != 0) return false;
  FreeFolio(t, folio);
  return true;
}

uint32_t folio_expected_ref_count(const Folio& folio) {
  const uint32_t caches = (folio.swapcache() ? 1u : 0u) + (folio.file != nullptr ? 1u : 0u);
  return caches * folio.nr_pages() + static_cast<uint32_t>(folio.mapcount());
}

bool folio_maybe_dma_pinned(const Folio& folio) {
  // Who cleared an entry before sees the pin of a lockless walk that found it, or the walk sees it
  // cleared.
  if (folio.large()) return folio.pincount.get_ordered() > 0;
  return static_cast<uint32_t>(folio.refcount.get_ordered()) >= kGupPinBias;
}

MMDIFF_MODEL_END
