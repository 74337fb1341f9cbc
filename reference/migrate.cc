// Migration: entries instead of mappings, the move, and the way back.
#include <algorithm>
#include <cerrno>

#include "reference/engine.h"

namespace mmdiff::reference {

// Turns one mapping into a migration entry; false if a pin forbids it.
bool Engine::MigrateOne(FolioId f, const MappingAt& at, bool may_defer, OpContext& ctx) {
  const Pte old = at.mm->ptes[at.vpn];
  Page& page = PageOf(f, old.offset);
  const bool pinned = page.anon_exclusive && MaybePinned(f);
  if (pinned) {
    FlushOrDefer(at, old, may_defer, ctx);  // it was cleared for a moment
    if (old.has(kPteDirty)) F(f).MarkDirty();
    TouchFolio(f);
    return false;
  }
  Pte entry{PteKind::kMigration, static_cast<uint8_t>(old.bits & (kPteYoung | kPteDirty)),
            old.offset, f};
  if (old.has(kPteWrite)) {
    entry.bits |= kPteWrite;
  } else if (page.anon_exclusive) {
    entry.bits |= kPteExclusive;
  }
  page.anon_exclusive = false;
  SetPte(*at.mm, at.vpn, entry);
  FlushOrDefer(at, old, may_defer, ctx);
  if (old.has(kPteDirty)) F(f).MarkDirty();
  RmapRemoved(f, old.offset, 1, *at.vma, ctx);
  if (at.vma->locked()) DrainMlock(ctx.cpu);
  return true;
}

// try_to_migrate; the number of entries made. Mappings are left if a pinned page was met.
uint32_t Engine::TryToMigrate(FolioId f, bool may_defer, OpContext& ctx) {
  uint32_t made = 0;
  MappingAt at;
  while (Mapcount(f) != 0 && NextMapping(f, 0, ctx, &at)) {
    if (at.n != 1) {
      ctx.choices->Refuse(ChoiceKind::kVisit, "migration entries are made one by one");
      break;
    }
    if (!MigrateOne(f, at, may_defer, ctx)) break;
    ++made;
  }
  return made;
}

// remove_migration_pte for one entry, which becomes a mapping of page `offset` of `to`.
void Engine::RestoreEntry(Mm& mm, const Vma& vma, uint32_t vpn, FolioId to, uint32_t offset,
                          OpContext& ctx) {
  const Pte entry = mm.ptes[vpn];
  const bool anon = F(to).is(kFolioAnon);
  const bool accessible = (vma.flags & (kVmRead | kVmWrite)) != 0;
  const bool shmem_writable = !anon && vma.shared() && vma.writable() && FileOf(vma.file)->shmem();
  uint8_t bits = entry.bits & kPteYoung;
  if (entry.has(kPteWrite) || shmem_writable) bits |= kPteWrite;
  if (entry.has(kPteDirty) && F(to).is(kFolioDirty)) bits |= kPteDirty;
  if (!accessible) bits |= kPteProtNone;
  if (anon && entry.has(kPteWrite | kPteExclusive)) PageOf(to, offset).anon_exclusive = true;
  SetPte(mm, vpn, Pte{PteKind::kPresent, bits, static_cast<uint16_t>(offset), to});
  if (vma.locked()) {
    if (!F(to).large()) MlockFolio(to, ctx);
    DrainMlock(ctx.cpu);
  }
}

uint32_t Engine::RemoveMigrationEntries(FolioId src, FolioId dst, OpContext& ctx) {
  uint32_t removed = 0;
  ForEachPteOf(src, [&](Mm& mm, Vma& vma, uint32_t vpn, Pte& pte) {
    if (pte.kind != PteKind::kMigration) return;
    RestoreEntry(mm, vma, vpn, dst, pte.offset, ctx);
    ++removed;
  });
  NoteSharers(dst);
  return removed;
}

// migrate_folio_unmap of an isolated folio, which `m` holds on success; on failure everything is as
// it was, and the caller still has the isolation.
int Engine::MigrateUnmap(FolioId f, uint32_t node, ZoneKind zone, bool may_defer, OpContext& ctx,
                         Migration* m, uint32_t* n) {
  if (F(f).is(kFolioLocked)) return EAGAIN;
  const FolioId dst = NewFolio(F(f).order, node == kNoFolio ? F(f).node : node, zone);
  m->was_mlocked = F(f).is(kFolioMlocked);
  *n = TryToMigrate(f, may_defer, ctx);
  if (Mapcount(f) != 0) {
    RemoveMigrationEntries(f, f, ctx);
    return EAGAIN;
  }
  F(f).Set(kFolioLocked);
  F(dst).Set(kFolioLocked);
  m->open = true;
  m->src = f;
  m->dst = dst;
  TouchFolio(f);
  return 0;
}

// Everything that makes dst what src was.
void Engine::MoveFolio(FolioId src, FolioId dst) {
  Folio& s = F(src);
  Folio& d = F(dst);
  constexpr uint32_t kMoved = kFolioReferenced | kFolioDirty | kFolioActive | kFolioUnevictable |
                              kFolioSwapBacked | kFolioSwapCache | kFolioAnon |
                              kFolioPartiallyMapped | kFolioDeferredSplit;
  d.flags |= s.flags & (kMoved | kFolioReclaim);
  s.flags &= ~(kMoved & ~(kFolioAnon | kFolioSwapBacked));
  d.file = s.file;
  d.index = s.index;
  d.slot = s.slot;
  for (uint32_t i = 0; i < s.pages(); ++i) {
    PageOf(dst, i).content = PageOf(src, i).content;
    // Of pages that nothing maps only the first can have it still; it is one of the folio's flags.
    if (i == 0) PageOf(dst, i).anon_exclusive = PageOf(src, i).anon_exclusive;
    if (s.file != kNoFile) FileOf(s.file)->cache[s.index + i] = dst;
    if (s.slot != kNoSlot) swap_[s.slot + i].cached = dst;
  }
  s.file = kNoFile;
  s.slot = kNoSlot;
  TouchFolio(src);
  TouchFolio(dst);
}

// migrate_folio_move: the number of entries removed, or nothing if somebody else holds the folio.
std::optional<uint32_t> Engine::MigrateMove(Migration* m, OpContext& ctx) {
  const FolioId src = m->src, dst = m->dst;
  const FolioCount c = CountFolio(src);
  if (c.refcount != 1 + CacheRefs(src)) return std::nullopt;
  MoveFolio(src, dst);
  FolioAddLru(dst, ctx);
  if (m->was_mlocked) Drain(ctx.cpu);
  const uint32_t removed = RemoveMigrationEntries(src, dst, ctx);
  MigrateDone(m);
  return removed;
}

// Puts the entries back to the source; the number of them. The caller has the isolation again.
uint32_t Engine::MigrateUndo(Migration* m, OpContext& ctx) {
  const uint32_t removed = RemoveMigrationEntries(m->src, m->src, ctx);
  MigrateDone(m);
  return removed;
}

void Engine::MigrateDone(Migration* m) {
  F(m->src).Set(kFolioLocked, false);
  F(m->dst).Set(kFolioLocked, false);
  m->open = false;
  vmas_changed_ = true;  // a shmem file may have been waiting for this lock to go
  TouchFolio(m->src);
  TouchFolio(m->dst);
}

OpResult Engine::migrate_begin(const args::migrate_begin& a, OpContext& ctx) {
  OpResult r;
  FolioId f = kNoFolio;
  if (FindMm(a.mm) != nullptr && a.node >= world_.nodes) return OpResult{.err = ENODEV};
  FolioAt(a.mm, a.vpn, &r, &f);
  if (r.err != 0) return r;
  if (F(f).is(kFolioLocked)) return OpResult{.err = EAGAIN};
  r.err = Isolate(f);
  if (r.err != 0) return r;
  composite_.push_back(f);
  if (F(f).is(kFolioPartiallyMapped) && F(f).is(kFolioDeferredSplit) && SplitIsolated(0, ctx)) {
    f = FindMm(a.mm)->ptes[a.vpn].present() ? FindMm(a.mm)->ptes[a.vpn].ref : kNoFolio;
    for (FolioId piece : composite_) {
      if (piece != f) kept_.push_back(piece);
    }
    composite_.assign(f == kNoFolio ? 0 : 1, f);
    while (!kept_.empty()) {
      const FolioId piece = kept_.front();
      kept_.erase(kept_.begin());
      Putback(piece, ctx);
    }
    if (f == kNoFolio)
      return Done(OpResult{.err = EFAULT}, ctx);  // it was all zeroes: nothing is left to move
  }
  if (migrations_.size() <= ctx.result_handle) migrations_.resize(ctx.result_handle + 1);
  Migration& m = migrations_[ctx.result_handle];
  r.err = MigrateUnmap(f, a.node, ZoneKind::kMovable, false, ctx, &m, &r.value);
  composite_.clear();
  if (r.err != 0) {
    Putback(f, ctx);
    r.value = 0;
  }
  return Done(r, ctx);
}

OpResult Engine::migrate_end(const args::migrate_end& a, OpContext& ctx) {
  if (a.mig >= migrations_.size() || !migrations_[a.mig].open) return OpResult{.err = EBADF};
  OpResult r;
  Migration& m = migrations_[a.mig];
  if (const std::optional<uint32_t> removed = MigrateMove(&m, ctx)) {
    r.value = *removed;
  } else {
    r.err = EAGAIN;
    r.value = MigrateUndo(&m, ctx);
    Putback(m.src, ctx);
  }
  return Done(r, ctx);
}

OpResult Engine::migrate_abort(const args::migrate_abort& a, OpContext& ctx) {
  if (a.mig >= migrations_.size() || !migrations_[a.mig].open) return OpResult{.err = EBADF};
  Migration& m = migrations_[a.mig];
  OpResult r;
  r.value = MigrateUndo(&m, ctx);
  Putback(m.src, ctx);
  return Done(r, ctx);
}

// migrate_pages_batch over composite_: entries for all of it first, one flush, then the moves. What
// is moved leaves composite_. What is mapped in part is split, if `split`, and its pieces put
// aside.
uint32_t Engine::MigrateBatch(const MigrateTarget& to, bool may_defer, int passes, bool split,
                              OpContext& ctx) {
  uint32_t moved = 0;
  for (int pass = 0; pass < passes; ++pass) {
    for (size_t i = 0; i < composite_.size();) {
      const FolioId f = composite_[i];
      const auto at = composite_.begin() + static_cast<std::ptrdiff_t>(i);
      TouchFolio(f);
      if (split && F(f).is(kFolioPartiallyMapped) && F(f).is(kFolioDeferredSplit) &&
          SplitIntoPieces(f, ctx)) {
        composite_.erase(at);
        split_off_.insert(split_off_.end(), pieces_.begin(), pieces_.end());
        continue;
      }
      if (CountFolio(f).refcount == 1) {  // it was freed under us: nothing to move
        composite_.erase(at);
        ++moved;
        continue;
      }
      Migration m;
      uint32_t n = 0;
      const uint32_t node = to.node == kNoFolio ? F(f).node : to.node;
      if (MigrateUnmap(f, node, to.zone, may_defer, ctx, &m, &n) != 0) {
        ++i;
        continue;
      }
      composite_.erase(at);  // the migration has the isolation now
      moving_.push_back(m);
    }
  }
  FlushBatched();
  for (int pass = 0; pass < passes; ++pass) {
    for (Migration& m : moving_) moved += m.open && MigrateMove(&m, ctx).has_value();
  }
  for (Migration& m : moving_) {
    if (!m.open) continue;
    MigrateUndo(&m, ctx);
    composite_.push_back(m.src);
  }
  moving_.clear();
  return moved;
}

// migrate_pages over composite_; the number of folios that stayed and were put back. Up to
// HPAGE_PMD_NR pages are tried together, with flushes put off; what of them fails is tried again
// one by one; the pieces of what was split have one try.
uint32_t Engine::MigrateList(const MigrateTarget& to, OpContext& ctx, uint32_t* moved) {
  constexpr int kAsyncPasses = 3, kSyncPasses = 7;
  uint32_t done = 0;
  const auto take = [](std::vector<FolioId>* from, std::vector<FolioId>* out) {
    out->push_back(from->front());
    from->erase(from->begin());
  };
  const auto give_up = [this] {
    stayed_.insert(stayed_.end(), composite_.begin(), composite_.end());
    composite_.clear();
  };
  to_migrate_ = composite_;
  composite_.clear();
  while (!to_migrate_.empty()) {
    for (uint32_t pages = 0; !to_migrate_.empty() && pages < world_.table;) {
      pages += F(to_migrate_.front()).pages();
      take(&to_migrate_, &composite_);
    }
    done += MigrateBatch(to, true, kAsyncPasses, true, ctx);
    again_ = composite_;
    composite_.clear();
    while (!again_.empty()) {
      take(&again_, &composite_);
      done += MigrateBatch(to, false, kSyncPasses, true, ctx);
      give_up();
    }
    composite_ = split_off_;
    split_off_.clear();
    done += MigrateBatch(to, true, 1, false, ctx);
    give_up();
  }
  const auto failed = static_cast<uint32_t>(stayed_.size());
  while (!stayed_.empty()) {
    const FolioId f = stayed_.front();
    stayed_.erase(stayed_.begin());
    Putback(f, ctx);
  }
  if (moved != nullptr) *moved = done;
  return failed;
}

OpResult Engine::migrate(const args::migrate& a, OpContext& ctx) {
  Mm* mm = FindMm(a.mm);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  if (a.node >= world_.nodes) return OpResult{.err = ENODEV};
  if (a.npages == 0) return OpResult{};
  DrainAll(ctx.cpu);
  lru_cache_disabled_ = true;
  bool found = false, failed = false;
  const uint32_t end = std::min(a.vpn + a.npages, world_.arena());
  for (uint32_t vpn = a.vpn; vpn < end; ++vpn) {
    const Pte& pte = mm->ptes[vpn];
    if (!pte.present()) continue;
    found = true;
    if (std::find(composite_.begin(), composite_.end(), pte.ref) != composite_.end()) continue;
    if (F(pte.ref).is(kFolioLocked) || Isolate(pte.ref) != 0) {
      failed = true;
    } else {
      composite_.push_back(pte.ref);
    }
  }
  OpResult r;
  failed |= MigrateList({a.node, ZoneKind::kMovable}, ctx, &r.value) != 0;
  lru_cache_disabled_ = false;
  r.err = !found ? ENOENT : failed ? EAGAIN : 0;
  return Done(r, ctx);
}

}  // namespace mmdiff::reference
