// LRU lists and the per-CPU folio batches in front of them. The kernel's swap.c.
#include "model/swap.h"

#include "model/kernel.h"
#include "model/mlock.h"
#include "model/syscalls.h"
#include "model/vmscan.h"

MMDIFF_MODEL_BEGIN

namespace {

LruList ListOf(const Folio& folio) {
  if (folio.test(kFolioUnevictable)) return LruList::kUnevictable;
  if (folio.swapbacked()) {
    return folio.test(kFolioActive) ? LruList::kActiveAnon : LruList::kInactiveAnon;
  }
  return folio.test(kFolioActive) ? LruList::kActiveFile : LruList::kInactiveFile;
}

// The work of one entry of a batch that moves folios which are on a list already. Conditions that
// held at the add are asked again: anything may have happened to the folio since.
void MoveOne(Task& t, Folio& folio, BatchKind kind) {
  if (!folio.test(kFolioLru)) return;  // isolated: its isolator decides where it goes
  if (folio.test(kFolioUnevictable)) return;
  switch (kind) {
    case BatchKind::kActivate:
      if (folio.test(kFolioActive)) return;
      lruvec_del_folio(t, folio);
      folio_set(t, folio, kFolioActive);
      break;
    case BatchKind::kDeactivate:
      if (!folio.test(kFolioActive)) return;
      lruvec_del_folio(t, folio);
      folio_clear(t, folio, kFolioActive | kFolioReferenced);
      break;
    case BatchKind::kLazyfree:
      if (!folio.anon() || !folio.swapbacked() || folio.swapcache()) return;
      lruvec_del_folio(t, folio);
      folio_clear(t, folio, kFolioActive | kFolioReferenced | kFolioSwapBacked);
      break;
    case BatchKind::kLruAdd:
    case BatchKind::kMlock:
      return;
  }
  lruvec_add_folio(t, folio);
}

// lru_add_fn; lru_lock is held.
void AddOne(Task& t, Folio& folio) {
  MMDIFF_BUG_ON(folio.test(kFolioLru), "folio added to the LRU while it is on it");
  if (folio.test(kFolioMlocked)) {
    // How many locked mappings it has is not known here: mlock counts only what it saw on the list.
    folio_clear(t, folio, kFolioActive);
    folio_set(t, folio, kFolioUnevictable);
    folio.mlock_count = 0;
  } else if (folio.test(kFolioUnevictable)) {
    folio_clear(t, folio, kFolioUnevictable);
  }
  lruvec_add_folio(t, folio);
}

// Flushes a batch of any kind; the CPU's batch lock is held.
void FlushBatch(Task& t, FolioBatch& batch) {
  t.k.cost.batch_flushes.add(1);
  if (batch.kind == BatchKind::kMlock) {
    mlock_folio_batch(t, batch);
    return;
  }
  {
    sync::Guard guard(t.k.lru_lock);
    for (uint32_t i = 0; i < batch.nr; ++i) {
      Folio& folio = *batch.folios[i];
      if (batch.kind != BatchKind::kLruAdd) {
        MoveOne(t, folio, batch.kind);
      } else if (folio.ref_count() > 1) {  // else the batch is its last holder and frees it
        AddOne(t, folio);
      }
    }
  }
  const uint32_t nr = batch.nr;
  batch.nr = 0;
  touch_batch(t, batch);
  for (uint32_t i = 0; i < nr; ++i) folio_put(t, *batch.folios[i]);
}

FolioBatch& BatchOf(Task& t, uint32_t cpu, BatchKind kind) {
  return t.k.batches[cpu].batch[static_cast<uint32_t>(kind)];
}

// A folio that still waits in this CPU's add batch is activated where it stands.
void lru_cache_activate_folio(Task& t, Folio& folio) {
  sync::Guard guard(t.k.batches[t.cpu].lock);
  const FolioBatch& batch = BatchOf(t, t.cpu, BatchKind::kLruAdd);
  for (uint32_t i = batch.nr; i-- > 0;) {
    if (batch.folios[i] == &folio) {
      folio_set(t, folio, kFolioActive);
      return;
    }
  }
}

}  // namespace

void touch_batch(Task& t, FolioBatch& batch) { Touch(t.k.touched.batches, &batch, batch.tracked); }

void lruvec_add_folio(Task& t, Folio& folio) {
  MMDIFF_BUG_ON(folio.test(kFolioActive) && folio.test(kFolioUnevictable),
                "folio is both active and unevictable");
  folio.lru = ListOf(folio);
  Folio*& head = t.k.lruvecs[folio.node].head[static_cast<uint32_t>(folio.lru)];
  folio.lru_prev = nullptr;
  folio.lru_next = head;
  if (head != nullptr) head->lru_prev = &folio;
  head = &folio;
  t.k.stat.nr_lru[static_cast<uint32_t>(folio.lru)].add(static_cast<int32_t>(folio.nr_pages()));
  folio_set(t, folio, kFolioLru);
}

void lruvec_del_folio(Task& t, Folio& folio) {
  MMDIFF_BUG_ON(!folio.test(kFolioLru), "folio taken off the LRU while it is not on it");
  Folio*& head = t.k.lruvecs[folio.node].head[static_cast<uint32_t>(folio.lru)];
  (folio.lru_prev != nullptr ? folio.lru_prev->lru_next : head) = folio.lru_next;
  if (folio.lru_next != nullptr) folio.lru_next->lru_prev = folio.lru_prev;
  folio.lru_prev = folio.lru_next = nullptr;
  t.k.stat.nr_lru[static_cast<uint32_t>(folio.lru)].sub(static_cast<int32_t>(folio.nr_pages()));
  folio.lru = LruList::kNone;
  folio.mlock_count = 0;
  folio_clear(t, folio, kFolioLru);
}

