// Facts of the state as records of state/state.h, their hashes, and what happens at the end of an
// operation.
#include <algorithm>

#include "reference/engine.h"

namespace mmdiff::reference {

FolioId Engine::NewFolio(uint32_t order, uint32_t node, ZoneKind zone) {
  const FolioId f = static_cast<FolioId>(folios_.size());
  Folio folio;
  folio.allocated = true;
  folio.order = static_cast<uint8_t>(order);
  folio.node = static_cast<uint8_t>(node);
  folio.zone = zone;
  folio.file = kNoFile;
  folio.first_page = static_cast<uint32_t>(pages_.size());
  folios_.push_back(folio);
  pages_.resize(pages_.size() + folio.pages());
  allocated_.push_back(f);
  folio_hash_.push_back(0);
  folio_touched_.push_back(0);
  TouchFolio(f);
  return f;
}

void Engine::TouchFolio(FolioId f) {
  anything_touched_ = true;
  if (folio_touched_[f]) return;
  folio_touched_[f] = 1;
  touched_folios_.push_back(f);
}

void Engine::TouchMm(Mm& mm) {
  anything_touched_ = true;
  if (mm_touched_[mm.slot]) return;
  mm_touched_[mm.slot] = 1;
  touched_mms_.push_back(mm.slot);
}

void Engine::TouchSlot(uint32_t slot) {
  anything_touched_ = true;
  if (slot_touched_[slot]) return;
  slot_touched_[slot] = 1;
  touched_slots_.push_back(slot);
}

// One look at every page table and every holder.
void Engine::CountEverything() {
  page_maps_.assign(pages_.size(), 0);
  counts_.assign(folios_.size(), FolioCount{});
  slot_maps_.assign(swap_.size(), 0);
  rss_.assign(mms_.size(), Rss{});
  anon_mapped_ = file_mapped_ = 0;
  ForEachPte([&](Mm& mm, Vma&, uint32_t, Pte& pte) {
    Rss& rss = rss_[mm.slot];
    if (pte.kind == PteKind::kSwap) {
      ++rss.swap;
      ++slot_maps_[pte.ref];
      return;
    }
    if (pte.kind == PteKind::kZero) return;
    const Folio& folio = folios_[pte.ref];
    const bool anon = folio.is(kFolioAnon);
    ++(anon ? rss.anon : folio.is(kFolioSwapBacked) ? rss.shmem : rss.file);
    if (!pte.present()) return;
    ++counts_[pte.ref].mapcount;
    if (page_maps_[folio.first_page + pte.offset]++ == 0) ++(anon ? anon_mapped_ : file_mapped_);
  });
  for (FolioId f : allocated_) counts_[f].refcount = counts_[f].mapcount + CacheRefs(f);
  for (const auto& batch : batches_) {
    for (const BatchEntry& e : batch) ++counts_[e.folio].refcount;
  }
  for (const Iso& iso : isos_) {
    if (iso.open) ++counts_[iso.folio].refcount;
  }
  for (const Migration& m : migrations_) {
    if (!m.open) continue;
    ++counts_[m.src].refcount;
    ++counts_[m.dst].refcount;
  }
  for (const Gather& g : zaps_) {
    if (!g.open) continue;
    for (const HeldPage& p : g.pages) ++counts_[p.folio].refcount;
  }
  for (const Pin& pin : pins_) {
    if (!pin.open) continue;
    for (const HeldPage& p : pin.pages) {
      if (p.folio == kNoFolio) continue;
      counts_[p.folio].refcount += pin.get || F(p.folio).large() ? 1 : kGupPinBias;
      counts_[p.folio].pins += !pin.get;
    }
  }
}

FolioState Engine::FolioFact(FolioId f) const {
  const Folio& folio = F(f);
  FolioState s;
  s.id = f;
  s.flags = folio.flags;
  s.refcount = counts_[f].refcount;
  s.mapcount = counts_[f].mapcount;
  s.pincount = folio.large() ? counts_[f].pins : 0;
  s.mlock_count = folio.mlock_count;
  s.file = folio.file;
  s.index = folio.file == kNoFile ? 0 : folio.index;
  s.slot = folio.slot;
  s.order = folio.order;
  s.node = folio.node;
  s.zone = folio.zone;
  s.lru = folio.lru;
  return s;
}

PageState Engine::PageFact(FolioId f, uint32_t offset) const {
  const Page& page = PageOf(f, offset);
  return PageState{f, offset, page_maps_[F(f).first_page + offset], page.anon_exclusive,
                   page.content};
}

MmState Engine::MmFact(const Mm& mm) const {
  const Rss& rss = rss_[mm.slot];
  MmState s;
  s.id = mm.id;
  s.rss_anon = rss.anon;
  s.rss_file = rss.file;
  s.rss_shmem = rss.shmem;
  s.rss_swap = rss.swap;
  for (const Vma& vma : mm.vmas) {
    s.total_vm += vma.pages();
    if (vma.locked()) s.locked_vm += vma.pages();
  }
  s.map_count = static_cast<uint32_t>(mm.vmas.size());
  s.has_pinned = mm.has_pinned;
  s.tlb_flush_pending = mm.tlb_flush_pending;
  return s;
}

VmaState Engine::VmaFact(const Mm& mm, const Vma& vma) const {
  return VmaState{
      mm.id, vma.start, vma.end, vma.flags, vma.file, vma.pgoff, vma.anon_vma != kNoAnonVma};
}

PteState Engine::PteFact(const Mm& mm, uint32_t vpn, const Pte& pte) const {
  PteState s;
  s.mm = mm.id;
  s.vpn = vpn;
  s.kind = pte.kind;
  s.bits = pte.bits;
  s.offset = pte.offset;
  if (pte.kind == PteKind::kSwap) {
    s.slot = pte.ref;
  } else if (pte.kind != PteKind::kZero) {
    s.folio = pte.ref;
  }
  return s;
}

SwapState Engine::SlotFact(uint32_t slot) const {
  return SwapState{slot, slot_maps_[slot], swap_[slot].cached != kNoFolio, swap_[slot].content};
}

StatState Engine::StatFact() const {
  StatState s;
  s.nr_anon_mapped = anon_mapped_;
  s.nr_file_mapped = file_mapped_;
  for (FolioId f : allocated_) {
    const Folio& folio = F(f);
    s.nr_allocated += folio.pages();
    if (folio.is(kFolioMlocked)) s.nr_mlock += folio.pages();
    switch (folio.lru) {
      case LruList::kNone:
        break;
      case LruList::kInactiveAnon:
        s.nr_inactive_anon += folio.pages();
        break;
      case LruList::kActiveAnon:
        s.nr_active_anon += folio.pages();
        break;
      case LruList::kInactiveFile:
        s.nr_inactive_file += folio.pages();
        break;
      case LruList::kActiveFile:
        s.nr_active_file += folio.pages();
        break;
      case LruList::kUnevictable:
        s.nr_unevictable += folio.pages();
        break;
    }
  }
  const auto isolated = [&](FolioId f) {
    (F(f).is(kFolioSwapBacked) ? s.nr_isolated_anon : s.nr_isolated_file) += F(f).pages();
  };
  for (const Iso& iso : isos_) {
    if (iso.open) isolated(iso.folio);
  }
  for (const Migration& m : migrations_) {
    if (m.open) isolated(m.src);
  }
  return s;
}

Digest Engine::BatchHash(uint32_t cpu, BatchKind kind) const {
  const auto& batch = batches_[cpu * kBatchKinds + static_cast<uint32_t>(kind)];
  Digest d = 0;
  for (uint32_t i = 0; i < batch.size(); ++i) {
    d += FactHash(BatchState{cpu, kind, batch[i].tag, i, batch[i].folio});
  }
  return d;
}

OpResult Engine::Done(OpResult r, OpContext& ctx) {
  if (world_.tlb == 0) {  // no CPU knows anything any more, so nothing waits to be flushed either
    for (Mm* mm : live_) FlushMm(*mm);
  }
  if (anything_touched_) Settle(ctx.cpu);
  return r;
}

// The end of an operation: folios that nobody holds any more are freed, and the sum follows the
// state.
void Engine::Settle(uint32_t cpu) {
  if (vmas_changed_) DropDeadShmem(cpu);
  CountEverything();
  for (FolioId f : touched_folios_) {
    folio_touched_[f] = 0;
    sum_ -= folio_hash_[f];
    folio_hash_[f] = 0;
    Folio& folio = F(f);
    if (!folio.allocated) continue;
    if (counts_[f].refcount == 0) {
      folio.allocated = false;
      folio.lru = LruList::kNone;
      allocated_.erase(std::lower_bound(allocated_.begin(), allocated_.end(), f));
      continue;
    }
    Digest h = FactHash(FolioFact(f));
    for (uint32_t i = 0; i < folio.pages(); ++i) h += FactHash(PageFact(f, i));
    folio_hash_[f] = h;
    sum_ += h;
  }
  for (uint32_t slot : touched_mms_) {
    mm_touched_[slot] = 0;
    sum_ -= mm_hash_[slot];
    mm_hash_[slot] = 0;
    const Mm& mm = *mms_[slot];
    if (!mm.alive) continue;
    Digest h = FactHash(MmFact(mm));
    for (const Vma& vma : mm.vmas) h += FactHash(VmaFact(mm, vma));
    mm_hash_[slot] = h;
    sum_ += h;
  }
  for (uint32_t slot : touched_slots_) {
    slot_touched_[slot] = 0;
    sum_ -= slot_hash_[slot];
    slot_hash_[slot] = 0;
    if (slot_maps_[slot] == 0 && swap_[slot].cached == kNoFolio) {
      swap_[slot].content = 0;
      continue;
    }
    slot_hash_[slot] = FactHash(SlotFact(slot));
    sum_ += slot_hash_[slot];
  }
  for (uint32_t i = 0; batch_touched_ != 0; ++i, batch_touched_ >>= 1) {
    if ((batch_touched_ & 1) == 0) continue;
    sum_ -= batch_hash_[i];
    batch_hash_[i] = BatchHash(i / kBatchKinds, static_cast<BatchKind>(i % kBatchKinds));
    sum_ += batch_hash_[i];
  }
  const Digest stat = FactHash(StatFact());
  sum_ += stat - stat_hash_;
  stat_hash_ = stat;
  touched_folios_.clear();
  touched_mms_.clear();
  touched_slots_.clear();
  anything_touched_ = false;
  vmas_changed_ = false;
}

Digest Engine::digest() { return sum_; }

void Engine::Snapshot(State* out) {
  out->Clear();
  CountEverything();
  for (const Mm* mm : live_) {
    out->mms.push_back(MmFact(*mm));
    for (const Vma& vma : mm->vmas) out->vmas.push_back(VmaFact(*mm, vma));
    for (uint32_t cpu = 0; cpu < world_.cpus; ++cpu) {
      ForEachBit(mm->tlb_used[cpu], 0, world_.arena(), [&](uint32_t vpn) {
        const TlbEntry& e = mm->tlbs[cpu][vpn];
        out->tlbs.push_back(TlbState{cpu, mm->id, vpn, e.folio, e.offset, e.write, e.dirty});
      });
    }
  }
  ForEachPte(
      [&](Mm& mm, Vma&, uint32_t vpn, Pte& pte) { out->ptes.push_back(PteFact(mm, vpn, pte)); });
  for (FolioId f : allocated_) {
    out->folios.push_back(FolioFact(f));
    for (uint32_t i = 0; i < F(f).pages(); ++i) out->pages.push_back(PageFact(f, i));
  }
  for (uint32_t slot = 0; slot < swap_.size(); ++slot) {
    if (slot_maps_[slot] != 0 || swap_[slot].cached != kNoFolio)
      out->swaps.push_back(SlotFact(slot));
  }
  for (uint32_t i = 0; i < batches_.size(); ++i) {
    for (uint32_t k = 0; k < batches_[i].size(); ++k) {
      out->batches.push_back(BatchState{i / kBatchKinds, static_cast<BatchKind>(i % kBatchKinds),
                                        batches_[i][k].tag, k, batches_[i][k].folio});
    }
  }
  out->stats = StatFact();
}

}  // namespace mmdiff::reference
