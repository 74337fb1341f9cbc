// GUP: references and pins on user pages, populate, long-term pins. The kernel's gup.c.
#include "model/gup.h"

#include <algorithm>

#include "model/kernel.h"
#include "model/memory.h"
#include "model/syscalls.h"
#include "model/vmscan.h"

MMDIFF_MODEL_BEGIN

bool gup_must_unshare(const Vma* vma, const Folio& folio, const Page& page, uint32_t flags) {
  if ((flags & (kGupWrite | kGupGet)) != 0) return false;
  // A pin must be on the page that the process will keep; long-term this holds for the page cache
  // too.
  if (folio.anon()) return !page.anon_exclusive;
  return (flags & kGupLongterm) != 0 && (vma == nullptr || vma->is_cow());
}

namespace {

// Takes what the flags ask for: a reference, or a pin. The page cannot go: it is mapped and its
// table locked.
void GrabPage(Task& t, Folio& folio, uint32_t flags) {
  if ((flags & kGupGet) != 0) {
    folio_get(t, folio);
  } else if (folio.large()) {
    folio_get(t, folio);
    folio.pincount.add(1);
  } else {
    folio_get(t, folio, kGupPinBias);
  }
}

void ReleasePage(Task& t, Page& page, uint32_t flags) {
  Folio& folio = *page.folio;
  if ((flags & kGupGet) != 0) {
    folio_put(t, folio);
    return;
  }
  MMDIFF_BUG_ON(
      folio.anon() && !page.anon_exclusive && !(folio.large() && folio.page->anon_exclusive),
      "pinned anonymous page is not AnonExclusive");
  if (folio.large()) {
    MMDIFF_BUG_ON(folio.pincount.get() <= 0, "unpin of a folio that is not pinned");
    folio.pincount.sub(1);
    folio_put(t, folio);
  } else {
    folio_put(t, folio, kGupPinBias);
  }
}

// What one look at an entry gave.
enum class Follow : uint8_t { kDone, kFault, kUnshare };

// Whether an entry serves the flags as it stands.
Follow Serves(const Kernel& k, const Vma& vma, Pte pte, uint32_t flags) {
  const bool write = (flags & kGupWrite) != 0;
  if (pte.zero()) {
    if (write) return Follow::kFault;
    // A long-term pin is to see what is written later.
    return (flags & kGupLongterm) != 0 ? Follow::kUnshare : Follow::kDone;
  }
  if (!pte.present() || pte.protnone() || (write && !pte.write())) return Follow::kFault;
  const Page& page = *pfn_to_page(k, pte.pfn());
  return gup_must_unshare(&vma, *page.folio, page, flags) ? Follow::kUnshare : Follow::kDone;
}

// FOLL_TOUCH.
void TouchPage(Task& t, Folio& folio, Pte pte, bool write) {
  if (write && !pte.dirty() && !folio.test(kFolioDirty)) folio_mark_dirty(t, folio);
  folio_mark_accessed(t, folio);
}

// follow_page_pte. With `grab` the page is taken and put into *page (nullptr: the zero page).
Follow follow_page_pte(Task& t, const Vma& vma, uint32_t vpn, uint32_t flags, bool grab,
                       Page** page) {
  PageTable* table = pmd_lookup(*vma.mm, vpn);
  if (table == nullptr) return Follow::kFault;
  sync::Guard guard(table->lock);
  const Pte pte = table->at(vpn - table->base);
  t.k.cost.ptes_visited.add(1);
  const Follow result = Serves(t.k, vma, pte, flags);
  if (result != Follow::kDone) return result;
  *page = pte.zero() ? nullptr : pfn_to_page(t.k, pte.pfn());
  if (*page == nullptr) return result;
  Folio& folio = *(*page)->folio;
  if (grab) GrabPage(t, folio, flags);
  TouchPage(t, folio, pte, (flags & kGupWrite) != 0);
  return result;
}

// A long-term pin would keep the folio in a zone that is to stay movable.
bool MustMove(const Folio& folio, uint32_t flags) {
  return (flags & kGupLongterm) != 0 && folio.zone == ZoneKind::kMovable;
}

// gup_fast_pte_range for one page: true if it was taken without a fault. Only PG_referenced tells
// of it.
bool gup_fast_pte(Task& t, const Vma& vma, uint32_t vpn, uint32_t flags, Page** page) {
  PageTable* table = pmd_lookup(*vma.mm, vpn);
  if (table == nullptr) return false;
  if (!t.k.on.gup_fast) {
    sync::Guard guard(table->lock);
    const Pte pte = table->at(vpn - table->base);
    t.k.cost.ptes_visited.add(1);
    if (Serves(t.k, vma, pte, flags) != Follow::kDone) return false;
    if (pte.zero()) return false;  // a special entry
    *page = pfn_to_page(t.k, pte.pfn());
    if (MustMove(*(*page)->folio, flags)) return false;
    if (!pte.write() && gup_must_unshare(nullptr, *(*page)->folio, **page, flags)) return false;
    GrabPage(t, *(*page)->folio, flags);
    folio_set(t, *(*page)->folio, kFolioReferenced);
    return true;
  }
  const Pte pte = table->at(vpn - table->base);
  t.k.cost.ptes_visited.add(1);
  if (!pte.present() || pte.protnone() || ((flags & kGupWrite) != 0 && !pte.write())) return false;
  // Without the lock the page may go and come back as another: take it, then look whether it is
  // still the one.
  Page* const p = pfn_to_page(t.k, pte.pfn());
  Folio* const folio = p->folio;
  if (folio == nullptr || !folio_try_get(t, *folio)) return false;
  if (p->folio != folio) {
    folio_put(t, *folio);
    return false;
  }
  // Held, it keeps its size.
  const bool pin = (flags & kGupGet) == 0;
  const int32_t refs = pin && !folio->large() ? kGupPinBias : 1;
  if (refs != 1) folio_get(t, *folio, refs - 1);
  if (pin && folio->large()) folio->pincount.add(1);
  sync::SyncPoint("gup_fast_pte");
  *page = p;
  if (table->at(vpn - table->base).Without(kPteYoung | kPteDirty) !=
          pte.Without(kPteYoung | kPteDirty) ||
      MustMove(*folio, flags) || (!pte.write() && gup_must_unshare(nullptr, *folio, *p, flags))) {
    if (pin && folio->large()) folio->pincount.sub(1);
    folio_put(t, *folio, refs);
    return false;
  }
  folio_set(t, *folio, kFolioReferenced);
  return true;
}

// Faults until the entry at vpn serves, and follows it: 0, EFAULT or EAGAIN.
int get_page(Task& t, Vma& vma, uint32_t vpn, uint32_t flags, bool grab, Page** page) {
  const bool write = (flags & kGupWrite) != 0;
  for (;;) {
    const Follow follow = follow_page_pte(t, vma, vpn, flags, grab, page);
    if (follow == Follow::kDone) return 0;
    const uint32_t fault = follow == Follow::kUnshare ? kFaultUnshare
                           : write                    ? kFaultWrite
                                                      : kFaultRead;
    if (const int err = handle_mm_fault(t, vma, vpn, fault); err != 0) return err;
  }
}

// A file that wants to know of each write cannot be written for long without asking it.
bool writable_file_mapping_allowed(const Vma& vma, uint32_t flags) {
  constexpr uint32_t kBoth = kGupWrite | kGupLongterm;
  return (flags & kBoth) != kBoth || vma.is_cow() || vma.file == nullptr || vma.file->shmem;
}

// Appends the pages of [vpn, vpn + npages) as long as GUP-fast serves: up to the first page that
// needs a fault or, long-term, that must move.
void gup_fast_range(Task& t, Mm& mm, uint32_t vpn, uint32_t npages, PinnedPages* out) {
  const uint32_t needed = (out->flags & kGupWrite) != 0 ? kVmWrite : kVmRead;
  for (uint32_t i = 0; i < npages; ++i) {
    const Vma* vma = vma_lookup(mm, vpn + i);
    Page* page = nullptr;
    if (vma == nullptr || !vma->has(needed) || !writable_file_mapping_allowed(*vma, out->flags) ||
        !gup_fast_pte(t, *vma, vpn + i, out->flags, &page)) {
      return;
    }
    out->pages.push_back(page);
  }
}

// __get_user_pages: appends the pages of [vpn, vpn + npages) until one fails; its errno, or 0.
int get_user_pages(Task& t, Mm& mm, uint32_t vpn, uint32_t npages, PinnedPages* out) {
  const uint32_t needed = (out->flags & kGupWrite) != 0 ? kVmWrite : kVmRead;
  Vma* vma = nullptr;
  for (uint32_t i = 0; i < npages; ++i) {
    if (vma == nullptr || vpn + i >= vma->end) vma = vma_lookup(mm, vpn + i);
    if (vma == nullptr || !vma->has(needed)) return kEFAULT;
    if (!writable_file_mapping_allowed(*vma, out->flags)) return kEFAULT;
    Page* page = nullptr;
    if (const int err = get_page(t, *vma, vpn + i, out->flags, true, &page); err != 0) return err;
    out->pages.push_back(page);
  }
  return 0;
}

// Lets go of the pages from `first` on.
void ReleaseFrom(Task& t, PinnedPages* held, size_t first) {
  for (size_t i = first; i < held->pages.size(); ++i) {
    if (held->pages[i] != nullptr) ReleasePage(t, *held->pages[i], held->flags);
  }
  held->pages.resize(first);
}

// ---- Long-term pins
// --------------------------------------------------------------------------------

// Waiting batches hold references that would make migration fail, and the LRU flag does not tell of
// them: the reference count does. Large folios never wait in one. Each drain is made at most once a
// call.
void DrainFor(Task& t, const Folio& folio, uint32_t* drained) {
  if (folio.large()) return;
  if (!t.k.on.gup_drain_by_refcount) {
    t.Choose(ChoiceKind::kGupDrain, 2);
    lru_add_drain_all(t);
    *drained = 2;
    return;
  }
  const auto unexplained = [&] {
    return folio.ref_count() != folio_expected_ref_count(folio) + kGupPinBias;
  };
  if (*drained == 0 && unexplained()) {
    lru_add_drain(t);
    *drained = 1;
  }
  if (*drained == 1 && unexplained()) {
    lru_add_drain_all(t);
    *drained = 2;
  }
}

// collect_longterm_unpinnable_folios: isolates the movable folios of the pages from `first` on. How
// many there are; one that is isolated already counts too.
uint32_t collect_movable(Task& t, const PinnedPages& held, size_t first,
                         std::vector<Folio*>* isolated) {
  uint32_t collected = 0;
  uint32_t drained = 0;
  const Folio* last = nullptr;
  isolated->clear();
  for (size_t i = first; i < held.pages.size(); ++i) {
    if (held.pages[i] == nullptr) {
      last = nullptr;
      continue;
    }
    Folio& folio = *held.pages[i]->folio;
    if (&folio == last) continue;
    last = &folio;
    if (folio.zone != ZoneKind::kMovable) continue;
    ++collected;
    DrainFor(t, folio, &drained);
    if (folio_isolate_lru(t, folio)) isolated->push_back(&folio);
  }
  return collected;
}

// check_and_migrate_movable_pages for the pages from `first` on: 0 if all may stay; EAGAIN with
// *again set if they are to be taken anew; else the errno of the call. They are held only if 0.
int check_and_migrate(Task& t, PinnedPages* held, size_t first, bool* again) {
  thread_local std::vector<Folio*> isolated;
  *again = false;
  if (collect_movable(t, *held, first, &isolated) == 0) return 0;
  ReleaseFrom(t, held, first);
  if (isolated.empty()) return kEAGAIN;  // somebody else has isolated them
  migrate_pages(t, isolated, {kOwnNode, ZoneKind::kNormal});
  *again = isolated.empty();
  for (Folio* folio : isolated) folio_putback_lru(t, *folio);
  return *again ? kEAGAIN : kENOMEM;
}

// __gup_longterm_locked: what GUP-fast took before stays as it is.
int gup_longterm(Task& t, Mm& mm, uint32_t vpn, uint32_t npages, PinnedPages* out) {
  const size_t first = out->pages.size();
  for (;;) {
    const int err = get_user_pages(t, mm, vpn, npages, out);
    if (out->pages.size() == first) return err;
    bool again = false;
    const int checked = check_and_migrate(t, out, first, &again);
    if (!again) return checked;
  }
}

// populate_vma_page_range.
int populate_vma_page_range(Task& t, Vma& vma, uint32_t start, uint32_t end) {
  if (vma.has(kVmLockOnFault)) return 0;
  const uint32_t flags = kGupGet | (vma.has(kVmWrite) && vma.is_cow() ? uint32_t{kGupWrite} : 0u);
  if (!vma.has(kVmRead)) return kEFAULT;
  int err = 0;
  for (uint32_t vpn = start; vpn < end && err == 0; ++vpn) {
    Page* page = nullptr;
    err = get_page(t, vma, vpn, flags, false, &page);
  }
  lru_add_drain(t);
  return err;
}

}  // namespace

