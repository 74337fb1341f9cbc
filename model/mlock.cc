// mlock: the per-CPU mlock batch, the walk over page tables, and the system calls. The kernel's
// mlock.c.
#include "model/mlock.h"

#include "model/gup.h"
#include "model/kernel.h"
#include "model/madvise.h"
#include "model/syscalls.h"

MMDIFF_MODEL_BEGIN

namespace {

int32_t Pages(const Folio& folio) { return static_cast<int32_t>(folio.nr_pages()); }

void ClearMlocked(Task& t, Folio& folio) {
  if (folio_test_clear(t, folio, kFolioMlocked)) t.k.stat.nr_mlock.sub(Pages(folio));
}
void SetMlocked(Task& t, Folio& folio) {
  if (!folio_test_set(t, folio, kFolioMlocked)) t.k.stat.nr_mlock.add(Pages(folio));
}

// From the unevictable list back to an evictable one.
void Rescue(Task& t, Folio& folio) {
  lruvec_del_folio(t, folio);
  folio_clear(t, folio, kFolioUnevictable);
  lruvec_add_folio(t, folio);
}

// The flushes of one entry; lru_lock is held.
void MlockOne(Task& t, Folio& folio) {
  if (!folio.test(kFolioLru)) return;  // isolated: putback puts it on the right list
  if (!folio.test(kFolioMlocked)) {    // munlocked since
    if (folio.test(kFolioUnevictable)) Rescue(t, folio);
    return;
  }
  if (folio.test(kFolioUnevictable)) {
    ++folio.mlock_count;
    touch_folio(t, folio);
    return;
  }
  lruvec_del_folio(t, folio);
  folio_clear(t, folio, kFolioActive);
  folio_set(t, folio, kFolioUnevictable);
  folio.mlock_count = 1;
  lruvec_add_folio(t, folio);
}

void MlockNewOne(Task& t, Folio& folio) {
  MMDIFF_BUG_ON(folio.test(kFolioLru), "new mlocked folio is on the LRU already");
  if (folio.test(kFolioMlocked)) {
    folio_clear(t, folio, kFolioActive);
    folio_set(t, folio, kFolioUnevictable);
    folio.mlock_count = 1;
  }
  lruvec_add_folio(t, folio);
}

void MunlockOne(Task& t, Folio& folio) {
  const bool counted = folio.test(kFolioLru) && folio.test(kFolioUnevictable);
  if (counted && folio.mlock_count > 0) {
    --folio.mlock_count;
    touch_folio(t, folio);
    if (folio.mlock_count > 0) return;
  }
  ClearMlocked(t, folio);
  if (counted) Rescue(t, folio);
}

// Length of the run that counts as one step of the walk.
uint32_t folio_mlock_step(Task& t, const PageTable& table, uint32_t vpn, Pte pte,
                          const Folio& folio, uint32_t end) {
  if (!folio.large()) return 1;
  return folio_pte_batch(t, table, vpn, &pte, folio, end - vpn, 0);
}

void mlock_pte_range(Task& t, PageTable& table, uint32_t start, uint32_t end, bool lock) {
  sync::Guard guard(table.lock);
  for (uint32_t vpn = start; vpn < end;) {
    const Pte pte = table.at(vpn - table.base);
    t.k.cost.ptes_visited.add(1);
    if (!pte.present()) {
      ++vpn;
      continue;
    }
    Folio& folio = *pfn_folio(t.k, pte.pfn());
    const uint32_t step = folio_mlock_step(t, table, vpn, pte, folio, end);
    if (!lock) {
      munlock_folio(t, folio);
    } else if (step == folio.nr_pages()) {  // a large folio only if the range maps it whole
      mlock_folio(t, folio);
    }
    vpn += step;
  }
}

void mlock_vma_pages_range(Task& t, Vma& vma, uint32_t start, uint32_t end, bool lock) {
  t.k.cost.vmas_walked.add(1);
  lru_add_drain(t);  // folios are counted only where the LRU flag is set
  const uint32_t size = t.k.world.table;
  for (uint32_t vpn = start; vpn < end;) {
    const uint32_t stop = std::min(end, (vpn / size + 1) * size);
    if (PageTable* table = pmd_lookup(*vma.mm, vpn); table != nullptr) {
      mlock_pte_range(t, *table, vpn, stop, lock);
    }
    vpn = stop;
  }
  lru_add_drain(t);
}

// Gives [start, end) of `vma` new lock flags: 0 or ENOMEM.
int mlock_fixup(Task& t, Vma& vma, uint32_t start, uint32_t end, uint32_t lock_flags) {
  const uint32_t old = vma.flags;
  const uint32_t flags = (old & ~(kVmLocked | kVmLockOnFault)) | lock_flags;
  if (flags == old) return 0;
  Mm& mm = *vma.mm;
  Vma* now = vma_modify_flags(t, vma, start, end, flags);
  if (now == nullptr) return kENOMEM;
  if (((flags ^ old) & kVmLocked) == 0) return 0;
  const bool lock = (flags & kVmLocked) != 0;
  mm.locked_vm += lock ? end - start : start - end;
  touch_mm(t, mm);
  mlock_vma_pages_range(t, *now, start, end, lock);
  return 0;
}

int apply_vma_lock_flags(Task& t, Mm& mm, uint32_t start, uint32_t end, uint32_t lock_flags,
                         uint32_t* pages) {
  while (start < end) {
    Vma* vma = vma_lookup(mm, start);
    if (vma == nullptr) return kENOMEM;
    const uint32_t stop = std::min(end, vma->end);
    if (const int err = mlock_fixup(t, *vma, start, stop, lock_flags); err != 0) return err;
    *pages += stop - start;
    start = stop;
  }
  return 0;
}

// Pages of [start, end) that are locked already.
uint32_t count_mm_mlocked_page_nr(const Mm& mm, uint32_t start, uint32_t end) {
  uint32_t count = 0;
  while (start < end) {
    const Vma* vma = find_vma(mm, start);
    if (vma == nullptr || vma->start >= end) break;
    const uint32_t stop = std::min(end, vma->end);
    if (vma->has(kVmLocked)) count += stop - std::max(start, vma->start);
    start = stop;
  }
  return count;
}

}  // namespace

