// The facts of the state as records of state/state.h, the snapshot made of them and the digest kept
// of them.
#include <cstring>

#include "model/kernel.h"

MMDIFF_MODEL_BEGIN

namespace {

MmState MmFact(const Mm& mm) {
  const auto rss = [&](MmCounter c) {
    return static_cast<uint32_t>(mm.rss[static_cast<size_t>(c)].get());
  };
  MmState s;
  s.id = mm.id;
  s.rss_anon = rss(MmCounter::kAnon);
  s.rss_file = rss(MmCounter::kFile);
  s.rss_shmem = rss(MmCounter::kShmem);
  s.rss_swap = rss(MmCounter::kSwap);
  s.locked_vm = mm.locked_vm;
  s.total_vm = mm.total_vm;
  s.map_count = mm.map_count();
  s.has_pinned = mm.has_pinned.get();
  s.tlb_flush_pending = mm.tlb_flush_pending.get();
  return s;
}

VmaState VmaFact(const Vma& vma) {
  return VmaState{vma.mm->id,
                  vma.start,
                  vma.end,
                  vma.flags,
                  vma.file == nullptr ? kNoFile : vma.file->number,
                  vma.pgoff,
                  vma.anon_vma != nullptr ? 1u : 0u};
}

PteState PteFact(const Kernel& k, const PageTable& table, uint32_t i) {
  const Pte pte = table.at(i);
  PteState s;
  s.mm = table.mm->id;
  s.vpn = table.base + i;
  s.kind = pte.kind();
  s.bits = static_cast<uint8_t>(pte.bits());
  if (pte.present() || pte.migration()) {
    const Page& page = *pfn_to_page(k, pte.pfn());
    if (page.folio != nullptr) {
      s.folio = page.folio->id;
      s.offset = static_cast<uint16_t>(folio_page_idx(*page.folio, page));
    }
  } else if (pte.swap()) {
    s.slot = pte.slot();
  }
  return s;
}

FolioState FolioFact(const Folio& folio) {
  FolioState s;
  s.id = folio.id;
  s.flags = folio.flags.get();
  s.refcount = folio.ref_count();
  s.mapcount = static_cast<uint32_t>(folio.mapcount());
  s.pincount = static_cast<uint32_t>(folio.pincount.get());
  s.mlock_count = folio.mlock_count;
  s.file = folio.file == nullptr ? kNoFile : folio.file->number;
  s.index = folio.file == nullptr ? 0 : folio.index;
  s.slot = folio.swap_slot;
  s.order = folio.order;
  s.node = folio.node;
  s.zone = folio.zone;
  s.lru = folio.lru;
  return s;
}

PageState PageFact(const Page& page) {
  return PageState{page.folio->id, folio_page_idx(*page.folio, page),
                   static_cast<uint32_t>(page.mapcount.get()), page.anon_exclusive ? 1u : 0u,
                   page.content.get()};
}

bool InUse(const SwapSlot& slot) { return slot.count != 0 || slot.cached != nullptr; }
SwapState SlotFact(const SwapSlot& slot) {
  return SwapState{slot.number, slot.count, slot.cached != nullptr ? 1u : 0u, slot.content};
}

BatchState BatchFact(const FolioBatch& batch, uint32_t i) {
  const MlockTag tag = batch.kind == BatchKind::kMlock ? batch.tags[i] : MlockTag::kNone;
  return BatchState{batch.cpu, batch.kind, tag, i, batch.folios[i]->id};
}

TlbState TlbFact(const TlbTable& table, uint32_t shift, uint32_t i) {
  const TlbEntry& e = table.entries[i];
  return TlbState{i >> shift,       table.mm->id, table.base + (i & ((1u << shift) - 1)),
                  e.folio,          e.offset,     e.write ? 1u : 0u,
                  e.dirty ? 1u : 0u};
}

StatState StatFact(const VmStat& stat) {
  const auto u = [](const sync::Counter<int32_t>& c) { return static_cast<uint32_t>(c.get()); };
  const auto lru = [&](LruList list) { return u(stat.nr_lru[static_cast<size_t>(list)]); };
  StatState s;
  s.nr_anon_mapped = u(stat.nr_anon_mapped);
  s.nr_file_mapped = u(stat.nr_file_mapped);
  s.nr_mlock = u(stat.nr_mlock);
  s.nr_isolated_anon = u(stat.nr_isolated_anon);
  s.nr_isolated_file = u(stat.nr_isolated_file);
  s.nr_inactive_anon = lru(LruList::kInactiveAnon);
  s.nr_active_anon = lru(LruList::kActiveAnon);
  s.nr_inactive_file = lru(LruList::kInactiveFile);
  s.nr_active_file = lru(LruList::kActiveFile);
  s.nr_unevictable = lru(LruList::kUnevictable);
  s.nr_allocated = u(stat.nr_allocated);
  return s;
}

bool Valid(const TlbTable& table, uint32_t i) { return (table.valid[i / 64] >> (i % 64) & 1) != 0; }

// Replaces the hash that the sum holds for each touched object of a list.
template <typename T, typename HashFn>
Digest Rehash(std::vector<T*>& list, HashFn&& hash) {
  Digest change = 0;
  for (T* object : list) {
    const Digest now = hash(*object);
    change += now - object->tracked.fact_hash;
    object->tracked.fact_hash = now;
    object->tracked.touched = false;
  }
  list.clear();
  return change;
}

// The same for the slots of a table: hash(i) is 0 for a slot without a fact.
template <typename HashFn>
Digest RehashSlots(uint64_t* touched, uint32_t words, uint64_t* hashes, HashFn&& hash) {
  Digest change = 0;
  for (uint32_t w = 0; w < words; ++w) {
    for (uint64_t bits = touched[w]; bits != 0; bits &= bits - 1) {
      const uint32_t i = w * 64 + static_cast<uint32_t>(__builtin_ctzll(bits));
      const Digest now = hash(i);
      change += now - hashes[i];
      hashes[i] = now;
    }
    touched[w] = 0;
  }
  return change;
}

Digest BatchHash(const FolioBatch& batch) {
  Digest sum = 0;
  for (uint32_t i = 0; i < batch.nr; ++i) sum += FactHash(BatchFact(batch, i));
  return sum;
}

}  // namespace

