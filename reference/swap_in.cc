// Swap-in: faults on entries of swap slots.
#include <algorithm>
#include <cerrno>

#include "reference/engine.h"

namespace mmdiff::reference {

int Engine::SwapFault(Mm& mm, Vma& vma, uint32_t vpn, FaultKind kind, OpContext& ctx) {
  Pte entry = mm.ptes[vpn];
  FolioId f = swap_[entry.ref].cached;
  const bool refault = f == kNoFolio && RefaultChosen(vpn, ctx);
  if (const Choice* c = ctx.choices->TakeAt(ChoiceKind::kSwapDirect, vpn)) {
    if (DirectSwapIn(mm, vma, vpn, c->a, refault, kind, ctx)) return 0;
    ctx.choices->Refuse(ChoiceKind::kSwapDirect, "the swap cache or another entry has the slot");
  }
  if (f == kNoFolio) {
    f = SwapRead(mm, vma, vpn, refault, ctx);
    entry = mm.ptes[vpn];  // its slot may have a new name
  } else if (F(f).is(kFolioLocked)) {
    return EAGAIN;
  }
  const bool batched = kind == FaultKind::kWrite && !F(f).is(kFolioLru);
  if (batched && ctx.choices->TakeAt(ChoiceKind::kNoDrain, vpn) == nullptr) Drain(ctx.cpu);
  uint32_t first = vpn, n = 1;
  if (F(f).large()) {
    // The whole folio at once, if its entries all stand there in order.
    const uint32_t offset = entry.ref - F(f).slot;
    const uint32_t table = vpn & ~(world_.table - 1);
    const uint32_t pages = F(f).pages();
    const uint32_t base = vpn - offset;
    bool whole = vpn >= offset && base >= std::max(table, vma.start) &&
                 base + pages <= std::min(table + world_.table, vma.end);
    for (uint32_t i = 0; whole && i < pages; ++i) {
      const Pte& p = mm.ptes[base + i];
      whole = p.kind == PteKind::kSwap && p.ref == F(f).slot + i && p.bits == entry.bits;
    }
    if (whole) {
      first = base;
      n = pages;
    }
  }
  const bool exclusive = entry.has(kPteExclusive) || SwapExclusiveChosen(vpn, f, n, ctx);
  uint8_t bits = kPteYoung;
  if (exclusive && vma.writable()) bits |= kPteWrite | (kind == FaultKind::kWrite ? kPteDirty : 0);
  const bool fresh = !F(f).is(kFolioAnon);  // folio_add_new_anon_rmap, which knows no mlock
  F(f).Set(kFolioAnon);
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t offset = mm.ptes[first + i].ref - F(f).slot;
    TouchSlot(F(f).slot + offset);
    if (exclusive) PageOf(f, offset).anon_exclusive = true;
    SetPte(mm, first + i, Pte{PteKind::kPresent, bits, static_cast<uint16_t>(offset), f});
  }
  NoteSharers(f);
  if (vma.locked() && n == F(f).pages() && !fresh) MlockWhole(f, first, ctx);
  if (ctx.choices->TakeAt(ChoiceKind::kSwapKeep, vpn) == nullptr) FreeSwap(f);
  return 0;
}

