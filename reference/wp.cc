// Write-protection faults: reuse or copy.
#include "reference/engine.h"

namespace mmdiff::reference {

int Engine::WpFault(Mm& mm, Vma& vma, uint32_t vpn, FaultKind kind, OpContext& ctx) {
  Pte pte = mm.ptes[vpn];
  const bool write = kind == FaultKind::kWrite;
  if (pte.kind == PteKind::kZero) {
    PrepareAnonVma(mm, vma);
    CopyPage(mm, vma, vpn, kind, 0, ctx);
    return 0;
  }
  bool reuse = false;
  if (vma.shared()) {
    if (!write) return 0;
    F(pte.ref).MarkDirty();
    reuse = true;
  } else if (F(pte.ref).is(kFolioAnon)) {
    reuse = PageOf(pte.ref, pte.offset).anon_exclusive || TryReuse(mm, pte.ref, vpn, ctx);
    if (reuse) {
      PageOf(pte.ref, pte.offset).anon_exclusive = true;
      TouchFolio(pte.ref);
    }
  } else {
    PrepareAnonVma(mm, vma);
  }
  if (!reuse) {
    CopyPage(mm, vma, vpn, kind, PageOf(pte.ref, pte.offset).content, ctx);
    return 0;
  }
  if (write) {
    pte.bits |= kPteWrite | kPteDirty | kPteYoung;
    SetPte(mm, vpn, pte);
  }
  return 0;
}

// May this process have the page for itself? As the kernel asks: small folios by their reference
// count, large ones if it has all of their mappings and nobody has anything else.
bool Engine::TryReuse(Mm& mm, FolioId f, uint32_t vpn, OpContext& ctx) {
  if (const Choice* c = ctx.choices->TakeAt(ChoiceKind::kWpReuse, vpn)) {
    if (c->a == 0) return false;
    ctx.choices->Refuse(ChoiceKind::kWpReuse, "reuse is not recorded: it is the default");
  }
  if (F(f).large()) {
    const uint32_t mapcount = Mapcount(f);
    if (mapcount <= 1 || MapcountIn(mm, f) != mapcount) return false;
    if (F(f).is(kFolioSwapCache)) {
      if (F(f).is(kFolioLocked)) return false;
      FreeSwap(f);
    }
    return CountFolio(f).refcount == mapcount;
  }
  if (CountFolio(f).refcount > 3) return false;
  if (!F(f).is(kFolioLru)) Drain(ctx.cpu);
  if (CountFolio(f).refcount > (F(f).is(kFolioSwapCache) ? 2u : 1u)) return false;
  if (F(f).is(kFolioLocked)) return false;
  if (F(f).is(kFolioSwapCache)) FreeSwap(f);
  return CountFolio(f).refcount == 1;
}

// A private copy in place of what is mapped there.
void Engine::CopyPage(Mm& mm, Vma& vma, uint32_t vpn, FaultKind kind, uint64_t content,
                      OpContext& ctx) {
  const Pte old = mm.ptes[vpn];
  const FolioId copy = NewFolio(0, LocalNode(ctx), fault_zone_);
  F(copy).Set(kFolioAnon | kFolioSwapBacked);
  PageOf(copy, 0) = Page{content, true};
  const uint8_t bits = kPteYoung | (kind == FaultKind::kWrite ? kPteWrite | kPteDirty : 0);
  SetPte(mm, vpn, Pte{PteKind::kPresent, bits, 0, copy});
  FlushRange(mm, vpn, vpn + 1);
  AddNewAnon(vma, copy, ctx);
  if (!old.present()) return;
  RmapRemoved(old.ref, old.offset, 1, vma, ctx);
  FreeSwapCacheIfUnmapped(old.ref);
}

}  // namespace mmdiff::reference