Digest Kernel::digest() {
  Digest sum = digest_sum_;
  sum += Rehash(touched.folios,
                [](const Folio& f) { return f.allocated ? FactHash(FolioFact(f)) : 0; });
  sum += Rehash(touched.pages,
                [](const Page& p) { return p.folio != nullptr ? FactHash(PageFact(p)) : 0; });
  sum +=
      Rehash(touched.vmas, [](const Vma& v) { return v.mm != nullptr ? FactHash(VmaFact(v)) : 0; });
  sum += Rehash(touched.mms, [](const Mm& m) { return m.alive ? FactHash(MmFact(m)) : 0; });
  sum +=
      Rehash(touched.slots, [](const SwapSlot& s) { return InUse(s) ? FactHash(SlotFact(s)) : 0; });
  sum += Rehash(touched.batches, BatchHash);
  const uint32_t pte_words = (world.table + 63) / 64;
  for (PageTable* table : touched.tables) {
    sum += RehashSlots(table->touched_slots, pte_words, table->hashes.get(), [&](uint32_t i) {
      return table->at(i).none() ? 0 : FactHash(PteFact(*this, *table, i));
    });
    table->tracked.touched = false;
  }
  touched.tables.clear();
  const uint32_t shift = static_cast<uint32_t>(__builtin_ctz(world.table));
  const uint32_t tlb_words = ((world.cpus << shift) + 63) / 64;
  for (TlbTable* table : touched.tlbs) {
    sum += RehashSlots(table->touched_slots.get(), tlb_words, table->hashes.get(), [&](uint32_t i) {
      return Valid(*table, i) ? FactHash(TlbFact(*table, shift, i)) : 0;
    });
    table->tracked.touched = false;
  }
  touched.tlbs.clear();
  digest_sum_ = sum;
  return sum + FactHash(StatFact(stat));
}

void Kernel::Snapshot(State* out) {
  out->Clear();
  const uint32_t shift = static_cast<uint32_t>(__builtin_ctz(world.table));
  for (const Mm* mm : mm_by_handle) {
    if (mm == nullptr) continue;
    out->mms.push_back(MmFact(*mm));
    for (const Vma* vma : mm->vmas) out->vmas.push_back(VmaFact(*vma));
    for (uint32_t index = 0; index < mm->tables; ++index) {
      const PageTable* table = mm->pgd[index].get();
      for (uint32_t i = 0; table != nullptr && i < world.table; ++i) {
        if (!table->at(i).none()) out->ptes.push_back(PteFact(*this, *table, i));
      }
    }
    for (uint32_t cpu = 0; cpu < world.cpus; ++cpu) {
      for (uint32_t index = 0; index < mm->tables; ++index) {
        const TlbTable* tlb = mm->tlb[index];
        if (tlb == nullptr || tlb->nr_valid == 0) continue;
        for (uint32_t i = cpu << shift; i < (cpu + 1) << shift; ++i) {
          if (Valid(*tlb, i)) out->tlbs.push_back(TlbFact(*tlb, shift, i));
        }
      }
    }
  }
  // The pool gives folios in any order; by number, equal states make equal snapshots.
  folio_of_id_.assign(next_folio_id.get(), nullptr);
  folios.ForEach([&](const Folio& folio) {
    if (folio.allocated) folio_of_id_[folio.id] = &folio;
  });
  for (const Folio* folio : folio_of_id_) {
    if (folio == nullptr) continue;
    out->folios.push_back(FolioFact(*folio));
    for (uint32_t i = 0; i < folio->nr_pages(); ++i) out->pages.push_back(PageFact(folio->page[i]));
  }
  for (uint32_t i = 0; i < swap_high; ++i) {
    if (InUse(swap_map[i])) out->swaps.push_back(SlotFact(swap_map[i]));
  }
  for (const CpuBatches& cpu : batches) {
    for (const FolioBatch& batch : cpu.batch) {
      for (uint32_t i = 0; i < batch.nr; ++i) out->batches.push_back(BatchFact(batch, i));
    }
  }
  out->stats = StatFact(stat);
}

MMDIFF_MODEL_END
