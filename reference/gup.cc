// GUP: populate, pin and get, long-term pins, unpin, access through what is held, unshare.
#include <algorithm>
#include <cerrno>

#include "reference/engine.h"

namespace mmdiff::reference {

// FOLL_TOUCH on a page that the page table serves.
void Engine::Touch(const Pte& pte, bool write, OpContext& ctx) {
  if (!pte.present()) return;
  if (write && !pte.has(kPteDirty) && !F(pte.ref).is(kFolioDirty)) F(pte.ref).MarkDirty();
  MarkAccessed(pte.ref, ctx);
}

// populate_vma_page_range: 0, or the errno of the first page that cannot be populated.
int Engine::PopulateVma(Mm& mm, Vma& vma, uint32_t start, uint32_t end, OpContext& ctx) {
  if ((vma.flags & kVmLockOnFault) != 0) return 0;
  if ((vma.flags & (kVmRead | kVmWrite)) == 0) return EFAULT;
  int err = 0;
  const bool write = vma.writable() && !vma.shared();
  for (uint32_t vpn = start; vpn < end && err == 0;) {
    const Pte pte = mm.ptes[vpn];
    const bool serves =
        (pte.present() || pte.kind == PteKind::kZero) && (!write || pte.has(kPteWrite));
    if (serves) {
      Touch(pte, write, ctx);
      ++vpn;
    } else {
      err = Fault(mm, vma, vpn, write ? FaultKind::kWrite : FaultKind::kRead, ctx);
    }
  }
  Drain(ctx.cpu);
  return err;
}

// mm_populate over the VMAs of a range; holes are skipped.
int Engine::Populate(Mm& mm, uint32_t start, uint32_t end, bool ignore_errors, OpContext& ctx) {
  for (size_t i = FirstVmaAtOrAfter(mm, start); i < mm.vmas.size() && mm.vmas[i].start < end; ++i) {
    Vma& vma = mm.vmas[i];
    const int err = PopulateVma(mm, vma, std::max(start, vma.start), std::min(end, vma.end), ctx);
    if (err != 0 && !ignore_errors) return err;
  }
  return 0;
}

// Does the entry serve a GUP with these flags as it stands?
bool Engine::GupServes(const Pte& pte, const Vma& vma, uint32_t flags) const {
  if (pte.kind == PteKind::kZero) return (flags & (kGupWrite | kGupLongterm)) == 0;
  if (!pte.present()) return false;
  if ((flags & kGupWrite) != 0) return pte.has(kPteWrite);
  if ((flags & kGupGet) != 0) return true;
  if (F(pte.ref).is(kFolioAnon)) return PageOf(pte.ref, pte.offset).anon_exclusive;
  return (flags & kGupLongterm) == 0 || vma.shared();
}

// Takes one page. *fast says whether GUP-fast still serves; it does until the first page that it
// cannot.
int Engine::GupPage(Mm& mm, uint32_t vpn, uint32_t flags, bool* fast, OpContext& ctx,
                    HeldPage* out) {
  const bool write = (flags & kGupWrite) != 0;
  for (;;) {
    Vma* vma = vpn < world_.arena() ? FindVma(mm, vpn) : nullptr;
    if (vma == nullptr || (vma->flags & (write ? kVmWrite : kVmRead)) == 0) return EFAULT;
    // A file that wants to know of each write cannot be written for long without asking it.
    if (write && (flags & kGupLongterm) != 0 && vma->shared() && vma->file < kShmemFile)
      return EFAULT;
    const Pte pte = mm.ptes[vpn];
    if (GupServes(pte, *vma, flags)) {
      *out = pte.present() ? HeldPage{pte.ref, pte.offset} : HeldPage{kNoFolio, 0};
      const bool movable = pte.present() && F(pte.ref).zone == ZoneKind::kMovable;
      if (movable && (flags & kGupLongterm) != 0) *fast = false;
      // GUP-fast knows no VMA: a file's page that is not writable may stand in a private mapping.
      const bool page_cache = pte.present() && !F(pte.ref).is(kFolioAnon);
      if (page_cache && !pte.has(kPteWrite) && (flags & kGupLongterm) != 0) *fast = false;
      if (!pte.present()) *fast = false;  // a special entry
      if (!pte.present()) return 0;
      if (*fast) {
        F(pte.ref).Set(kFolioReferenced);
      } else {
        Touch(pte, write, ctx);
      }
      TouchFolio(pte.ref);
      return 0;
    }
    *fast = false;
    FaultKind kind = write ? FaultKind::kWrite : FaultKind::kRead;
    if (!write && (pte.present() || pte.kind == PteKind::kZero)) kind = FaultKind::kUnshare;
    if (const int err = Fault(mm, *vma, vpn, kind, ctx)) return err;
  }
}

// Drains before a small folio is isolated, while its references say that a batch may hold it: first
// this CPU's batches, then everybody's, each at most once a pass.
void Engine::LongtermDrain(FolioId f, uint32_t* drained, OpContext& ctx) {
  if (const Choice* c = ctx.choices->Peek(ChoiceKind::kGupDrain)) {
    const uint32_t level = c->a;
    ctx.choices->Take();
    if (level == 1) Drain(ctx.cpu);
    if (level >= 2) DrainAll(ctx.cpu);
    *drained = std::max(*drained, level);
    for (const auto& batch : batches_) {
      for (const BatchEntry& e : batch) {
        if (e.folio == f)
          ctx.choices->Refuse(ChoiceKind::kGupDrain, "a batch still holds the folio");
      }
    }
    return;
  }
  const auto unexpected = [&] {
    const FolioCount c = CountFolio(f);
    return c.refcount != c.mapcount + CacheRefs(f) + kGupPinBias;
  };
  if (*drained == 0 && unexpected()) {
    Drain(ctx.cpu);
    *drained = 1;
  }
  if (*drained == 1 && unexpected()) {
    DrainAll(ctx.cpu);
    *drained = 2;
  }
}

// check_and_migrate_movable_pages for the pages from `first` on. *again: they were let go, take
// them anew.
int Engine::LongtermPass(Pin* pin, size_t first, OpContext& ctx, bool* again) {
  std::vector<FolioId>& isolated = composite_;
  bool unpinnable = false;
  uint32_t drained = 0;
  for (size_t i = first; i < pin->pages.size(); ++i) {
    const FolioId f = pin->pages[i].folio;
    if (f == kNoFolio || F(f).zone != ZoneKind::kMovable) continue;
    if (i > first && pin->pages[i - 1].folio == f) continue;
    unpinnable = true;
    if (!F(f).large()) LongtermDrain(f, &drained, ctx);
    if (Isolate(f) == 0) isolated.push_back(f);
  }
  *again = false;
  if (!unpinnable) return 0;
  for (size_t i = first; i < pin->pages.size(); ++i) {
    if (pin->pages[i].folio != kNoFolio) TouchFolio(pin->pages[i].folio);
  }
  pin->pages.resize(first);
  if (isolated.empty()) return EAGAIN;  // would try for ever
  const bool all_moved = MigrateList({kNoFolio, ZoneKind::kNormal}, ctx, nullptr) == 0;
  *again = all_moved;
  return all_moved ? 0 : ENOMEM;
}

OpResult Engine::pin(const args::pin& a, OpContext& ctx) {
  Mm* mm = FindMm(a.mm);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  const bool get = (a.flags & kGupGet) != 0;
  const bool longterm = (a.flags & kGupLongterm) != 0;
  if (longterm && get) return OpResult{.err = EINVAL};
  if (a.npages == 0) return OpResult{.err = EINVAL};
  if (!get && !mm->has_pinned) {
    mm->has_pinned = true;
    TouchMm(*mm);
  }
  if (pins_.size() <= ctx.result_handle) pins_.resize(ctx.result_handle + 1);
  Pin& pin = pins_[ctx.result_handle];
  pin.open = true;
  pin.get = get;
  pin.pages.clear();
  // memalloc_pin_save: what a long-term pin faults in need not be moved afterwards.
  fault_zone_ = longterm ? ZoneKind::kNormal : ZoneKind::kMovable;
  bool fast = (a.flags & kGupFast) != 0;
  size_t kept = 0;  // pages that GUP-fast took: a long-term retry leaves them alone
  int err = 0;
  for (bool again = true; again;) {
    again = false;
    err = 0;
    for (uint32_t vpn = a.vpn + static_cast<uint32_t>(pin.pages.size()); vpn < a.vpn + a.npages;
         ++vpn) {
      HeldPage page;
      err = GupPage(*mm, vpn, a.flags, &fast, ctx, &page);
      if (err != 0) break;
      pin.pages.push_back(page);
      if (fast) kept = pin.pages.size();
    }
    if (pin.pages.size() > kept && longterm) err = LongtermPass(&pin, kept, ctx, &again);
  }
  fault_zone_ = ZoneKind::kMovable;
  pin.open = !pin.pages.empty();
  if (pin.open) err = 0;
  return Done(OpResult{.err = err, .value = static_cast<uint32_t>(pin.pages.size())}, ctx);
}

void Engine::Unpin(Pin* pin, bool dirty) {
  for (const HeldPage& p : pin->pages) {
    if (p.folio == kNoFolio) continue;
    if (dirty && !F(p.folio).is(kFolioDirty)) F(p.folio).MarkDirty();
    TouchFolio(p.folio);
  }
  pin->open = false;
  pin->pages.clear();
}

OpResult Engine::unpin(const args::unpin& a, OpContext& ctx) {
  if (a.pin >= pins_.size() || !pins_[a.pin].open) return OpResult{.err = EBADF};
  Unpin(&pins_[a.pin], false);
  return Done(OpResult{}, ctx);
}

OpResult Engine::unpin_dirty(const args::unpin_dirty& a, OpContext& ctx) {
  if (a.pin >= pins_.size() || !pins_[a.pin].open) return OpResult{.err = EBADF};
  Unpin(&pins_[a.pin], true);
  return Done(OpResult{}, ctx);
}

OpResult Engine::pin_read(const args::pin_read& a, OpContext&) {
  if (a.pin >= pins_.size() || !pins_[a.pin].open) return OpResult{.err = EBADF};
  OpResult r;
  for (const HeldPage& p : pins_[a.pin].pages) {
    r.data = FoldData(r.data, p.folio == kNoFolio ? 0 : PageOf(p.folio, p.offset).content);
    ++r.value;
  }
  return r;
}

OpResult Engine::pin_write(const args::pin_write& a, OpContext& ctx) {
  if (a.pin >= pins_.size() || !pins_[a.pin].open) return OpResult{.err = EBADF};
  OpResult r;
  for (const HeldPage& p : pins_[a.pin].pages) {
    if (p.folio != kNoFolio) {
      PageOf(p.folio, p.offset).content = StoredValue(ctx.op_index, r.value);
      TouchFolio(p.folio);
    }
    ++r.value;
  }
  return Done(r, ctx);
}

OpResult Engine::unshare(const args::unshare& a, OpContext& ctx) {
  Mm* mm = FindMm(a.mm);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  OpResult r;
  for (uint32_t vpn = a.vpn; vpn < a.vpn + a.npages; ++vpn) {
    Vma* vma = vpn < world_.arena() ? FindVma(*mm, vpn) : nullptr;
    r.err = vma == nullptr || (vma->flags & kVmRead) == 0 ? EFAULT : 0;
    if (r.err == 0 && !vma->shared()) r.err = Fault(*mm, *vma, vpn, FaultKind::kUnshare, ctx);
    if (r.err != 0) break;
    ++r.value;
  }
  return Done(r, ctx);
}

}  // namespace mmdiff::reference
