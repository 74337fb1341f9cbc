// Reclaim: what shrink_folio_list does to each isolated folio, and the operations that call it.
//
// Isolated folios of a composite operation stand in composite_, each entry holding one reference,
// until they are freed or put back; a folio that is split leaves its pieces there.
#include <algorithm>
#include <cerrno>

#include "reference/engine.h"

namespace mmdiff::reference {

// Frees an unmapped isolated folio: 0, or EBUSY if somebody else has it or it must not go.
int Engine::RemoveMapping(FolioId f) {
  Folio& folio = F(f);
  const FolioCount c = CountFolio(f);
  if (c.mapcount != 0) return EBUSY;
  FlushBatched();
  if (folio.large() ? c.pins > 0 : c.refcount >= kGupPinBias) return EBUSY;
  if (c.refcount != 1 + CacheRefs(f)) return EBUSY;
  if (folio.is(kFolioAnon) && !folio.is(kFolioSwapCache))
    return folio.is(kFolioSwapBacked) ? EBUSY : 0;
  if (folio.is(kFolioSwapCache)) {
    if (folio.is(kFolioDirty)) {
      if (FreeSwap(f))
        return EBUSY;  // nobody has an entry: nothing is written, the slots are freed
      WriteToSwap(f);
    }
    DropSwapCache(f);
    return 0;
  }
  if (folio.is(kFolioDirty)) return EBUSY;
  if (folio.file == kNoFile) return EBUSY;  // truncated: goes when it is put back
  DropPageCache(f);
  return 0;
}

OpResult Engine::remove_mapping(const args::remove_mapping& a, OpContext& ctx) {
  Iso* iso = FindIso(a.iso);
  if (iso == nullptr) return OpResult{.err = EBADF};
  if (F(iso->folio).is(kFolioLocked)) return OpResult{.err = EAGAIN};
  OpResult r;
  r.err = RemoveMapping(iso->folio);
  if (r.err == 0) {
    r.value = F(iso->folio).pages();
    iso->open = false;
    TouchFolio(iso->folio);
  }
  return Done(r, ctx);
}

// Splits composite_[position] in place; its pieces take its place, each isolated.
bool Engine::SplitIsolated(size_t position, OpContext& ctx) {
  if (!SplitIntoPieces(composite_[position], ctx)) return false;
  const auto at = composite_.begin() + static_cast<std::ptrdiff_t>(position);
  composite_.insert(composite_.erase(at), pieces_.begin(), pieces_.end());
  return true;
}

// Splits an isolated folio into pieces_, in the order in which its holder goes on with them.
bool Engine::SplitIntoPieces(FolioId f, OpContext& ctx) {
  const uint32_t n = F(f).pages();
  FolioId first_new = kNoFolio;
  if (Split(f, 1, ctx, &first_new) != 0) return false;
  pieces_.assign(1, f);
  for (uint32_t i = 0; i + 1 < n; ++i) pieces_.push_back(first_new + i);
  const Choice* c = ctx.choices->Peek(ChoiceKind::kSplitOrder);
  if (c == nullptr) return true;
  const uint32_t order = c->a;
  ctx.choices->Take();
  if (order == 1) std::reverse(pieces_.begin() + 1, pieces_.end());
  if (order == 2) std::reverse(pieces_.begin(), pieces_.end());
  if (order == 3) std::rotate(pieces_.begin(), pieces_.begin() + 1, pieces_.end());
  return true;
}

// Swap slots for composite_[position], splitting it where they or its mappings ask for it.
bool Engine::GiveSwap(size_t position, OpContext& ctx) {
  const FolioId f = composite_[position];
  if (F(f).large()) {
    const FolioCount c = CountFolio(f);
    if (c.refcount != c.mapcount + 1) return false;
    if (F(f).is(kFolioPartiallyMapped) && !SplitIsolated(position, ctx)) return false;
  }
  if (SwapAlloc(f)) return true;
  return F(f).large() && SplitIsolated(position, ctx) && SwapAlloc(f);
}

// One folio of shrink_folio_list.
Engine::Shrink Engine::ShrinkFolio(size_t position, bool ignore_references, OpContext& ctx) {
  const FolioId f = composite_[position];
  if (F(f).is(kFolioLocked)) return Shrink::kKeep;
  if (F(f).is(kFolioMlocked)) return Shrink::kActivate;
  if (!ignore_references) {
    bool vm_locked = false;
    const uint32_t count = CountReferenced(f, &vm_locked, ctx);
    if (vm_locked && ctx.choices->Peek(ChoiceKind::kLockedForgotten) != nullptr) {
      ctx.choices->Take();
      F(f).Set(kFolioReferenced, false);
    }
    if (vm_locked) return Shrink::kActivate;
    const bool was_referenced = F(f).is(kFolioReferenced);
    F(f).Set(kFolioReferenced, count != 0);
    TouchFolio(f);
    if (count != 0) return was_referenced || count > 1 ? Shrink::kActivate : Shrink::kKeep;
  }
  if (F(f).is(kFolioAnon) && F(f).is(kFolioSwapBacked) && !F(f).is(kFolioSwapCache)) {
    if (MaybePinned(f)) return Shrink::kKeep;
    if (!GiveSwap(position, ctx)) return Shrink::kActivate;
  }
  if (Mapcount(f) != 0) {
    TryToUnmap(f, kTtuBatchFlush, ctx);
    if (Mapcount(f) != 0) return Shrink::kActivate;
  }
  if (MaybePinned(f)) return Shrink::kActivate;
  if (F(f).is(kFolioDirty) && F(f).file != kNoFile) {
    // Nobody writes back here. Of shared memory it is asked first whether it could go then.
    const bool kept = F(f).is(kFolioSwapBacked) && CountFolio(f).refcount != 1 + CacheRefs(f);
    if (!F(f).is(kFolioSwapBacked)) F(f).Set(kFolioReclaim);  // to be freed as soon as it is clean
    return kept ? Shrink::kKeep : Shrink::kActivate;
  }
  return RemoveMapping(f) == 0 ? Shrink::kFreed : Shrink::kKeep;
}

// Shrinks all of composite_, then puts back what is left; the number of pages freed.
uint32_t Engine::ShrinkList(bool ignore_references, OpContext& ctx) {
  uint32_t freed = 0;
  if (composite_.empty()) return freed;  // nobody is asked, and no flush made good
  while (!composite_.empty()) {
    const Shrink outcome = ShrinkFolio(0, ignore_references, ctx);
    const FolioId f = composite_[0];
    TouchFolio(f);
    composite_.erase(composite_.begin());
    if (outcome == Shrink::kFreed) {
      freed += F(f).pages();
      continue;
    }
    if (outcome == Shrink::kActivate && F(f).is(kFolioMlocked)) FreeSwap(f);  // of no use to it
    if (outcome == Shrink::kActivate && !F(f).is(kFolioMlocked)) F(f).Set(kFolioActive);
    kept_.push_back(f);
  }
  FlushBatched();
  for (FolioId f : kept_) {
    if (ignore_references || F(f).is(kFolioMlocked)) {
      Putback(f, ctx);
    } else {
      PutOnList(F(f));
    }
  }
  kept_.clear();
  return freed;
}

OpResult Engine::reclaim(const args::reclaim& a, OpContext& ctx) {
  Mm* mm = FindMm(a.mm);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  if (a.npages == 0) return OpResult{};
  Drain(ctx.cpu);
  const uint32_t end = std::min(a.vpn + a.npages, world_.arena());
  for (uint32_t vpn = a.vpn; vpn < end; ++vpn) {
    const Pte& pte = mm->ptes[vpn];
    if (!pte.present() || F(pte.ref).is(kFolioUnevictable) || F(pte.ref).is(kFolioLocked)) continue;
    if (Isolate(pte.ref) != 0) continue;
    F(pte.ref).Set(kFolioActive, false);  // reclaim is of the inactive lists
    composite_.push_back(pte.ref);
  }
  OpResult r;
  r.value = ShrinkList(false, ctx);
  return Done(r, ctx);
}

}  // namespace mmdiff::reference
