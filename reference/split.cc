// split_folio: a large folio becomes order-0 folios.
#include <cerrno>

#include "reference/engine.h"

namespace mmdiff::reference {

// Splits `f`, on which the caller has `extra_refs` references besides what maps and caches it. Its
// first page keeps its number; the others get *first_new and on.
int Engine::Split(FolioId f, uint32_t extra_refs, OpContext& ctx, FolioId* first_new) {
  if (F(f).is(kFolioLocked)) return EAGAIN;
  if (!F(f).large()) return EINVAL;
  const FolioCount c = CountFolio(f);
  if (c.refcount != c.mapcount + CacheRefs(f) + extra_refs) return EAGAIN;
  const bool anon = F(f).is(kFolioAnon);
  MappingAt at;
  while (FirstMapping(f, 0, &at)) {
    if (anon) {
      MigrateOne(f, at, true, ctx);
    } else {
      UnmapBatch(f, at, true, ctx);
    }
  }
  FlushBatched();
  *first_new = static_cast<FolioId>(folios_.size());
  MakePieces(f);
  if (!anon) return 0;
  RemapPieces(f, *first_new, ctx);
  // Pieces that nothing maps leave the swap cache if nothing has entries for their slots.
  for (FolioId piece = *first_new; piece < folios_.size(); ++piece) FreeSwapCacheIfUnmapped(piece);
  return 0;
}

void Engine::MakePieces(FolioId f) {
  F(f).Set(kFolioPartiallyMapped | kFolioDeferredSplit, false);
  const Folio whole = F(f);
  for (uint32_t i = 1; i < whole.pages(); ++i) {
    const FolioId piece = NewFolio(0, whole.node, whole.zone);
    Folio& p = F(piece);
    p.flags = whole.flags & ~kFolioReclaim;
    p.lru = whole.lru;  // a piece that nobody counts as mlocked yet
    p.file = whole.file;
    p.index = whole.index + i;
    if (whole.slot != kNoSlot) {
      p.slot = whole.slot + i;
      swap_[p.slot].cached = piece;
      TouchSlot(p.slot);
    }
    if (whole.file != kNoFile) FileOf(whole.file)->cache[p.index] = piece;
    PageOf(piece, 0) = PageOf(f, i);
    PageOf(piece, 0).anon_exclusive = false;  // of a page that is not mapped: nothing inherits it
  }
  F(f).order = 0;
  F(f).ever_three_mms = false;
  TouchFolio(f);
}

// Makes the migration entry at `at` a mapping of its piece; a page of zeroes becomes the zero page,
// unless it is mlocked: so it matters in which order the entries come.
void Engine::RemapPiece(FolioId f, FolioId first_new, const MappingAt& at, OpContext& ctx) {
  const uint32_t offset = at.mm->ptes[at.vpn].offset;
  const FolioId piece = offset == 0 ? f : first_new + offset - 1;
  const bool zero =
      PageOf(piece, 0).content == 0 && !F(piece).is(kFolioMlocked) && !at.vma->locked();
  if (!zero) {
    RestoreEntry(*at.mm, *at.vma, at.vpn, piece, 0, ctx);
    return;
  }
  const bool accessible = (at.vma->flags & (kVmRead | kVmWrite)) != 0;
  const uint8_t bits = kPteYoung | (accessible ? 0 : kPteProtNone);
  SetPte(*at.mm, at.vpn, Pte{PteKind::kZero, bits, 0, 0});
}

void Engine::RemapPieces(FolioId f, FolioId first_new, OpContext& ctx) {
  for (;;) {
    MappingAt first;
    ForEachPteOf(f, [&](Mm& mm, Vma& vma, uint32_t vpn, Pte& pte) {
      if (first.mm == nullptr && pte.kind == PteKind::kMigration) {
        first = MappingAt{&mm, &vma, vpn, 1};
      }
    });
    if (first.mm == nullptr) return;
    if (const Choice* c = ctx.choices->Peek(ChoiceKind::kVisit)) {
      Mm* mm = FindMm(c->a);
      Vma* vma = mm == nullptr || c->b >= world_.arena() ? nullptr : FindVma(*mm, c->b);
      const uint32_t vpn = c->b;
      ctx.choices->Take();
      if (vma == nullptr || mm->ptes[vpn].kind != PteKind::kMigration || mm->ptes[vpn].ref != f) {
        ctx.choices->Refuse(ChoiceKind::kVisit, "no migration entry of the split folio is there");
      } else {
        first = MappingAt{mm, vma, vpn, 1};
      }
    }
    RemapPiece(f, first_new, first, ctx);
  }
}

OpResult Engine::split(const args::split& a, OpContext& ctx) {
  OpResult r;
  FolioId f = kNoFolio;
  FolioAt(a.mm, a.vpn, &r, &f);
  if (r.err != 0) return r;
  const uint32_t n = F(f).pages();
  FolioId first_new = kNoFolio;
  r.err = Split(f, 0, ctx, &first_new);
  if (r.err == 0) r.value = n;
  return Done(r, ctx);
}

}  // namespace mmdiff::reference