void lru_add(Task& t, Folio& folio) {
  sync::Guard guard(t.k.lru_lock);
  AddOne(t, folio);
}

void folio_release_lru(Task& t, Folio& folio) {
  if (folio.test(kFolioLru)) {
    sync::Guard guard(t.k.lru_lock);
    lruvec_del_folio(t, folio);
  }
  folio_clear(t, folio, kFolioActive | kFolioUnevictable);
  if (folio_test_clear(t, folio, kFolioMlocked)) {
    t.k.stat.nr_mlock.sub(static_cast<int32_t>(folio.nr_pages()));
  }
}

void folio_batch_add(Task& t, Folio& folio, BatchKind kind, MlockTag tag) {
  folio_get(t, folio);
  sync::Guard guard(t.k.batches[t.cpu].lock);
  FolioBatch& batch = BatchOf(t, t.cpu, kind);
  batch.folios[batch.nr] = &folio;
  batch.tags[batch.nr] = tag;
  ++batch.nr;
  touch_batch(t, batch);
  // Large folios never wait: whoever compares their references with what he can explain relies on
  // it.
  if (batch.nr >= t.k.world.batch || folio.large() || t.k.lru_disable_count.get() != 0) {
    FlushBatch(t, batch);
  } else if (!(kind == BatchKind::kMlock ? t.k.on.mlock_batch : t.k.on.lru_batch)) {
    t.Choose(ChoiceKind::kBatchFlush, static_cast<uint32_t>(kind));
    FlushBatch(t, batch);
  }
}

void folio_add_lru(Task& t, Folio& folio) {
  MMDIFF_BUG_ON(folio.test(kFolioLru), "folio added to the LRU while it is on it");
  folio_batch_add(t, folio, BatchKind::kLruAdd);
}

void folio_add_lru_vma(Task& t, Folio& folio, const Vma& vma) {
  if (vma.has(kVmLocked)) {
    mlock_new_folio(t, folio);
  } else {
    folio_add_lru(t, folio);
  }
}

void folio_mark_accessed(Task& t, Folio& folio) {
  if (!folio.test(kFolioReferenced)) {
    folio_set(t, folio, kFolioReferenced);
    return;
  }
  if (folio.test(kFolioUnevictable | kFolioActive)) return;
  if (folio.test(kFolioLru)) {
    folio_batch_add(t, folio, BatchKind::kActivate);
  } else {
    lru_cache_activate_folio(t, folio);
  }
  folio_clear(t, folio, kFolioReferenced);
}

void folio_deactivate(Task& t, Folio& folio) {
  if (!folio.test(kFolioLru) || folio.test(kFolioUnevictable) || !folio.test(kFolioActive)) return;
  folio_batch_add(t, folio, BatchKind::kDeactivate);
}

void folio_mark_lazyfree(Task& t, Folio& folio) {
  if (!folio.anon() || !folio.swapbacked() || !folio.test(kFolioLru) || folio.swapcache() ||
      folio.test(kFolioUnevictable)) {
    return;
  }
  folio_batch_add(t, folio, BatchKind::kLazyfree);
}

void lru_add_drain_cpu(Task& t, uint32_t cpu) {
  static constexpr BatchKind kOrder[] = {BatchKind::kLruAdd, BatchKind::kDeactivate,
                                         BatchKind::kLazyfree, BatchKind::kActivate,
                                         BatchKind::kMlock};
  sync::Guard guard(t.k.batches[cpu].lock);
  for (const BatchKind kind : kOrder) {
    FolioBatch& batch = BatchOf(t, cpu, kind);
    if (batch.nr != 0) FlushBatch(t, batch);
  }
}

void lru_add_drain(Task& t) {
  t.k.cost.drains.add(1);
  lru_add_drain_cpu(t, t.cpu);
}

void lru_add_drain_all(Task& t) {
  lru_add_drain(t);
  for (uint32_t cpu = 0; cpu < t.k.world.cpus; ++cpu) {
    if (cpu == t.cpu) continue;
    t.k.cost.remote_drains.add(1);
    sync::SyncPoint("lru_add_drain_all");
    lru_add_drain_cpu(t, cpu);
  }
}

void lru_cache_disable(Task& t) {
  t.k.lru_disable_count.add(1);
  lru_add_drain_all(t);
}

void lru_cache_enable(Task& t) { t.k.lru_disable_count.sub(1); }

// Operations
// -----------------------------------------------------------------------------------------

OpResult Model::mark_accessed(const args::mark_accessed& a, OpContext& ctx) {
  OpResult r;
  MmRef mm = k_.FindMm(a.mm);
  if (!mm) {
    r.err = kESRCH;
    return r;
  }
  Task t(k_, ctx, k_.world.nodes);
  sync::SharedGuard guard(mm->mmap_lock);
  Folio* folio = nullptr;
  r.err = get_mapped_folio(t, *mm, a.vpn, &folio);
  if (r.err != 0) return r;
  folio_mark_accessed(t, *folio);
  folio_put(t, *folio);
  return r;
}

OpResult Model::drain(const args::drain&, OpContext& ctx) {
  Task t(k_, ctx, k_.world.nodes);
  lru_add_drain(t);
  return {};
}

OpResult Model::drain_all(const args::drain_all&, OpContext& ctx) {
  Task t(k_, ctx, k_.world.nodes);
  lru_add_drain_all(t);
  return {};
}

MMDIFF_MODEL_END
