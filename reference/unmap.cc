// Reverse-map walks that may stop early: try_to_unmap and folio_referenced.
//
// The order in which a walk meets the mappings is the implementation's business. With a leader, the
// reference follows the visits that were recorded and checks each; without one it goes by process
// and address.
#include <algorithm>
#include <cerrno>

#include "reference/engine.h"

namespace mmdiff::reference {

// The longest run of present PTEs from vpn, below `end` and inside the table, that map one folio in
// order.
uint32_t Engine::RunOf(const Mm& mm, uint32_t vpn, uint32_t end) const {
  const Pte& first = mm.ptes[vpn];
  end = std::min(end, (vpn | (world_.table - 1)) + 1);
  uint32_t n = 1;
  while (vpn + n < end && mm.ptes[vpn + n].maps(first.ref) &&
         mm.ptes[vpn + n].offset == first.offset + n)
    ++n;
  return n;
}

bool Engine::AllInOneTable(const Mm& mm, const Vma& vma, FolioId f) const {
  const uint32_t end = std::min(vma.end, F(f).high);
  for (uint32_t vpn = std::max(vma.start, F(f).low); vpn < end; ++vpn) {
    if (mm.ptes[vpn].maps(f) && mm.ptes[vpn].offset == 0)
      return RunOf(mm, vpn, vma.end) == F(f).pages();
  }
  return false;
}

bool Engine::VisitedMapping(FolioId f, const Choice& c, OpContext& ctx, MappingAt* at) {
  const char* why = nullptr;
  at->mm = FindMm(c.a);
  at->vma = at->mm == nullptr || c.b >= world_.arena() ? nullptr : FindVma(*at->mm, c.b);
  at->vpn = c.b;
  at->n = c.c;
  if (at->vma == nullptr || !at->mm->ptes[c.b].maps(f)) {
    why = "the entry does not map the folio";
  } else if (at->n > RunOf(*at->mm, c.b, at->vma->end)) {
    why = "the batch leaves the VMA, the page table or the folio";
  }
  if (why != nullptr) ctx.choices->Refuse(ChoiceKind::kVisit, why);
  return why == nullptr;
}

// The first mapping of `f` at or after `from` (mm id << 32 | vpn).
bool Engine::FirstMapping(FolioId f, uint64_t from, MappingAt* at) {
  for (Mm* mm : live_) {
    for (Vma& vma : mm->vmas) {
      const uint32_t end = std::min(vma.end, F(f).high);
      for (uint32_t vpn = std::max(vma.start, F(f).low); vpn < end; ++vpn) {
        if (!mm->ptes[vpn].maps(f) || Pair(mm->id, vpn) < from) continue;
        *at = MappingAt{mm, &vma, vpn, 1};
        return true;
      }
    }
  }
  return false;
}

// The next mapping of a walk that may stop early: the leader's, else the first from `from`. n == 0
// only in a leader's record: it stopped there because the VMA is locked.
bool Engine::NextMapping(FolioId f, uint64_t from, OpContext& ctx, MappingAt* at) {
  const Choice* c = ctx.choices->Peek(ChoiceKind::kVisit);
  if (c == nullptr) return FirstMapping(f, from, at);
  const Choice visit = *c;
  ctx.choices->Take();
  return VisitedMapping(f, visit, ctx, at);
}

void Engine::FlushOrDefer(const MappingAt& at, const Pte& old, bool may_defer, OpContext& ctx) {
  // pte_accessible: no CPU can have cached it, but while a gather is open its flush may be to come.
  const bool gathered = at.mm->open_zaps != 0 || at.mm->advised;
  if (old.has(kPteProtNone) && !gathered) return;
  if (may_defer && (at.mm->cpus & ~(1u << ctx.cpu)) != 0) {
    at.mm->tlb_flush_pending = at.mm->tlb_flush_batched = true;
    TouchMm(*at.mm);
  } else {
    FlushRange(*at.mm, at.vpn, at.vpn + at.n);
  }
}

// What becomes of anonymous entries that have been cleared; false: put them back and end the walk.
// `before` was counted while they were still there.
bool Engine::UnmapAnon(FolioId f, const MappingAt& at, const FolioCount& before, const Pte& old,
                       OpContext& ctx) {
  Folio& folio = F(f);
  if (!folio.is(kFolioSwapBacked)) {
    if (folio.is(kFolioDirty)) {
      folio.Set(kFolioSwapBacked);  // written since MADV_FREE: not to be discarded after all
      return false;
    }
    if (before.refcount == 1 + before.mapcount) return true;
    if (ctx.choices->TakeAt(ChoiceKind::kLazyfreeKeep, at.vpn) != nullptr) {
      folio.Set(kFolioSwapBacked);
    }
    return false;
  }
  Page& page = PageOf(f, old.offset);
  const bool pinned = folio.large() ? before.pins > 0 : before.refcount >= kGupPinBias;
  if (page.anon_exclusive && pinned) return false;
  Pte entry{PteKind::kSwap, 0, 0, folio.slot + old.offset};
  if (page.anon_exclusive) entry.bits = kPteExclusive;
  page.anon_exclusive = false;
  SetPte(*at.mm, at.vpn, entry);
  return true;
}

bool Engine::UnmapBatch(FolioId f, const MappingAt& at, bool may_defer, OpContext& ctx) {
  const FolioCount before = CountFolio(f);
  std::vector<Pte>& old = scratch_ptes_;
  old.assign(at.mm->ptes.begin() + at.vpn, at.mm->ptes.begin() + at.vpn + at.n);
  uint8_t merged =
      0;  // a batch that is put back gets dirty and young everywhere if they were anywhere
  for (uint32_t i = 0; i < at.n; ++i) {
    if (old[i].has(kPteWrite) != old[0].has(kPteWrite)) {
      ctx.choices->Refuse(ChoiceKind::kVisit, "the entries of the batch differ in their write bit");
    }
    merged |= old[i].bits & (kPteDirty | kPteYoung);
    ClearPte(*at.mm, at.vpn + i);
  }
  FlushOrDefer(at, old[0], may_defer, ctx);
  if ((merged & kPteDirty) != 0) F(f).MarkDirty();
  if (F(f).is(kFolioAnon) && !UnmapAnon(f, at, before, old[0], ctx)) {
    for (uint32_t i = 0; i < at.n; ++i) {
      Pte pte = old[i];
      pte.bits |= merged;
      SetPte(*at.mm, at.vpn + i, pte);
    }
    return false;
  }
  RmapRemoved(f, old[0].offset, at.n, *at.vma, ctx);
  if (at.vma->locked()) DrainMlock(ctx.cpu);
  return true;
}

// try_to_unmap; the number of entries unmapped. Ends at a locked VMA or at an entry that has to
// stay.
uint32_t Engine::TryToUnmap(FolioId f, uint32_t ttu_flags, OpContext& ctx) {
  const bool one_at_a_time = F(f).is(kFolioAnon) && F(f).is(kFolioSwapBacked);
  uint32_t unmapped = 0;
  MappingAt at;
  while (Mapcount(f) != 0 && NextMapping(f, 0, ctx, &at)) {
    const bool stays = at.vma->locked() && (ttu_flags & kTtuIgnoreMlock) == 0;
    if (stays) {
      if (AllInOneTable(*at.mm, *at.vma, f)) {
        MlockWhole(f, at.vpn, ctx);
      } else {
        ctx.choices->TakeAt(ChoiceKind::kNoMlock, at.vpn);  // it would not have been anyway
      }
      break;
    }
    if (at.n == 0 || (one_at_a_time && at.n != 1)) {
      ctx.choices->Refuse(ChoiceKind::kVisit, at.n == 0
                                                  ? "the VMA is not locked"
                                                  : "swap-backed pages are unmapped one by one");
      break;
    }
    if (!UnmapBatch(f, at, (ttu_flags & kTtuBatchFlush) != 0, ctx)) break;
    unmapped += at.n;
  }
  return unmapped;
}

OpResult Engine::try_to_unmap(const args::try_to_unmap& a, OpContext& ctx) {
  Iso* iso = FindIso(a.iso);
  if (iso == nullptr) return OpResult{.err = EBADF};
  const Folio& folio = F(iso->folio);
  if (folio.is(kFolioLocked)) return OpResult{.err = EAGAIN};
  if (folio.is(kFolioAnon) && folio.is(kFolioSwapBacked) != folio.is(kFolioSwapCache)) {
    return OpResult{.err = EINVAL};
  }
  return Done(OpResult{.value = TryToUnmap(iso->folio, a.flags, ctx)}, ctx);
}

// folio_referenced: clears young everywhere and counts the VMAs in which it was set.
uint32_t Engine::CountReferenced(FolioId f, bool* vm_locked, OpContext& ctx) {
  uint32_t referenced = 0;
  const Vma* counted = nullptr;
  uint64_t from = 0;
  uint32_t left =
      0;  // mappings to visit: all but those of a VMA that has locked only a part of the folio
  ForEachPteOf(f, [&](Mm& mm, Vma& vma, uint32_t, Pte& pte) {
    left += pte.present() && (!vma.locked() || AllInOneTable(mm, vma, f));
  });
  MappingAt at;
  while (left != 0) {
    if (ctx.choices->following() && ctx.choices->Peek(ChoiceKind::kVisit) == nullptr) {
      ctx.choices->Refuse(ChoiceKind::kVisit, "the walk left out a mapping");
      break;
    }
    if (!NextMapping(f, from, ctx, &at)) break;
    from = Pair(at.mm->id, at.vpn) + 1;
    if (at.vma->locked()) {
      if (!AllInOneTable(*at.mm, *at.vma, f)) continue;
      MlockFolio(f, ctx);
      *vm_locked = true;
      break;
    }
    if (at.n == 0) {
      ctx.choices->Refuse(ChoiceKind::kVisit, "the VMA is not locked");
      break;
    }
    left -= std::min(left, at.n);
    for (uint32_t i = 0; i < at.n; ++i) {
      Pte pte = at.mm->ptes[at.vpn + i];
      if (!pte.has(kPteYoung)) continue;
      pte.bits &= ~kPteYoung;
      SetPte(*at.mm, at.vpn + i, pte);
      referenced += counted != at.vma;
      counted = at.vma;
    }
  }
  return referenced;
}

OpResult Engine::referenced(const args::referenced& a, OpContext& ctx) {
  Iso* iso = FindIso(a.iso);
  if (iso == nullptr) return OpResult{.err = EBADF};
  if (F(iso->folio).is(kFolioLocked)) return OpResult{.err = EAGAIN};
  bool vm_locked = false;
  OpResult r;
  r.value = CountReferenced(iso->folio, &vm_locked, ctx);
  if (vm_locked) r.value += 1000;
  return Done(r, ctx);
}

}  // namespace mmdiff::reference
