// LRU lists and per-CPU folio batches, mlock among them.
//
// A batch holds a reference, so it can be seen by whoever counts references; that is why the
// reference has batches at all. What a flush does to an entry is decided at the flush.
#include <algorithm>
#include <cerrno>

#include "reference/engine.h"

namespace mmdiff::reference {

// The list of a folio that is not unevictable.
static LruList EvictableList(const Folio& folio) {
  const bool active = folio.is(kFolioActive);
  return folio.is(kFolioSwapBacked) ? (active ? LruList::kActiveAnon : LruList::kInactiveAnon)
                                    : (active ? LruList::kActiveFile : LruList::kInactiveFile);
}

// lru_add: whether the folio is evictable is asked here and by mlock's own flushes, nowhere else.
void Engine::PutOnList(Folio& folio) {
  folio.Set(kFolioLru);
  if (folio.is(kFolioMlocked)) {
    folio.Set(kFolioUnevictable);
    folio.Set(kFolioActive, false);
    folio.lru = LruList::kUnevictable;
    folio.mlock_count = 0;
    return;
  }
  folio.Set(kFolioUnevictable, false);
  folio.mlock_count = 0;
  folio.lru = EvictableList(folio);
}

void Engine::FlushMlockEntry(Folio& folio, MlockTag tag) {
  const bool lru = folio.is(kFolioLru);
  switch (tag) {
    case MlockTag::kLru:
      if (!lru) return;
      if (!folio.is(kFolioMlocked)) {  // munlocked while it waited: rescue it
        if (folio.is(kFolioUnevictable)) PutOnList(folio);
      } else if (folio.is(kFolioUnevictable)) {
        ++folio.mlock_count;
      } else {
        PutOnList(folio);
        folio.mlock_count = 1;
      }
      return;
    case MlockTag::kNew:
      PutOnList(folio);
      if (folio.is(kFolioMlocked)) folio.mlock_count = 1;
      return;
    case MlockTag::kNone:
      if (lru && folio.is(kFolioUnevictable)) {
        if (folio.mlock_count > 0) --folio.mlock_count;
        if (folio.mlock_count > 0) return;
      }
      folio.Set(kFolioMlocked, false);
      if (lru && folio.is(kFolioUnevictable)) PutOnList(folio);
      return;
  }
}

void Engine::FlushEntry(BatchKind kind, const BatchEntry& entry) {
  Folio& folio = F(entry.folio);
  TouchFolio(entry.folio);
  const bool lru = folio.is(kFolioLru);
  switch (kind) {
    case BatchKind::kLruAdd:
      PutOnList(folio);
      return;
    case BatchKind::kActivate:
      if (!lru || folio.is(kFolioActive) || folio.is(kFolioUnevictable)) return;
      folio.Set(kFolioActive);
      folio.lru = EvictableList(folio);
      return;
    case BatchKind::kDeactivate:
      if (!lru || !folio.is(kFolioActive) || folio.is(kFolioUnevictable)) return;
      folio.Set(kFolioActive | kFolioReferenced, false);
      folio.lru = EvictableList(folio);
      return;
    case BatchKind::kLazyfree:
      if (!lru || !folio.is(kFolioAnon) || !folio.is(kFolioSwapBacked) ||
          folio.is(kFolioSwapCache) || folio.is(kFolioUnevictable)) {
        return;
      }
      folio.Set(kFolioActive | kFolioReferenced | kFolioSwapBacked, false);
      folio.lru = EvictableList(folio);
      return;
    case BatchKind::kMlock:
      FlushMlockEntry(folio, entry.tag);
      return;
  }
}

void Engine::FlushBatch(uint32_t cpu, BatchKind kind) {
  auto& batch = batches_[cpu * kBatchKinds + static_cast<uint32_t>(kind)];
  if (batch.empty()) return;
  anything_touched_ = true;
  TouchBatch(cpu, kind);
  for (const BatchEntry& entry : batch) FlushEntry(kind, entry);
  batch.clear();
}

void Engine::BatchAdd(BatchKind kind, FolioId f, MlockTag tag, OpContext& ctx) {
  auto& batch = batches_[ctx.cpu * kBatchKinds + static_cast<uint32_t>(kind)];
  batch.push_back(BatchEntry{f, tag});
  TouchFolio(f);
  TouchBatch(ctx.cpu, kind);
  bool flush = batch.size() >= world_.batch || F(f).large() || lru_cache_disabled_;
  const Choice* c = ctx.choices->Peek(ChoiceKind::kBatchFlush);
  if (!flush && c != nullptr && c->a == static_cast<uint32_t>(kind)) {
    ctx.choices->Take();
    flush = true;
  }
  if (flush) FlushBatch(ctx.cpu, kind);
}

void Engine::Drain(uint32_t cpu) {
  for (BatchKind kind : {BatchKind::kLruAdd, BatchKind::kDeactivate, BatchKind::kLazyfree,
                         BatchKind::kActivate, BatchKind::kMlock}) {
    FlushBatch(cpu, kind);
  }
}

void Engine::DrainAll(uint32_t first_cpu) {
  Drain(first_cpu);
  for (uint32_t cpu = 0; cpu < world_.cpus; ++cpu) {
    if (cpu != first_cpu) Drain(cpu);
  }
}

void Engine::MarkAccessed(FolioId f, OpContext& ctx) {
  Folio& folio = F(f);
  TouchFolio(f);
  if (!folio.is(kFolioReferenced)) {
    folio.Set(kFolioReferenced);
    return;
  }
  if (folio.is(kFolioUnevictable) || folio.is(kFolioActive)) return;
  if (folio.is(kFolioLru)) {
    BatchAdd(BatchKind::kActivate, f, MlockTag::kNone, ctx);
  } else {
    const auto& adds = batches_[ctx.cpu * kBatchKinds + static_cast<uint32_t>(BatchKind::kLruAdd)];
    const bool waits =
        std::any_of(adds.begin(), adds.end(), [f](const BatchEntry& e) { return e.folio == f; });
    if (waits) folio.Set(kFolioActive);
  }
  folio.Set(kFolioReferenced, false);
}

void Engine::MlockFolio(FolioId f, OpContext& ctx) {
  F(f).Set(kFolioMlocked);
  BatchAdd(BatchKind::kMlock, f, MlockTag::kLru, ctx);
}

void Engine::MlockNewFolio(FolioId f, OpContext& ctx) {
  F(f).Set(kFolioMlocked);
  BatchAdd(BatchKind::kMlock, f, MlockTag::kNew, ctx);
}

void Engine::MunlockFolio(FolioId f, OpContext& ctx) {
  BatchAdd(BatchKind::kMlock, f, MlockTag::kNone, ctx);
}

// mlock_pte_range over [start, end) of a VMA whose kVmLocked has just changed.
void Engine::MlockWalk(Mm& mm, uint32_t start, uint32_t end, bool lock, OpContext& ctx) {
  Drain(ctx.cpu);
  for (uint32_t vpn = start; vpn < end;) {
    const Pte pte = mm.ptes[vpn];
    const uint32_t table_end = std::min(end, (vpn | (world_.table - 1)) + 1);
    const uint32_t n = pte.present() ? RunOf(mm, vpn, table_end) : 1;
    vpn += n;
    if (!pte.present()) continue;
    if (!lock) {
      MunlockFolio(pte.ref, ctx);
    } else if (n == F(pte.ref).pages()) {
      MlockFolio(pte.ref, ctx);
    }
  }
  Drain(ctx.cpu);
}

// apply_vma_lock_flags over a range; `flags` are the lock flags that every VMA in it shall have.
OpResult Engine::ApplyLockFlags(Mm& mm, uint32_t vpn, uint32_t npages, uint32_t flags,
                                OpContext& ctx) {
  OpResult r;
  const uint32_t end = vpn + npages;
  for (uint32_t at = vpn; at < end;) {
    const Vma* vma = FindVma(mm, at);
    if (vma == nullptr) {
      r.err = ENOMEM;
      break;
    }
    const uint32_t stop = std::min(end, vma->end);
    const uint32_t old_flags = vma->flags;
    const uint32_t new_flags = (old_flags & ~(kVmLocked | kVmLockOnFault)) | flags;
    if (new_flags != old_flags) {
      r.err = ModifyVma(mm, at, stop, new_flags);
      if (r.err != 0) break;
      if (((old_flags ^ new_flags) & kVmLocked) != 0) {
        MlockWalk(mm, at, stop, (new_flags & kVmLocked) != 0, ctx);
      }
    }
    r.value += stop - at;
    at = stop;
  }
  return r;
}

OpResult Engine::DoLock(uint32_t mm_handle, uint32_t vpn, uint32_t npages, bool onfault,
                        OpContext& ctx) {
  TakeNoMerges(ctx);
  Mm* mm = FindMm(mm_handle);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  if (npages == 0) return OpResult{};
  if (world_.memlock == 0) return OpResult{.err = EPERM};
  if (mm->open_zaps != 0) return OpResult{.err = EAGAIN};
  const uint32_t end = vpn + npages;
  uint32_t locked_vm = 0, already = 0;
  for (const Vma& vma : mm->vmas) {
    if (!vma.locked()) continue;
    locked_vm += vma.pages();
    const uint32_t from = std::max(vpn, vma.start), to = std::min(end, vma.end);
    if (from < to) already += to - from;
  }
  if (npages + locked_vm - already > world_.memlock) return OpResult{.err = ENOMEM};
  OpResult r = ApplyLockFlags(*mm, vpn, npages, kVmLocked | (onfault ? kVmLockOnFault : 0u), ctx);
  if (r.err == 0) {
    const int err = Populate(*mm, vpn, end, false, ctx);
    r.err = err == EFAULT ? ENOMEM : err;
  }
  return Done(r, ctx);
}

OpResult Engine::lock(const args::lock& a, OpContext& ctx) {
  return DoLock(a.mm, a.vpn, a.npages, false, ctx);
}

OpResult Engine::lock_onfault(const args::lock_onfault& a, OpContext& ctx) {
  return DoLock(a.mm, a.vpn, a.npages, true, ctx);
}

OpResult Engine::unlock(const args::unlock& a, OpContext& ctx) {
  TakeNoMerges(ctx);
  Mm* mm = FindMm(a.mm);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  if (a.npages == 0) return OpResult{};
  if (mm->open_zaps != 0) return OpResult{.err = EAGAIN};
  return Done(ApplyLockFlags(*mm, a.vpn, a.npages, 0, ctx), ctx);
}

OpResult Engine::drain(const args::drain&, OpContext& ctx) {
  Drain(ctx.cpu);
  return Done(OpResult{}, ctx);
}

OpResult Engine::drain_all(const args::drain_all&, OpContext& ctx) {
  DrainAll(ctx.cpu);
  return Done(OpResult{}, ctx);
}

OpResult Engine::mark_accessed(const args::mark_accessed& a, OpContext& ctx) {
  OpResult r;
  FolioId f = kNoFolio;
  FolioAt(a.mm, a.vpn, &r, &f);
  if (r.err == 0) MarkAccessed(f, ctx);
  return Done(r, ctx);
}

}  // namespace mmdiff::reference
