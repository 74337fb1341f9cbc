// Advice: free, cold, pageout, dontfork, dofork (dontneed is in memory.cc). The kernel's madvise.c.
#include "model/madvise.h"

#include "model/huge_memory.h"
#include "model/kernel.h"
#include "model/swap.h"
#include "model/syscalls.h"
#include "model/vmscan.h"

MMDIFF_MODEL_BEGIN

namespace {

// One call of madvise: what it flushes at its end, and what it has to show.
struct Madvise {
  Task& t;
  Mm& mm;
  uint32_t flush_start = UINT32_MAX;
  uint32_t flush_end = 0;
  uint32_t value = 0;
  bool gathered = false;  // an mmu_gather has been opened
  std::vector<Folio*>* pageout =
      nullptr;  // isolated folios of the current table; nullptr: cold or free

  void FlushLater(uint32_t vpn, uint32_t nr) {
    flush_start = std::min(flush_start, vpn);
    flush_end = std::max(flush_end, vpn + nr);
  }
  void Gather() {
    gathered = true;
    mm.gathers.add(1);
  }
  void Finish() {
    if (!gathered) return;
    if (mm.gathers.get() > 1) {  // mm_tlb_flush_nested
      flush_tlb_mm(t, mm);
    } else if (flush_start < flush_end) {
      flush_tlb_range(t, mm, flush_start, flush_end);
    }
    flush_start = UINT32_MAX;
    flush_end = 0;
    gathered = false;
    mm.gathers.add(static_cast<uint32_t>(-1));
  }
};

// The next entry of a walk and what was found there. The table is locked.
struct Spot {
  PageTable& table;
  uint32_t vpn;
  uint32_t end;  // of the walk in this table
  Pte pte;       // young and dirty of the run are folded in
  Folio* folio = nullptr;
  uint32_t nr = 1;
};

bool maybe_mapped_shared(Task& t, Folio& folio, uint32_t vpn) {
  const bool shared = folio_maybe_mapped_shared(t, folio);
  t.Choose(ChoiceKind::kMaybeShared, shared ? 1 : 0, vpn);
  return shared;
}

// A large folio of which the range maps only a part: splits it, so that the part can be advised
// alone. True if it was split and the entry is to be looked at again. The table's lock is dropped
// meanwhile.
bool split_partial(Task& t, Spot& spot) {
  Folio& folio = *spot.folio;
  folio_get(t, folio);
  spot.table.lock.unlock();
  const bool tried = !maybe_mapped_shared(t, folio, spot.vpn) && !folio.locked();
  const bool split = tried && split_folio(t, folio, nullptr) == 0;
  if (tried) flush_tlb_batched_pending(t, *spot.table.mm, spot.vpn, spot.vpn + 1);
  folio_put(t, folio);
  spot.table.lock.lock();
  return split;
}

// Finds the folio and the run at a present entry. False if the entry was split and must be looked
// at again, or is to be skipped: then *skip is how many.
bool find_run(Task& t, Spot& spot, uint32_t* skip) {
  spot.folio = pfn_folio(t.k, spot.pte.pfn());
  *skip = 0;
  if (!spot.folio->large()) return true;
  spot.nr = folio_pte_batch(t, spot.table, spot.vpn, &spot.pte, *spot.folio, spot.end - spot.vpn,
                            kFpbMergeYoungDirty);
  if (spot.nr == spot.folio->nr_pages()) return true;
  if (!split_partial(t, spot)) *skip = spot.nr;
  return false;
}

void ClearBits(Madvise& m, Spot& spot, uint32_t bits) {
  for (uint32_t i = 0; i < spot.nr; ++i) {
    set_pte(m.t, spot.table, spot.vpn + i,
            spot.table.at(spot.vpn + i - spot.table.base).Without(bits));
  }
  m.FlushLater(spot.vpn, spot.nr);
}

// ---- MADV_FREE
// -------------------------------------------------------------------------------------

uint32_t FreeSwapEntries(Madvise& m, Spot& spot) {
  const uint32_t nr =
      m.t.k.on.batch_swap ? swap_pte_batch(spot.table, spot.vpn, spot.pte, spot.end - spot.vpn) : 1;
  clear_ptes(m.t, spot.table, spot.vpn, nr);
  add_mm_counter(m.t, m.mm, MmCounter::kSwap, -static_cast<int32_t>(nr));
  swap_free(m.t, spot.pte.slot(), nr, true);
  return nr;
}

// A folio that has been written to swap or marked dirty can be lost only if all of it is ours. True
// if its contents now count for nothing but for the dirty bits of the entries.
bool ForgetContents(Task& t, Folio& folio) {
  if (!folio.swapcache() && !folio.test(kFolioDirty)) return true;
  if (!folio_trylock(t, folio)) return false;
  bool ours = folio.mapcount() == static_cast<int32_t>(folio.nr_pages());
  if (ours && folio.swapcache()) ours = folio_free_swap(t, folio);
  if (ours) folio_clear(t, folio, kFolioDirty);
  folio_unlock(t, folio);
  return ours;
}

void madvise_free_pte_range(Madvise& m, PageTable& table, uint32_t start, uint32_t end) {
  Task& t = m.t;
  sync::Guard guard(table.lock);
  for (uint32_t vpn = start; vpn < end;) {
    Spot spot{table, vpn, end, table.at(vpn - table.base)};
    t.k.cost.ptes_visited.add(1);
    if (spot.pte.swap()) {
      vpn += FreeSwapEntries(m, spot);
      continue;
    }
    if (!spot.pte.present()) {
      ++vpn;
      continue;
    }
    uint32_t skip = 0;
    if (!find_run(t, spot, &skip)) {
      vpn += skip;
      continue;
    }
    vpn += spot.nr;
    if (!ForgetContents(t, *spot.folio)) continue;
    if (spot.pte.young() || spot.pte.dirty()) ClearBits(m, spot, kPteYoung | kPteDirty);
    folio_mark_lazyfree(t, *spot.folio);
    m.value += spot.nr;
  }
}

// ---- MADV_COLD and MADV_PAGEOUT
// --------------------------------------------------------------------

void IsolateForPageout(Madvise& m, Folio& folio) {
  if (!folio_isolate_lru(m.t, folio)) return;
  if (folio.test(kFolioUnevictable)) {
    folio_putback_lru(m.t, folio);
  } else {
    folio_clear(m.t, folio, kFolioActive);
    m.pageout->push_back(&folio);
  }
}

void madvise_cold_or_pageout_pte_range(Madvise& m, PageTable& table, uint32_t start, uint32_t end) {
  Task& t = m.t;
  sync::Guard guard(table.lock);
  for (uint32_t vpn = start; vpn < end;) {
    Spot spot{table, vpn, end, table.at(vpn - table.base)};
    t.k.cost.ptes_visited.add(1);
    if (!spot.pte.present()) {
      ++vpn;
      continue;
    }
    uint32_t skip = 0;
    if (!find_run(t, spot, &skip)) {
      vpn += skip;
      continue;
    }
    vpn += spot.nr;
    Folio& folio = *spot.folio;
    // Somebody else's use of it is not ours to judge.
    if (!folio.test(kFolioLru) || folio.mapcount() != static_cast<int32_t>(folio.nr_pages()))
      continue;
    if (m.pageout == nullptr && spot.pte.young()) ClearBits(m, spot, kPteYoung);
    folio_clear(t, folio, kFolioReferenced);
    if (m.pageout != nullptr) {
      IsolateForPageout(m, folio);
    } else {
      folio_deactivate(t, folio);
    }
  }
}

enum class Advice : uint8_t { kFree, kCold, kPageout };

// Walks the page tables of a part of a VMA. Pageout reclaims what it isolated at the end of each.
void AdviseVma(Madvise& m, Advice advice, uint32_t start, uint32_t end) {
  Task& t = m.t;
  const uint32_t size = t.k.world.table;
  t.k.cost.vmas_walked.add(1);
  lru_add_drain(t);  // only what is on the LRU can be moved on it
  for (uint32_t vpn = start; vpn < end;) {
    const uint32_t stop = std::min(end, (vpn / size + 1) * size);
    if (PageTable* table = pmd_lookup(m.mm, vpn); table != nullptr) {
      flush_tlb_batched_pending(t, m.mm, vpn, stop);  // that of the table before, too
      if (advice == Advice::kFree) {
        madvise_free_pte_range(m, *table, vpn, stop);
      } else {
        madvise_cold_or_pageout_pte_range(m, *table, vpn, stop);
      }
    }
    if (m.pageout != nullptr) m.value += reclaim_folio_list(t, *m.pageout, true);
    vpn = stop;
  }
}

OpResult DoMadvise(Kernel& k, OpContext& ctx, uint32_t mm_handle, uint32_t vpn, uint32_t npages,
                   Advice advice) {
  OpResult r;
  MmRef mm = k.FindMm(mm_handle);
  if (!mm) {
    r.err = kESRCH;
    return r;
  }
  if (npages == 0) return r;
  Task t(k, ctx, k.world.nodes);
  thread_local std::vector<Folio*> pageout;
  pageout.clear();
  Madvise m{t, *mm};
  if (advice == Advice::kPageout) m.pageout = &pageout;
  sync::SharedGuard guard(mm->mmap_lock);
  if (advice == Advice::kFree) m.Gather();  // one for all VMAs; for the others, one for each
  r.err = madvise_walk_vmas(
      *mm, vpn, madvise_end(k.world, vpn, npages), [&](Vma& vma, uint32_t from, uint32_t to) {
        if (vma.has(kVmLocked) || (advice == Advice::kFree && !vma.is_anonymous()))
          return int32_t{kEINVAL};
        if (advice != Advice::kFree) m.Gather();
        AdviseVma(m, advice, from, to);
        if (advice != Advice::kFree) m.Finish();
        return int32_t{0};
      });
  m.Finish();
  r.value = m.value;
  return r;
}

}  // namespace