int mm_populate(Task& t, Mm& mm, uint32_t start, uint32_t end) {
  while (start < end) {
    Vma* vma = find_vma(mm, start);
    if (vma == nullptr || vma->start >= end) return 0;
    const uint32_t stop = std::min(end, vma->end);
    if (const int err = populate_vma_page_range(t, *vma, std::max(start, vma->start), stop);
        err != 0)
      return err;
    start = stop;
  }
  return 0;
}

// Operations
// -----------------------------------------------------------------------------------------

OpResult Model::pin(const args::pin& a, OpContext& ctx) {
  OpResult r;
  MmRef mm = k_.FindMm(a.mm);
  if (!mm) {
    r.err = kESRCH;
    return r;
  }
  const bool get = (a.flags & kGupGet) != 0;
  const bool longterm = (a.flags & kGupLongterm) != 0;
  if ((longterm && get) || a.npages == 0) {
    r.err = kEINVAL;
    return r;
  }
  Task t(k_, ctx, k_.world.nodes);
  sync::SharedGuard guard(mm->mmap_lock);
  if (!get) {  // before the first pin: fork must know that there may be one
    mm->has_pinned.set(1);
    touch_mm(t, *mm);
  }
  PinnedPages* held = k_.pins.Bind(ctx.result_handle);
  held->flags = a.flags;
  held->pages.clear();
  if ((a.flags & kGupFast) != 0) gup_fast_range(t, *mm, a.vpn, a.npages, held);
  const uint32_t taken = static_cast<uint32_t>(held->pages.size());
  // What a long-term pin faults in need not be moved afterwards.
  if (longterm) t.fault_zone = ZoneKind::kNormal;
  const int err = longterm ? gup_longterm(t, *mm, a.vpn + taken, a.npages - taken, held)
                           : get_user_pages(t, *mm, a.vpn + taken, a.npages - taken, held);
  if (held->pages.empty()) {
    r.err = err;
    k_.pins.Spend(ctx.result_handle);
  } else {
    r.value = static_cast<uint32_t>(held->pages.size());
    k_.pins.Release(ctx.result_handle);
  }
  return r;
}