void mlock_folio(Task& t, Folio& folio) {
  SetMlocked(t, folio);  // at once; only the list work waits
  folio_batch_add(t, folio, BatchKind::kMlock, MlockTag::kLru);
}

void mlock_new_folio(Task& t, Folio& folio) {
  SetMlocked(t, folio);
  folio_batch_add(t, folio, BatchKind::kMlock, MlockTag::kNew);
}

// All of a munlock waits, the flag too: else it would overtake an mlock that waits before it.
void munlock_folio(Task& t, Folio& folio) {
  folio_batch_add(t, folio, BatchKind::kMlock, MlockTag::kNone);
}

void mlock_folio_batch(Task& t, FolioBatch& batch) {
  {
    sync::Guard guard(t.k.lru_lock);
    for (uint32_t i = 0; i < batch.nr; ++i) {
      Folio& folio = *batch.folios[i];
      switch (batch.tags[i]) {
        case MlockTag::kLru:
          MlockOne(t, folio);
          break;
        case MlockTag::kNew:
          MlockNewOne(t, folio);
          break;
        case MlockTag::kNone:
          MunlockOne(t, folio);
          break;
      }
    }
  }
  const uint32_t nr = batch.nr;
  batch.nr = 0;
  touch_batch(t, batch);
  for (uint32_t i = 0; i < nr; ++i) folio_put(t, *batch.folios[i]);
}

void mlock_drain_local(Task& t) {
  sync::Guard guard(t.k.batches[t.cpu].lock);
  FolioBatch& batch = t.k.batches[t.cpu].batch[static_cast<uint32_t>(BatchKind::kMlock)];
  if (batch.nr == 0) return;
  t.k.cost.batch_flushes.add(1);
  mlock_folio_batch(t, batch);
}

void mlock_vma_folio(Task& t, Folio& folio, const Vma& vma, uint32_t nr) {
  if (vma.has(kVmLocked) && nr == folio.nr_pages()) mlock_folio(t, folio);
}

void munlock_vma_folio(Task& t, Folio& folio, const Vma& vma) {
  if (vma.has(kVmLocked)) munlock_folio(t, folio);
}

// Operations
// -----------------------------------------------------------------------------------------

OpResult Model::ApplyMlock(OpContext& ctx, uint32_t mm_handle, uint32_t vpn, uint32_t npages,
                           uint32_t flags) {
  OpResult r;
  MmRef mm = k_.FindMm(mm_handle);
  if (!mm) {
    r.err = kESRCH;
    return r;
  }
  if (npages == 0) return r;
  if (flags != 0 && k_.world.memlock == 0) {
    r.err = kEPERM;
    return r;
  }
  Task t(k_, ctx, k_.world.nodes);
  const uint32_t end = madvise_end(k_.world, vpn, npages);
  {
    sync::Guard guard(mm->mmap_lock);
    r.err = !mm->alive ? kESRCH : mm->open_zaps.get() != 0 ? kEAGAIN : 0;
    if (r.err != 0) return r;
    if (flags != 0) {
      uint64_t locked = uint64_t{npages} + mm->locked_vm;
      if (locked > k_.world.memlock) locked -= count_mm_mlocked_page_nr(*mm, vpn, end);
      if (locked > k_.world.memlock) {
        r.err = kENOMEM;
        return r;
      }
    }
    r.err = apply_vma_lock_flags(t, *mm, vpn, end, flags, &r.value);
  }
  if (r.err == 0 && flags == kVmLocked) {
    sync::SharedGuard guard(mm->mmap_lock);
    r.err = mm_populate(t, *mm, vpn, end);
    if (r.err == kEFAULT) r.err = kENOMEM;
  }
  return r;
}

OpResult Model::lock(const args::lock& a, OpContext& ctx) {
  return ApplyMlock(ctx, a.mm, a.vpn, a.npages, kVmLocked);
}
OpResult Model::lock_onfault(const args::lock_onfault& a, OpContext& ctx) {
  return ApplyMlock(ctx, a.mm, a.vpn, a.npages, kVmLocked | kVmLockOnFault);
}
OpResult Model::unlock(const args::unlock& a, OpContext& ctx) {
  return ApplyMlock(ctx, a.mm, a.vpn, a.npages, 0);
}

MMDIFF_MODEL_END