// Operations
// -----------------------------------------------------------------------------------------

OpResult Model::free(const args::free& a, OpContext& ctx) {
  return DoMadvise(k_, ctx, a.mm, a.vpn, a.npages, Advice::kFree);
}
OpResult Model::cold(const args::cold& a, OpContext& ctx) {
  return DoMadvise(k_, ctx, a.mm, a.vpn, a.npages, Advice::kCold);
}
OpResult Model::pageout(const args::pageout& a, OpContext& ctx) {
  return DoMadvise(k_, ctx, a.mm, a.vpn, a.npages, Advice::kPageout);
}

OpResult Model::AdviseFork(OpContext& ctx, uint32_t mm_handle, uint32_t vpn, uint32_t npages,
                           bool dont) {
  OpResult r;
  MmRef mm = k_.FindMm(mm_handle);
  if (!mm) {
    r.err = kESRCH;
    return r;
  }
  if (npages == 0) return r;
  Task t(k_, ctx, k_.world.nodes);
  sync::Guard guard(mm->mmap_lock);
  r.err = !mm->alive ? kESRCH : mm->open_zaps.get() != 0 ? kEAGAIN : 0;
  if (r.err != 0) return r;
  r.err = madvise_walk_vmas(
      *mm, vpn, madvise_end(k_.world, vpn, npages), [&](Vma& vma, uint32_t from, uint32_t to) {
        const uint32_t flags = dont ? vma.flags | kVmDontCopy : vma.flags & ~uint32_t{kVmDontCopy};
        if (flags != vma.flags && vma_modify_flags(t, vma, from, to, flags) == nullptr)
          return int32_t{kEAGAIN};
        r.value += to - from;
        return int32_t{0};
      });
  return r;
}

OpResult Model::dontfork(const args::dontfork& a, OpContext& ctx) {
  return AdviseFork(ctx, a.mm, a.vpn, a.npages, true);
}
OpResult Model::dofork(const args::dofork& a, OpContext& ctx) {
  return AdviseFork(ctx, a.mm, a.vpn, a.npages, false);
}

MMDIFF_MODEL_END