OpResult Model::Unpin(OpContext& ctx, uint32_t pin, bool dirty) {
  OpResult r;
  PinnedPages* held = k_.pins.Claim(pin);
  if (held == nullptr) {
    r.err = kEBADF;
    return r;
  }
  Task t(k_, ctx, k_.world.nodes);
  if (dirty) {
    for (Page* page : held->pages) {
      if (page != nullptr && !page->folio->test(kFolioDirty)) folio_mark_dirty(t, *page->folio);
    }
  }
  ReleaseFrom(t, held, 0);
  k_.pins.Spend(pin);
  return r;
}

OpResult Model::unpin(const args::unpin& a, OpContext& ctx) { return Unpin(ctx, a.pin, false); }
OpResult Model::unpin_dirty(const args::unpin_dirty& a, OpContext& ctx) {
  return Unpin(ctx, a.pin, true);
}

OpResult Model::pin_read(const args::pin_read& a, OpContext&) {
  OpResult r;
  PinnedPages* held = k_.pins.Claim(a.pin);
  if (held == nullptr) {
    r.err = kEBADF;
    return r;
  }
  for (const Page* page : held->pages)
    r.data = FoldData(r.data, page == nullptr ? 0 : page->content.get());
  r.value = static_cast<uint32_t>(held->pages.size());
  k_.pins.Release(a.pin);
  return r;
}

OpResult Model::pin_write(const args::pin_write& a, OpContext& ctx) {
  OpResult r;
  PinnedPages* held = k_.pins.Claim(a.pin);
  if (held == nullptr) {
    r.err = kEBADF;
    return r;
  }
  Task t(k_, ctx, k_.world.nodes);
  for (Page* page : held->pages) {
    if (page != nullptr) set_content(t, *page, StoredValue(ctx.op_index, r.value));
    ++r.value;
  }
  k_.pins.Release(a.pin);
  return r;
}

MMDIFF_MODEL_END
