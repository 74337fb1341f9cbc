// Page faults that find no page: anonymous memory, files, swap. Write protection is in
// memory_wp.cc.
#include "model/memory.h"

#include <algorithm>

#include "model/kernel.h"
#include "model/memory_wp.h"
#include "model/mlock.h"

MMDIFF_MODEL_BEGIN

namespace {

constexpr uint32_t kFresh = kPteYoung | kPteDirty | kPteWrite;

int do_anonymous_page_read(Task& t, PageTable& table, uint32_t vpn) {
  sync::Guard guard(table.lock);
  if (table.at(vpn - table.base).none()) set_pte(t, table, vpn, Pte::Zero(kPteYoung));
  return 0;
}

bool RangeNone(const PageTable& table, uint32_t first, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i) {
    if (!table.at(first - table.base + i).none()) return false;
  }
  return true;
}

// The highest enabled order whose aligned block lies inside the VMA and has no entry yet.
uint32_t AnonOrder(const Kernel& k, const Vma& vma, const PageTable& table, uint32_t vpn) {
  if (vma.has(kVmNoHuge)) return 0;
  for (uint32_t orders = k.world.orders; orders > 1;) {
    const uint32_t order = 31 - static_cast<uint32_t>(__builtin_clz(orders));
    const uint32_t n = 1u << order;
    const uint32_t first = vpn & ~(n - 1);
    if (first >= vma.start && first + n <= vma.end && RangeNone(table, first, n)) return order;
    orders &= ~(1u << order);
  }
  return 0;
}

// The order that the fault takes: less than what fits is reported.
uint32_t ChooseAnonOrder(Task& t, const Vma& vma, const PageTable& table, uint32_t vpn) {
  const uint32_t order = AnonOrder(t.k, vma, table, vpn);
  if (order == 0 || t.k.on.large_folio) return order;
  t.Choose(ChoiceKind::kFaultOrder, 0, vpn);
  return 0;
}

int do_anonymous_page(Task& t, Vma& vma, PageTable& table, uint32_t vpn, uint32_t flags) {
  if (flags != kFaultWrite) return do_anonymous_page_read(t, table, vpn);
  anon_vma_prepare(t, vma);
  Folio* folio = folio_alloc(t, ChooseAnonOrder(t, vma, table, vpn), t.node, t.fault_zone);
  const uint32_t n = folio->nr_pages();
  const uint32_t first = vpn & ~(n - 1);
  sync::Guard guard(table.lock);
  if (!RangeNone(table, first, n)) {  // another thread was quicker
    folio_put(t, *folio);
    return 0;
  }
  if (n > 1) folio_get(t, *folio, static_cast<int32_t>(n - 1));
  add_mm_counter(t, *vma.mm, MmCounter::kAnon, static_cast<int32_t>(n));
  folio_add_new_anon_rmap(t, *folio, vma, first, true);
  folio_add_lru_vma(t, *folio, vma);
  set_ptes(t, table, first, Pte::Present(folio->pfn, kFresh), n);
  return 0;
}

// What a read fault gives: a shmem page of a shared writable mapping may be written at once; a file
// page faults again, so that the write is noticed.
uint32_t ReadBits(const Vma& vma) {
  const bool writable = vma.has(kVmShared) && vma.has(kVmWrite) && vma.file->shmem;
  uint32_t bits = kPteYoung;
  if (writable) bits |= kPteWrite;
  return bits;
}

// Maps `nr` pages of a file folio; the references are the caller's.
void MapFilePages(Task& t, Vma& vma, PageTable& table, uint32_t vpn, Folio& folio, uint32_t offset,
                  uint32_t nr, uint32_t bits) {
  add_mm_counter(t, *vma.mm, mm_counter(folio), static_cast<int32_t>(nr));
  folio_add_file_rmap_ptes(t, folio, folio.page + offset, nr, vma);
  set_ptes(t, table, vpn, Pte::Present(folio.pfn + offset, bits), nr);
}

// next_uptodate_folio passes by what is locked, and what a fault is to meet itself: PG_readahead,
// which reclaim uses as PG_reclaim.
bool AroundMaps(const Folio& folio) { return !folio.locked() && !folio.test(kFolioReclaim); }

// Whether filemap_map_pages makes a page table for [from, to) of the file: once it has found a
// folio to map, and if that does not hold the last page of the file. It makes it on its way to a
// huge mapping, which would reach beyond the end of the file; shmem's may.
bool MakesTable(const FileObject& file, uint32_t from, uint32_t to) {
  const auto first = std::find_if(file.i_pages.begin() + from, file.i_pages.begin() + to,
                                  [](const Folio* f) { return f != nullptr && AroundMaps(*f); });
  if (first == file.i_pages.begin() + to) return false;
  return file.shmem || (*first)->index + (*first)->nr_pages() < file.npages;
}