// Reads the slot of the entry at vpn into the swap cache, and those around it if the leader did.
FolioId Engine::SwapRead(Mm& mm, Vma& vma, uint32_t vpn, bool refault, OpContext& ctx) {
  uint32_t order = 0;
  if (const Choice* c = ctx.choices->TakeAt(ChoiceKind::kSwapLarge, vpn)) {
    order = c->a;
    if (!SwapBlock(mm, vma, vpn, order)) {
      ctx.choices->Refuse(ChoiceKind::kSwapLarge, "the entries around are not as it needs them");
      order = 0;
    } else if (!SlotsInOrder(mm, vpn & ~((1u << order) - 1), 1u << order)) {
      ctx.choices->Refuse(ChoiceKind::kSwapLarge,
                          "there is no run of slots that can be named anew");
      order = 0;
    }
  }
  const uint32_t offset = vpn & ((1u << order) - 1);
  const FolioId f = NewFolio(order, LocalNode(ctx), fault_zone_);
  F(f).Set(kFolioSwapBacked | kFolioSwapCache);
  if (refault) F(f).Set(kFolioActive);
  F(f).slot = mm.ptes[vpn].ref - offset;
  for (uint32_t i = 0; i < F(f).pages(); ++i) {
    const uint32_t slot = F(f).slot + i;
    swap_[slot].cached = f;
    PageOf(f, i).content = swap_[slot].content;
    TouchSlot(slot);
  }
  FolioAddLru(f, ctx);
  return f;
}

// Whether the entries of the aligned block of 2^order pages around vpn are of slots, all like the
// one at vpn, none of them cached. Where slots lie in the swap area is the kernel's own business.
bool Engine::SwapBlock(const Mm& mm, const Vma& vma, uint32_t vpn, uint32_t order) const {
  const uint32_t n = 1u << order, first = vpn & ~(n - 1);
  if ((order != 0 && (world_.orders & n) == 0) || n > world_.table || first < vma.start ||
      first + n > vma.end) {
    return false;
  }
  for (uint32_t i = 0; i < n; ++i) {
    const Pte& p = mm.ptes[first + i];
    if (p.kind != PteKind::kSwap || p.bits != mm.ptes[vpn].bits ||
        swap_[p.ref].cached != kNoFolio) {
      return false;
    }
  }
  return true;
}

// workingset_refault: was this reclaimed so lately that it is active?
bool Engine::RefaultChosen(uint32_t vpn, OpContext& ctx) {
  return ctx.choices->TakeAt(ChoiceKind::kRefault, vpn) != nullptr;
}

// Did the leader take the folio out of the swap cache before it mapped n pages of it, so that it
// has them for itself, whatever the entry says?
bool Engine::SwapExclusiveChosen(uint32_t vpn, FolioId f, uint32_t n, OpContext& ctx) {
  if (ctx.choices->TakeAt(ChoiceKind::kSwapExclusive, vpn) == nullptr) return false;
  uint32_t entries = 0;
  for (uint32_t i = 0; i < F(f).pages(); ++i) entries += SlotCount(F(f).slot + i);
  if (entries == n && CountFolio(f).refcount == CacheRefs(f)) return true;
  ctx.choices->Refuse(ChoiceKind::kSwapExclusive, "somebody else has an entry or a reference");
  return false;
}

// A leader's swap-in that passes the swap cache by; false if that is not allowed here.
bool Engine::DirectSwapIn(Mm& mm, Vma& vma, uint32_t vpn, uint32_t order, bool refault,
                          FaultKind kind, OpContext& ctx) {
  const Pte entry = mm.ptes[vpn];
  const uint32_t n = 1u << order;
  const uint32_t first = vpn & ~(n - 1);
  if (!SwapBlock(mm, vma, vpn, order) || SlotCount(entry.ref) != 1) return false;
  const FolioId f = NewFolio(order, LocalNode(ctx), fault_zone_);
  F(f).Set(kFolioSwapBacked | kFolioAnon);
  if (refault) F(f).Set(kFolioActive);
  FolioAddLru(f, ctx);
  uint8_t bits = kPteYoung;
  if (vma.writable()) bits |= kPteWrite | (kind == FaultKind::kWrite ? kPteDirty : 0);
  for (uint32_t i = 0; i < n; ++i) {
    PageOf(f, i) = Page{swap_[mm.ptes[first + i].ref].content, true};
    SetPte(mm, first + i, Pte{PteKind::kPresent, bits, static_cast<uint16_t>(i), f});
  }
  return true;
}

}  // namespace mmdiff::reference
