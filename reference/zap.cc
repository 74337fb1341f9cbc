// Page-table changes, TLB flushes and the removal of mappings.
#include <algorithm>
#include <cerrno>

#include "reference/engine.h"

namespace mmdiff::reference {

void Engine::SetPte(Mm& mm, uint32_t vpn, const Pte& pte) {
  Pte& slot = mm.ptes[vpn];
  const auto account = [&](const Pte& p, Digest sign) {
    if (p.none()) return;
    sum_ += sign * FactHash(PteFact(mm, vpn, p));
    if (p.kind == PteKind::kSwap) {
      TouchSlot(p.ref);
    } else if (p.kind != PteKind::kZero) {
      TouchFolio(p.ref);
    }
  };
  account(slot, static_cast<Digest>(-1));
  account(pte, 1);
  slot = pte;
  SetBit(&mm.used, vpn, !pte.none());
  if (!pte.none()) mm.tables[vpn / world_.table] = 1;
  if (pte.present() || pte.kind == PteKind::kMigration) {
    F(pte.ref).low = std::min(F(pte.ref).low, vpn);
    F(pte.ref).high = std::max(F(pte.ref).high, vpn + 1);
  }
  TouchMm(mm);
}

void Engine::TlbFact(const Mm& mm, uint32_t cpu, uint32_t vpn, const TlbEntry& e, bool add) {
  const Digest h = FactHash(TlbState{cpu, mm.id, vpn, e.folio, e.offset, e.write, e.dirty});
  sum_ += add ? h : -h;
}

void Engine::DropTlb(Mm& mm, uint32_t cpu, uint32_t vpn) {
  TlbEntry& e = mm.tlbs[cpu][vpn];
  if (!e.valid) return;
  TlbFact(mm, cpu, vpn, e, false);
  e = TlbEntry{};
  SetBit(&mm.tlb_used[cpu], vpn, false);
}

// Drops the translations of [low, high) on every CPU.
void Engine::FlushRange(Mm& mm, uint32_t low, uint32_t high) {
  for (uint32_t cpu = 0; cpu < world_.cpus; ++cpu) {
    ForEachBit(mm.tlb_used[cpu], low, high, [&](uint32_t vpn) { DropTlb(mm, cpu, vpn); });
  }
}

void Engine::FlushMm(Mm& mm) {
  FlushRange(mm, 0, world_.arena());
  if (mm.tlb_flush_pending) TouchMm(mm);
  mm.tlb_flush_pending = false;
}

// flush_tlb_batched_pending, of whoever walks the page tables of [start, end). It does not know
// whether what was put off has been made meanwhile.
void Engine::FlushPending(Mm& mm, uint32_t start, uint32_t end) {
  if (!mm.tlb_flush_batched) return;
  const auto table = [&](uint32_t vpn) { return mm.tables.begin() + vpn / world_.table; };
  if (start >= end || std::find(table(start), table(end - 1) + 1, 1) == table(end - 1) + 1) return;
  FlushMm(mm);
  mm.tlb_flush_batched = false;
}

// tlb_finish_mmu: with another gather open for the mm, everything is flushed.
void Engine::FinishGather(Gather* g, OpContext& ctx) {
  Mm& mm = *mms_[g->mm];
  if (mm.open_zaps != 0) FlushMm(mm);
  FlushGather(g, ctx);
}

// try_to_unmap_flush
void Engine::FlushBatched() {
  for (Mm* mm : live_) {
    if (mm->tlb_flush_pending) FlushMm(*mm);
  }
}

// A present page has just been unmapped from `vma`: n pages of `f` from `offset`, in one batch.
void Engine::RmapRemoved(FolioId f, uint32_t offset, uint32_t n, const Vma& vma, OpContext& ctx) {
  Folio& folio = F(f);
  if (folio.order >= 2 && folio.is(kFolioAnon) && !folio.is(kFolioSwapCache)) {
    bool still_mapped = false;
    still_mapped_.assign(n, 0);  // by page of the batch
    ForEachPteOf(f, [&](Mm&, Vma&, uint32_t, Pte& pte) {
      if (!pte.present()) return;
      still_mapped = true;
      if (pte.offset - offset < n) still_mapped_[pte.offset - offset] = 1;
    });
    const auto kept = std::count(still_mapped_.begin(), still_mapped_.end(), uint8_t{1});
    if (still_mapped && kept < n) {
      folio.Set(kFolioPartiallyMapped | kFolioDeferredSplit);
      TouchFolio(f);
    }
  }
  if (vma.locked()) MunlockFolio(f, ctx);
}

// Where a kernel may drain the local CPU's batches before it frees pages, so that more of them go.
void Engine::DrainIfChosen(uint32_t where, OpContext& ctx) {
  const Choice* c = ctx.choices->Peek(ChoiceKind::kLruDrain);
  if (c == nullptr || c->a != where) return;
  ctx.choices->Take();
  Drain(ctx.cpu);
}

// Did the leader flush a gather behind an entry of [low, high)?
bool Engine::GatherFlushChosen(const Mm& mm, uint32_t low, uint32_t high, OpContext& ctx) {
  const Choice* c = ctx.choices->Peek(ChoiceKind::kGatherFlush);
  if (c == nullptr || c->a != mm.id || c->b < low || c->b >= high) return false;
  ctx.choices->Take();
  return true;
}

// Flushes what a gather covers, then lets its pages go.
void Engine::FlushGather(Gather* g, OpContext& ctx) {
  if (g->low != g->high) FlushRange(*mms_[g->mm], g->low, g->high);
  g->low = g->high = 0;
  DrainIfChosen(1, ctx);
  for (const HeldPage& p : g->pages) {
    FreeSwapCacheIfUnmapped(p.folio);
    TouchFolio(p.folio);
  }
  g->pages.clear();
}

void Engine::RunDelayedRmap(Vma& vma, OpContext& ctx) {
  for (const DelayedRmap& d : delayed_) RmapRemoved(d.folio, d.offset, d.n, vma, ctx);
  delayed_.clear();
}

void Engine::ZapSwap(Mm& mm, uint32_t vpn) {
  const uint32_t slot = mm.ptes[vpn].ref;
  ClearPte(mm, vpn);
  const FolioId f = swap_[slot].cached;
  if (f != kNoFolio && SlotCount(slot) == 0) FreeSwapCacheIfUnmapped(f);
}

// Zaps one run of PTEs of one folio, at most up to `limit`; the number zapped.
uint32_t Engine::ZapRun(Mm& mm, Vma& vma, uint32_t vpn, uint32_t limit, Gather* g, OpContext& ctx) {
  const Pte first = mm.ptes[vpn];
  uint32_t n = RunOf(mm, vpn, limit);
  const Choice* c = ctx.choices->Peek(ChoiceKind::kZapBatch);
  if (c != nullptr && c->a == mm.id && c->b == vpn) {
    if (c->c == 0 || c->c > n) {
      ctx.choices->Refuse(ChoiceKind::kZapBatch, "the folio has no run of that length there");
    } else {
      n = c->c;
    }
    ctx.choices->Take();
  }
  bool dirty = false, young = false;
  for (uint32_t i = 0; i < n; ++i) {
    dirty |= mm.ptes[vpn + i].has(kPteDirty);
    young |= mm.ptes[vpn + i].has(kPteYoung);
    g->pages.push_back(HeldPage{first.ref, first.offset + i});
    ClearPte(mm, vpn + i);
  }
  if (!F(first.ref).is(kFolioAnon)) {
    if (dirty) F(first.ref).MarkDirty();
    if (young) MarkAccessed(first.ref, ctx);
    if (dirty) {
      delayed_.push_back(DelayedRmap{first.ref, first.offset, n});
      return n;
    }
  }
  RmapRemoved(first.ref, first.offset, n, vma, ctx);
  return n;
}

// Takes every entry of [start, end) out of the page table into `g`; the number of entries cleared.
uint32_t Engine::ZapRange(Mm& mm, Vma& vma, uint32_t start, uint32_t end, Gather* g,
                          OpContext& ctx) {
  uint32_t cleared = 0;
  for (uint32_t vpn = start; vpn < end;) {
    const uint32_t table_end = std::min(end, (vpn | (world_.table - 1)) + 1);
    while (vpn < table_end) {
      const Pte pte = mm.ptes[vpn];
      uint32_t n = 1;
      if (pte.none()) {
        ++vpn;
        continue;
      }
      if (pte.kind == PteKind::kSwap) {
        ZapSwap(mm, vpn);
      } else if (pte.kind == PteKind::kMigration) {
        ClearPte(mm, vpn);
      } else {
        if (g->low == g->high) g->low = vpn;
        if (pte.present()) {
          n = ZapRun(mm, vma, vpn, table_end, g, ctx);
        } else {
          ClearPte(mm, vpn);
        }
        g->high = vpn + n;
      }
      vpn += n;
      cleared += n;
      if (GatherFlushChosen(mm, vpn - 1, vpn, ctx)) {
        RunDelayedRmap(vma, ctx);
        FlushGather(g, ctx);
      }
    }
    // The kernel may not leave this table's lock with a dirty file page unmapped but not flushed.
    if (!delayed_.empty()) {
      RunDelayedRmap(vma, ctx);
      FlushGather(g, ctx);
    }
  }
  return cleared;
}

OpResult Engine::dontneed(const args::dontneed& a, OpContext& ctx) {
  return Advise(a.mm, a.vpn, a.npages, Advice::kDontneed, ctx);
}

OpResult Engine::zap_begin(const args::zap_begin& a, OpContext& ctx) {
  if (zaps_.size() <= ctx.result_handle) zaps_.resize(ctx.result_handle + 1);
  return Advise(a.mm, a.vpn, a.npages, Advice::kDontneed, ctx, &zaps_[ctx.result_handle]);
}

OpResult Engine::zap_finish(const args::zap_finish& a, OpContext& ctx) {
  if (a.zap >= zaps_.size() || !zaps_[a.zap].open) return OpResult{.err = EBADF};
  Gather& g = zaps_[a.zap];
  g.open = false;
  --mms_[g.mm]->open_zaps;
  FinishGather(&g, ctx);
  TouchMm(*mms_[g.mm]);
  return Done(OpResult{}, ctx);
}

OpResult Engine::flush(const args::flush& a, OpContext& ctx) {
  Mm* mm = FindMm(a.mm);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  FlushMm(*mm);
  return Done(OpResult{}, ctx);
}

OpResult Engine::flush_batched(const args::flush_batched&, OpContext& ctx) {
  FlushBatched();
  return Done(OpResult{}, ctx);
}

}  // namespace mmdiff::reference