// Fault-around: maps what is cached in the window around vpn. True if vpn is mapped now.
bool do_fault_around(Task& t, Vma& vma, uint32_t vpn) {
  const uint32_t window = t.k.world.faultaround;
  if (window < 2) return false;
  FileObject& file = *vma.file;
  const uint32_t base = vpn & ~(t.k.world.table - 1);
  const uint32_t from = std::max({vpn & ~(window - 1), vma.start, base});
  uint32_t to = std::min({from + window, vma.end, base + t.k.world.table});
  if (vma.pgoff_of(from) >= file.npages) return false;
  to = std::min(to, from + (file.npages - vma.pgoff_of(from)));
  const uint32_t bits = ReadBits(vma);
  sync::SharedGuard file_guard(file.i_mmap_lock);
  if (pmd_lookup(*vma.mm, vpn) == nullptr &&
      !MakesTable(file, vma.pgoff_of(from), vma.pgoff_of(from) + (to - from)))
    return false;
  PageTable& table = *pte_alloc(t, *vma.mm, vpn);
  sync::Guard guard(table.lock);
  for (uint32_t at = from; at < to;) {
    const uint32_t index = vma.pgoff_of(at);
    Folio* folio = file.i_pages[index];
    const bool maps = folio != nullptr && AroundMaps(*folio) && table.at(at - table.base).none();
    if (!maps || !folio_try_get(t, *folio)) {
      ++at;
      continue;
    }
    // Its lock keeps off who unmaps it to move or free it.
    if (!folio_trylock(t, *folio)) {
      folio_put(t, *folio);
      ++at;
      continue;
    }
    const uint32_t offset = index - folio->index;
    const uint32_t max = std::min(to - at, folio->nr_pages() - offset);
    uint32_t nr = 1;
    while (nr < max && table.at(at - table.base + nr).none()) ++nr;
    if (nr > 1) folio_get(t, *folio, static_cast<int32_t>(nr - 1));
    MapFilePages(t, vma, table, at, *folio, offset, nr, bits);
    folio_unlock(t, *folio);
    at += nr;
  }
  return !table.at(vpn - table.base).none();
}

// A private copy of a page-cache page that is not mapped yet.
int do_cow_fault(Task& t, Vma& vma, PageTable& table, uint32_t vpn, Folio& cached,
                 uint32_t offset) {
  Folio* folio = folio_alloc(t, 0, t.node, t.fault_zone);
  set_content(t, *folio->page, cached.page[offset].content.get());
  t.k.cost.pages_copied.add(1);
  sync::Guard guard(table.lock);
  if (!table.at(vpn - table.base).none()) {
    folio_put(t, *folio);
    return 0;
  }
  add_mm_counter(t, *vma.mm, MmCounter::kAnon, 1);
  folio_add_new_anon_rmap(t, *folio, vma, vpn, true);
  folio_add_lru_vma(t, *folio, vma);
  set_pte(t, table, vpn, Pte::Present(folio->pfn, kFresh));
  return 0;
}

// A fault that fails leaves no page table behind.
int do_fault(Task& t, Vma& vma, uint32_t vpn, uint32_t flags) {
  const uint32_t index = vma.pgoff_of(vpn);
  const bool write = flags == kFaultWrite;
  const bool cow = write && vma.is_cow();
  if (cow) anon_vma_prepare(t, vma);
  if (!write && do_fault_around(t, vma, vpn)) return 0;
  if (index >= vma.file->npages) return kEFAULT;
  Folio* found = filemap_get_or_create(t, *vma.file, index);
  if (found == nullptr) return 0;
  Folio& folio = *found;
  int err = 0;
  if (!folio_trylock(t, folio)) {
    folio_put(t, folio);
    return kEAGAIN;
  }
  const uint32_t offset = index - folio.index;
  PageTable& table = *pte_alloc(t, *vma.mm, vpn);
  bool mapped = false;
  if (cow) {
    err = do_cow_fault(t, vma, table, vpn, folio, offset);
  } else {
    if (write) folio_mark_dirty(t, folio);
    sync::Guard guard(table.lock);
    if (table.at(vpn - table.base).none()) {
      MapFilePages(t, vma, table, vpn, folio, offset, 1, write ? kFresh : ReadBits(vma));
      mapped = true;  // the reference is the mapping's now
    }
  }
  folio_unlock(t, folio);
  if (!mapped) folio_put(t, folio);
  return err;
}

