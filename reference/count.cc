// Counting by looking: mapcounts from page tables, references from holders.
#include <algorithm>

#include "reference/engine.h"

namespace mmdiff::reference {

uint32_t Engine::CacheRefs(FolioId f) const {
  const Folio& folio = F(f);
  uint32_t refs = 0;
  if (folio.file != kNoFile) refs += folio.pages();
  if (folio.is(kFolioSwapCache)) refs += folio.pages();
  return refs;
}

// References that come neither from page tables nor from a cache. Adds FOLL_PIN holds to *pins.
uint32_t Engine::OtherHolders(FolioId f, uint32_t* pins) const {
  uint32_t refs = 0;
  for (const auto& batch : batches_) {
    for (const BatchEntry& e : batch) refs += e.folio == f;
  }
  for (const Iso& iso : isos_) refs += iso.open && iso.folio == f;
  for (FolioId g : composite_) refs += g == f;
  for (FolioId g : kept_) refs += g == f;
  for (const Migration& m : migrations_) refs += m.open && (m.src == f || m.dst == f);
  for (const Migration& m : moving_) refs += m.open && (m.src == f || m.dst == f);
  for (const auto* list : {&to_migrate_, &again_, &split_off_, &stayed_}) {
    refs += static_cast<uint32_t>(std::count(list->begin(), list->end(), f));
  }
  for (const HeldPage& p : gather_.pages) refs += p.folio == f;
  for (const Gather& g : zaps_) {
    if (!g.open) continue;
    for (const HeldPage& p : g.pages) refs += p.folio == f;
  }
  for (const Pin& pin : pins_) {
    if (!pin.open) continue;
    for (const HeldPage& p : pin.pages) {
      if (p.folio != f) continue;
      refs += pin.get || F(f).large() ? 1 : kGupPinBias;
      *pins += !pin.get;
    }
  }
  return refs;
}

uint32_t Engine::Mapcount(FolioId f) {
  uint32_t n = 0;
  ForEachPteOf(f, [&](Mm&, Vma&, uint32_t, Pte& pte) { n += pte.present(); });
  return n;
}

FolioCount Engine::CountFolio(FolioId f) {
  FolioCount c;
  c.mapcount = Mapcount(f);
  c.refcount = c.mapcount + CacheRefs(f) + OtherHolders(f, &c.pins);
  return c;
}

uint32_t Engine::MapcountIn(const Mm& mm, FolioId f) const {
  uint32_t n = 0;
  for (const Vma& vma : mm.vmas) {
    const uint32_t start = std::max(vma.start, F(f).low), end = std::min(vma.end, F(f).high);
    if (start >= end) continue;
    mm.ForEachUsed(start, end, [&](uint32_t vpn) { n += mm.ptes[vpn].maps(f); });
  }
  return n;
}

uint32_t Engine::SlotCount(uint32_t slot) {
  uint32_t n = 0;
  ForEachPte(
      [&](Mm&, Vma&, uint32_t, Pte& pte) { n += pte.kind == PteKind::kSwap && pte.ref == slot; });
  return n;
}

bool Engine::AnySlotCounted(FolioId f) {
  const uint32_t first = F(f).slot;
  const uint32_t n = F(f).pages();
  bool any = false;
  ForEachPte([&](Mm&, Vma&, uint32_t, Pte& pte) {
    any |= pte.kind == PteKind::kSwap && pte.ref - first < n;
  });
  return any;
}

// folio_maybe_dma_pinned: exact for large folios; a small one looks pinned at 1024 references.
bool Engine::MaybePinned(FolioId f) {
  const FolioCount c = CountFolio(f);
  return F(f).large() ? c.pins > 0 : c.refcount >= kGupPinBias;
}

bool Engine::SharedByMms(FolioId f) {
  uint32_t mms = 0;
  for (const Mm* mm : live_) mms += MapcountIn(*mm, f) > 0;
  return mms > 1;
}

// Whether more processes than MM_ID has slots for map `f` now; remembered, because its answer is
// sticky.
void Engine::NoteSharers(FolioId f) {
  if (!F(f).large() || F(f).ever_three_mms || live_.size() < 3) return;
  uint32_t mms = 0;
  for (const Mm* mm : live_) mms += MapcountIn(*mm, f) > 0;
  F(f).ever_three_mms = mms > 2;
}

bool Engine::MaybeMappedShared(FolioId f, uint32_t vpn, OpContext& ctx) {
  if (!F(f).large()) return Mapcount(f) > 1;
  const bool truth = SharedByMms(f);
  const Choice* c = ctx.choices->Peek(ChoiceKind::kMaybeShared);
  if (c == nullptr || c->b != vpn) return truth;
  const bool answer = c->a != 0;
  const bool estimate = c->c != 0;
  ctx.choices->Take();
  if (answer != truth && !estimate && (truth || !F(f).ever_three_mms || Mapcount(f) <= 1)) {
    ctx.choices->Refuse(ChoiceKind::kMaybeShared,
                        truth ? "several processes map the folio" : "one process maps the folio");
  }
  return answer;
}

}  // namespace mmdiff::reference
