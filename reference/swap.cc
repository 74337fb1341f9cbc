// Swap slots, the swap cache, and isolation from the LRU.
#include <algorithm>
#include <cerrno>

#include "reference/engine.h"

namespace mmdiff::reference {

// Gives `f` the lowest free aligned run of slots and puts it into the swap cache; false if there is
// none.
bool Engine::SwapAlloc(FolioId f) {
  const uint32_t n = F(f).pages();
  slot_maps_.assign(swap_.size(), 0);
  ForEachPte([&](Mm&, Vma&, uint32_t, Pte& pte) {
    if (pte.kind == PteKind::kSwap) ++slot_maps_[pte.ref];
  });
  const auto used = [&](uint32_t s) { return slot_maps_[s] != 0 || swap_[s].cached != kNoFolio; };
  for (uint32_t first = 0; first + n <= swap_.size(); first += n) {
    bool free = true;
    for (uint32_t i = 0; i < n; ++i) free &= !used(first + i);
    if (!free) continue;
    for (uint32_t i = 0; i < n; ++i) {
      swap_[first + i] = SwapSlot{f, 0};
      TouchSlot(first + i);
    }
    F(f).slot = first;
    F(f).Set(kFolioSwapCache | kFolioDirty);
    TouchFolio(f);
    return true;
  }
  return false;
}

// Names slots anew so that those of the n entries from `first` on, which nothing caches, are an
// aligned run in order, as a folio that is read from them needs; false if there is no such run.
// Slots are taken lowest first here and by folio order in kernels, so that theirs may be in order
// where these are not.
bool Engine::SlotsInOrder(const Mm& mm, uint32_t first, uint32_t n) {
  const uint32_t now = mm.ptes[first].ref;
  bool ordered = now % n == 0;
  for (uint32_t i = 0; i < n; ++i) ordered &= mm.ptes[first + i].ref == now + i;
  if (ordered) return true;
  const auto cached = [](const SwapSlot& s) { return s.cached != kNoFolio; };
  uint32_t base = 0;
  while (base + n <= swap_.size() &&
         std::any_of(swap_.begin() + base, swap_.begin() + base + n, cached)) {
    base += n;
  }
  if (base + n > swap_.size()) return false;
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t a = mm.ptes[first + i].ref, b = base + i;
    if (a == b) continue;
    std::swap(swap_[a], swap_[b]);
    ForEachPte([&](Mm& of, Vma&, uint32_t vpn, Pte& pte) {
      if (pte.kind != PteKind::kSwap || (pte.ref != a && pte.ref != b)) return;
      Pte renamed = pte;
      renamed.ref = a + b - pte.ref;
      SetPte(of, vpn, renamed);
    });
    TouchSlot(a);
    TouchSlot(b);
  }
  return true;
}

void Engine::DropSwapCache(FolioId f) {
  Folio& folio = F(f);
  for (uint32_t i = 0; i < folio.pages(); ++i) {
    swap_[folio.slot + i].cached = kNoFolio;
    TouchSlot(folio.slot + i);
  }
  folio.slot = kNoSlot;
  folio.Set(kFolioSwapCache, false);
  TouchFolio(f);
}

// folio_free_swap: takes the folio out of the swap cache if no page table has an entry for its
// slots. The copy on the device is gone then, so the folio is dirty.
bool Engine::FreeSwap(FolioId f) {
  if (!F(f).is(kFolioSwapCache) || AnySlotCounted(f)) return false;
  DropSwapCache(f);
  F(f).Set(kFolioDirty);
  return true;
}

void Engine::FreeSwapCacheIfUnmapped(FolioId f) {
  if (F(f).is(kFolioSwapCache) && !F(f).is(kFolioLocked) && Mapcount(f) == 0) FreeSwap(f);
}

void Engine::WriteToSwap(FolioId f) {
  for (uint32_t i = 0; i < F(f).pages(); ++i) {
    swap_[F(f).slot + i].content = PageOf(f, i).content;
    TouchSlot(F(f).slot + i);
  }
  F(f).Set(kFolioDirty, false);
  TouchFolio(f);
}

// The folio that (mm, vpn) maps, for operations that start from an address.
void Engine::FolioAt(uint32_t mm_handle, uint32_t vpn, OpResult* r, FolioId* f) {
  Mm* mm = FindMm(mm_handle);
  if (mm == nullptr) {
    r->err = ESRCH;
  } else if (FindVma(*mm, vpn) == nullptr || mm->ptes[vpn].kind == PteKind::kZero) {
    r->err = EFAULT;
  } else if (!mm->ptes[vpn].present()) {
    r->err = ENOENT;
  } else {
    *f = mm->ptes[vpn].ref;
  }
}

// Takes a folio off its LRU list. The caller records who holds the reference.
int Engine::Isolate(FolioId f) {
  if (!F(f).is(kFolioLru)) return EBUSY;
  F(f).Set(kFolioLru, false);
  F(f).lru = LruList::kNone;
  F(f).mlock_count = 0;
  TouchFolio(f);
  return 0;
}

// folio_putback_lru; the caller has dropped its record of the isolation already.
void Engine::Putback(FolioId f, OpContext& ctx) {
  TouchFolio(f);
  FolioAddLru(f, ctx);
}

Iso* Engine::FindIso(uint32_t handle) {
  return handle < isos_.size() && isos_[handle].open ? &isos_[handle] : nullptr;
}

OpResult Engine::isolate(const args::isolate& a, OpContext& ctx) {
  OpResult r;
  FolioId f = kNoFolio;
  FolioAt(a.mm, a.vpn, &r, &f);
  if (r.err == 0) r.err = Isolate(f);
  if (r.err == 0) {
    if (isos_.size() <= ctx.result_handle) isos_.resize(ctx.result_handle + 1);
    isos_[ctx.result_handle] = Iso{true, f};
  }
  return Done(r, ctx);
}

OpResult Engine::putback(const args::putback& a, OpContext& ctx) {
  Iso* iso = FindIso(a.iso);
  if (iso == nullptr) return OpResult{.err = EBADF};
  FlushBatched();  // whoever put off a flush makes it before letting the folio go
  iso->open = false;
  Putback(iso->folio, ctx);
  return Done(OpResult{}, ctx);
}

OpResult Engine::swap_add(const args::swap_add& a, OpContext& ctx) {
  Iso* iso = FindIso(a.iso);
  if (iso == nullptr) return OpResult{.err = EBADF};
  const Folio& folio = F(iso->folio);
  if (folio.is(kFolioLocked)) return OpResult{.err = EAGAIN};
  if (!folio.is(kFolioAnon) || !folio.is(kFolioSwapBacked)) return OpResult{.err = EINVAL};
  if (folio.is(kFolioSwapCache)) return OpResult{.err = EEXIST};
  if (MaybePinned(iso->folio)) return OpResult{.err = EBUSY};
  if (folio.large()) {
    const FolioCount c = CountFolio(iso->folio);
    if (c.refcount != c.mapcount + 1 || folio.is(kFolioPartiallyMapped))
      return OpResult{.err = EBUSY};
  }
  return Done(OpResult{.err = SwapAlloc(iso->folio) ? 0 : ENOSPC}, ctx);
}

}  // namespace mmdiff::reference