// Whether all pages of a large swap-cache folio can be mapped at once: every entry of it stands in
// order, with the same exclusive bit, inside the VMA and the table.
bool WholeFolioSwapped(const Vma& vma, const PageTable& table, uint32_t size, uint32_t vpn, Pte pte,
                       const Folio& folio) {
  const uint32_t offset = pte.slot() - folio.swap_slot;
  const uint32_t n = folio.nr_pages();
  if (vpn < offset) return false;
  const uint32_t first = vpn - offset;
  if (first < std::max(table.base, vma.start) || first + n > std::min(table.base + size, vma.end))
    return false;
  for (uint32_t i = 0; i < n; ++i) {
    if (table.at(first - table.base + i) != Pte::Swap(folio.swap_slot + i, pte.bits()))
      return false;
  }
  return true;
}

void MapSwappedIn(Task& t, Vma& vma, PageTable& table, uint32_t vpn, Pte pte, Folio& folio,
                  bool write) {
  uint32_t first = vpn;
  uint32_t n = 1;
  uint32_t offset = pte.slot() - folio.swap_slot;
  if (folio.large() && WholeFolioSwapped(vma, table, t.k.world.table, vpn, pte, folio)) {
    first = vpn - offset;
    n = folio.nr_pages();
    offset = 0;
  }
  const bool exclusive = pte.exclusive();
  uint32_t bits = kPteYoung;
  if (exclusive && vma.has(kVmWrite)) {
    bits |= kPteWrite;
    if (write) bits |= kPteDirty;
  }
  if (n > 1) folio_get(t, folio, static_cast<int32_t>(n - 1));
  if (folio.anon()) {
    folio_add_anon_rmap_ptes(t, folio, folio.page + offset, n, vma, first, exclusive);
  } else {
    folio_add_new_anon_rmap(t, folio, vma, first, exclusive);  // and no mlock, as in the kernel
  }
  const auto pages = static_cast<int32_t>(n);
  add_mm_counter(t, *vma.mm, MmCounter::kAnon, pages);
  add_mm_counter(t, *vma.mm, MmCounter::kSwap, -pages);
  set_ptes(t, table, first, Pte::Present(folio.pfn + offset, bits), n);
  swap_free(t, folio.swap_slot + offset, n, false);
}

int do_swap_page(Task& t, Vma& vma, PageTable& table, uint32_t vpn, Pte pte, uint32_t flags) {
  Folio* found = swap_cache_get_folio(t, pte.slot());
  if (found == nullptr) found = swap_cache_read(t, pte.slot());
  if (found == nullptr) return 0;  // the slot is in other hands now: look at the entry again
  Folio& folio = *found;
  if (!folio_trylock(t, folio)) {
    folio_put(t, folio);
    return kEAGAIN;
  }
  const bool write = flags == kFaultWrite;
  if (write && !folio.test(kFolioLru)) lru_add_drain(t);
  {
    sync::Guard guard(table.lock);
    const bool still_cached = folio.swapcache() && pte.slot() - folio.swap_slot < folio.nr_pages();
    if (still_cached && table.at(vpn - table.base) == pte) {
      MapSwappedIn(t, vma, table, vpn, pte, folio, write);
      folio_free_swap(t, folio);
      // The reference is the mapping's now: under the table's lock nobody takes it away before the
      // unlock.
      folio_unlock(t, folio);
      return 0;
    }
  }
  folio_unlock(t, folio);
  folio_put(t, folio);
  return 0;
}

}  // namespace

int handle_mm_fault(Task& t, Vma& vma, uint32_t vpn, uint32_t flags) {
  t.k.cost.faults.add(1);
  if (!vma.is_anonymous() && ptep_get(*vma.mm, vpn).none()) return do_fault(t, vma, vpn, flags);
  PageTable& table = *pte_alloc(t, *vma.mm, vpn);
  const Pte pte = table.at(vpn - table.base);
  switch (pte.kind()) {
    case PteKind::kNone:
      // A file's page may have gone meanwhile, where there are threads.
      return vma.is_anonymous() ? do_anonymous_page(t, vma, table, vpn, flags)
                                : do_fault(t, vma, vpn, flags);
    case PteKind::kSwap:
      return do_swap_page(t, vma, table, vpn, pte, flags);
    case PteKind::kMigration:
      return kEAGAIN;
    case PteKind::kZero:
    case PteKind::kPresent:
      break;
  }
  if (flags != kFaultRead && !pte.write()) return do_wp_page(t, vma, table, vpn, flags);
  if (flags != kFaultWrite) return 0;  // x86's ptep_set_access_flags sets bits for writes only
  sync::Guard guard(table.lock);
  const Pte now = table.at(vpn - table.base);
  if (now == pte) set_pte(t, table, vpn, now.With(kPteYoung | kPteDirty));
  return 0;
}

MMDIFF_MODEL_END
