// madvise: dontneed, free, cold, pageout, dontfork, dofork.
#include <algorithm>
#include <cerrno>

#include "reference/engine.h"

namespace mmdiff::reference {

// The run of entries at vpn that advice treats as one: the pages of the folio from there. A large
// folio that is not there whole is split first. Returns how many entries to go on by; *whole says
// whether to treat them.
uint32_t Engine::WholeFolio(Mm& mm, uint32_t vpn, uint32_t limit, OpContext& ctx, bool* whole) {
  const FolioId f = mm.ptes[vpn].ref;
  const uint32_t n = RunOf(mm, vpn, limit);
  *whole = n == F(f).pages();
  if (*whole) return n;
  if (MaybeMappedShared(f, vpn, ctx) || F(f).is(kFolioLocked)) return n;
  FolioId first_new = kNoFolio;
  const int err = Split(f, 0, ctx, &first_new);
  FlushPending(mm, vpn, vpn + 1);  // the page table's lock is taken anew
  return err == 0 ? 0 : n;
}

void Engine::ClearBits(Mm& mm, uint32_t vpn, uint32_t n, uint8_t bits, Gather* g) {
  for (uint32_t i = 0; i < n; ++i) {
    Pte pte = mm.ptes[vpn + i];
    pte.bits &= ~bits;
    if (pte.bits != mm.ptes[vpn + i].bits) SetPte(mm, vpn + i, pte);
  }
  if (g->low == g->high) g->low = vpn;
  g->high = vpn + n;
}

uint32_t Engine::FreeRange(Mm& mm, uint32_t start, uint32_t end, Gather* g, OpContext& ctx) {
  uint32_t done = 0;
  for (uint32_t vpn = start; vpn < end;) {
    const Pte pte = mm.ptes[vpn];
    if (pte.kind == PteKind::kSwap) ZapSwap(mm, vpn);
    if (!pte.present()) {
      ++vpn;
      continue;
    }
    const FolioId f = pte.ref;
    bool whole = false;
    const uint32_t n = WholeFolio(mm, vpn, end, ctx, &whole);
    const uint32_t at = vpn;
    vpn += n;
    if (!whole) continue;
    Folio& folio = F(f);
    if (folio.is(kFolioSwapCache) || folio.is(kFolioDirty)) {
      if (folio.is(kFolioLocked) || Mapcount(f) != folio.pages()) continue;
      if (folio.is(kFolioSwapCache) && !FreeSwap(f)) continue;
      folio.Set(kFolioDirty, false);
      TouchFolio(f);
    }
    bool used = false;
    for (uint32_t i = 0; i < n; ++i) used |= mm.ptes[at + i].has(kPteYoung | kPteDirty);
    if (used) ClearBits(mm, at, n, kPteYoung | kPteDirty, g);
    if (folio.is(kFolioLru) && folio.is(kFolioSwapBacked) && !folio.is(kFolioSwapCache) &&
        !folio.is(kFolioUnevictable)) {
      BatchAdd(BatchKind::kLazyfree, f, MlockTag::kNone, ctx);
    }
    done += n;
  }
  return done;
}

void Engine::ColdRange(Mm& mm, uint32_t start, uint32_t end, Gather* g, OpContext& ctx) {
  for (uint32_t vpn = start; vpn < end;) {
    const Pte pte = mm.ptes[vpn];
    bool whole = false;
    const uint32_t n = pte.present() ? WholeFolio(mm, vpn, end, ctx, &whole) : 1;
    const uint32_t at = vpn;
    vpn += n;
    if (!whole) continue;
    Folio& folio = F(pte.ref);
    if (!folio.is(kFolioLru) || Mapcount(pte.ref) != folio.pages()) continue;
    bool young = false;
    for (uint32_t i = 0; i < n; ++i) young |= mm.ptes[at + i].has(kPteYoung);
    if (young) ClearBits(mm, at, n, kPteYoung, g);
    folio.Set(kFolioReferenced, false);
    TouchFolio(pte.ref);
    if (folio.is(kFolioActive) && !folio.is(kFolioUnevictable)) {
      BatchAdd(BatchKind::kDeactivate, pte.ref, MlockTag::kNone, ctx);
    }
  }
}

// MADV_PAGEOUT in one page table.
void Engine::PageoutRange(Mm& mm, uint32_t start, uint32_t end, OpContext& ctx, uint32_t* freed) {
  for (uint32_t vpn = start; vpn < end;) {
    const Pte pte = mm.ptes[vpn];
    bool whole = false;
    vpn += pte.present() ? WholeFolio(mm, vpn, end, ctx, &whole) : 1;
    if (!whole) continue;
    Folio& folio = F(pte.ref);
    if (!folio.is(kFolioLru) || Mapcount(pte.ref) != folio.pages()) continue;
    folio.Set(kFolioReferenced, false);
    Isolate(pte.ref);
    if (folio.is(kFolioUnevictable)) {
      Putback(pte.ref, ctx);
    } else {
      folio.Set(kFolioActive, false);
      composite_.push_back(pte.ref);
    }
  }
  *freed += ShrinkList(true, ctx);
}

// The walk over VMAs that all of these share. `keep`: zap_begin's gather, which outlives the
// operation.
OpResult Engine::Advise(uint32_t mm_handle, uint32_t vpn, uint32_t npages, Advice advice,
                        OpContext& ctx, Gather* keep) {
  Mm* mm = FindMm(mm_handle);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  OpResult r;
  if (npages == 0 && keep == nullptr) return r;
  Gather* g = keep != nullptr ? keep : &gather_;
  *g = Gather{.open = keep != nullptr, .mm = mm->slot, .pages = std::move(g->pages)};
  const uint32_t end = vpn + npages;
  bool hole = false;
  mm->advised = true;
  // dontneed and free have one gather for all VMAs, cold and pageout one for each.
  bool gathered = advice == Advice::kDontneed || advice == Advice::kFree;
  const bool by_vma = !gathered;
  for (uint32_t at = vpn; at < end && r.err == 0;) {
    const size_t i = FirstVmaAtOrAfter(*mm, at);
    if (i == mm->vmas.size() || mm->vmas[i].start > at) {
      hole = true;
      if (i == mm->vmas.size()) break;
      at = mm->vmas[i].start;
      continue;
    }
    Vma& vma = mm->vmas[i];
    const uint32_t from = at, stop = std::min(end, vma.end);
    const bool anon = vma.file == kNoFile;
    if (vma.locked() || (advice == Advice::kFree && !anon)) {
      r.err = EINVAL;
      break;
    }
    if (advice != Advice::kDontneed) Drain(ctx.cpu);
    if (advice == Advice::kDontneed) {
      FlushPending(*mm, at, stop);
      DrainIfChosen(0, ctx);
      r.value += ZapRange(*mm, vma, at, stop, g, ctx);
    }
    while (advice != Advice::kDontneed && at < stop) {
      const uint32_t table_end = std::min(stop, (at | (world_.table - 1)) + 1);
      FlushPending(*mm, at, table_end);
      if (advice == Advice::kFree) r.value += FreeRange(*mm, at, table_end, g, ctx);
      if (advice == Advice::kCold) ColdRange(*mm, at, table_end, g, ctx);
      if (advice == Advice::kPageout) PageoutRange(*mm, at, table_end, ctx, &r.value);
      at = table_end;
    }
    if (by_vma || (advice == Advice::kFree && GatherFlushChosen(*mm, from, stop, ctx))) {
      FinishGather(g, ctx);
    }
    at = stop;
  }
  if (r.err == 0 && hole) r.err = ENOMEM;
  if (keep != nullptr && r.err == 0) {
    ++mm->open_zaps;
  } else {
    if (ctx.choices->Peek(ChoiceKind::kNoGather) != nullptr) {
      ctx.choices->Take();
      gathered = false;
    }
    if (gathered) FinishGather(g, ctx);
    g->open = false;
  }
  mm->advised = false;
  return Done(r, ctx);
}

OpResult Engine::free(const args::free& a, OpContext& ctx) {
  return Advise(a.mm, a.vpn, a.npages, Advice::kFree, ctx);
}
OpResult Engine::cold(const args::cold& a, OpContext& ctx) {
  return Advise(a.mm, a.vpn, a.npages, Advice::kCold, ctx);
}
OpResult Engine::pageout(const args::pageout& a, OpContext& ctx) {
  return Advise(a.mm, a.vpn, a.npages, Advice::kPageout, ctx);
}

OpResult Engine::AdviseFork(uint32_t mm_handle, uint32_t vpn, uint32_t npages, bool dontfork,
                            OpContext& ctx) {
  TakeNoMerges(ctx);
  Mm* mm = FindMm(mm_handle);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  OpResult r;
  if (npages == 0) return r;
  if (mm->open_zaps != 0) return OpResult{.err = EAGAIN};
  const uint32_t end = vpn + npages;
  bool hole = false;
  for (uint32_t at = vpn; at < end;) {
    const size_t i = FirstVmaAtOrAfter(*mm, at);
    if (i == mm->vmas.size() || mm->vmas[i].start > at) {
      hole = true;
      if (i == mm->vmas.size()) break;
      at = mm->vmas[i].start;
      continue;
    }
    const uint32_t stop = std::min(end, mm->vmas[i].end);
    const uint32_t flags =
        dontfork ? mm->vmas[i].flags | kVmDontCopy : mm->vmas[i].flags & ~kVmDontCopy;
    if (flags != mm->vmas[i].flags && ModifyVma(*mm, at, stop, flags) != 0) {
      r.err = EAGAIN;
      break;
    }
    r.value += stop - at;
    at = stop;
  }
  if (r.err == 0 && hole) r.err = ENOMEM;
  return Done(r, ctx);
}

OpResult Engine::dontfork(const args::dontfork& a, OpContext& ctx) {
  return AdviseFork(a.mm, a.vpn, a.npages, true, ctx);
}
OpResult Engine::dofork(const args::dofork& a, OpContext& ctx) {
  return AdviseFork(a.mm, a.vpn, a.npages, false, ctx);
}

}  // namespace mmdiff::reference
