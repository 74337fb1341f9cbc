#include "model/kernel.h"

#include <algorithm>

MMDIFF_MODEL_BEGIN

namespace {

void ResetSlot(SwapSlot& slot, uint32_t number) {
  slot = SwapSlot{};
  slot.number = number;
}

}  // namespace

MmRef::~MmRef() {
  if (mm_ != nullptr) k_->mmput(*mm_);
}

MmRef Kernel::FindMm(uint32_t handle) {
  sync::Guard guard(handle_lock);
  if (handle >= mm_by_handle.size() || mm_by_handle[handle] == nullptr) return MmRef();
  Mm* mm = mm_by_handle[handle];
  mm->users.add(1);
  return MmRef(this, mm);
}

Mm* Kernel::mm_alloc(Task& t, uint32_t id) {
  {
    sync::Guard guard(handle_lock);
    if (nr_mms == world.mms) return nullptr;
    ++nr_mms;
  }
  Mm* mm = mms.Alloc();
  mm->id = id;
  mm->alive = true;
  mm->users.set(1);
  mm->table_shift = static_cast<uint32_t>(__builtin_ctz(world.table));
  if (mm->capacity < world.tables) {
    mm->pgd = std::make_unique<sync::Counter<PageTable*>[]>(world.tables);
    mm->tlb = std::make_unique<TlbTable*[]>(world.tables);
    mm->capacity = world.tables;
  }
  mm->tables = world.tables;
  for (auto& rss : mm->rss) rss.set(0);
  mm->locked_vm = mm->total_vm = 0;
  mm->has_pinned.set(0);
  mm->tlb_flush_pending.set(0);
  mm->tlb_flush_batched.set(0);
  mm->gathers.set(0);
  mm->open_zaps.set(0);
  mm->cpus.set(0);
  touch_mm(t, *mm);
  return mm;
}

void Kernel::mm_publish(Mm& mm) {
  sync::Guard guard(handle_lock);
  if (mm_by_handle.size() <= mm.id) mm_by_handle.resize(mm.id + 1);
  mm_by_handle[mm.id] = &mm;
}

void Kernel::mm_dead(Task& t, Mm& mm) {
  mm.alive = false;
  {
    sync::Guard guard(mm.tlb_lock);
    for (uint32_t i = 0; i < mm.tables; ++i) {
      if (mm.tlb[i] == nullptr) continue;
      MMDIFF_BUG_ON(mm.tlb[i]->nr_valid != 0, "process ends while a TLB has entries of it");
      mm.tlb[i]->mm = nullptr;
      tlb_tables.Free(mm.tlb[i]);
      mm.tlb[i] = nullptr;
    }
  }
  for (const auto& rss : mm.rss)
    MMDIFF_BUG_ON(rss.get() != 0, "process ends with pages on its RSS counters");
  touch_mm(t, mm);
  {
    sync::Guard guard(handle_lock);
    mm_by_handle[mm.id] = nullptr;
    --nr_mms;
  }
  mmput(mm);
}

void Kernel::mmput(Mm& mm) {
  if (mm.users.sub(1) == 0) mms.Free(&mm);
}

FileObject* Kernel::FindFile(uint32_t handle) {
  sync::Guard guard(handle_lock);
  return handle < file_by_handle.size() ? file_by_handle[handle] : nullptr;
}

FileObject* Kernel::file_create(uint32_t number, uint32_t npages, uint32_t order, bool shmem) {
  FileObject* file = files.Alloc();
  file->npages = npages;
  file->order = order;
  file->shmem = shmem;
  file->i_pages.assign(npages, nullptr);
  file->i_mmap.clear();
  sync::Guard guard(handle_lock);
  if (shmem) {
    file->number = kShmemFile + nr_shmem_files++;
  } else {
    file->number = number;
    if (file_by_handle.size() <= number) file_by_handle.resize(number + 1);
    file_by_handle[number] = file;
  }
  return file;
}

void Kernel::ResetMemory() {
  folios.Reset([](Folio& f) { f.tracked = Tracked{}; });
  for (auto& node : zones) {
    for (Zone& zone : node) {
      for (uint32_t number : zone.chunks) {
        PageChunk& chunk = *mem_map[number];
        for (uint32_t i = 0; i < chunk.high; ++i) {
          chunk.pages[i].folio = nullptr;
          chunk.pages[i].tracked = Tracked{};
        }
      }
      zone.chunks.clear();
      zone.lowest = 0;
    }
  }
  chunks_used = 0;
  next_folio_id.set(0);
  for (Lruvec& lruvec : lruvecs) lruvec = Lruvec{};
  for (uint32_t cpu = 0; cpu < kMaxCpus; ++cpu) {
    for (uint32_t kind = 0; kind < kBatchKinds; ++kind) {
      FolioBatch& batch = batches[cpu].batch[kind];
      batch.cpu = cpu;
      batch.kind = static_cast<BatchKind>(kind);
      batch.nr = 0;
      batch.tracked = Tracked{};
    }
  }
  lru_disable_count.set(0);
  for (uint32_t i = 0; i < swap_high; ++i) ResetSlot(swap_map[i], i);
  swap_high = 0;
  split_queue = nullptr;
  for (auto* counter : {&stat.nr_anon_mapped, &stat.nr_file_mapped, &stat.nr_mlock,
                        &stat.nr_isolated_anon, &stat.nr_isolated_file, &stat.nr_allocated}) {
    counter->set(0);
  }
  for (auto& counter : stat.nr_lru) counter.set(0);
}

void Kernel::ResetAddressSpaces() {
  const uint32_t size = world.table;
  page_tables.Reset([size](PageTable& table) {
    for (uint32_t i = 0; i < std::min(size, table.capacity); ++i) table.entries[i].set(0);
    std::fill_n(table.hashes.get(), std::min(size, table.capacity), 0);
    std::fill(std::begin(table.touched_slots), std::end(table.touched_slots), 0);
    table.mm = nullptr;
    table.tracked = Tracked{};
  });
  const uint32_t entries = world.cpus * world.table;
  tlb_tables.Reset([entries](TlbTable& table) {
    const uint32_t n = std::min(entries, table.capacity);
    std::fill_n(table.hashes.get(), n, 0);
    std::fill_n(table.valid.get(), (n + 63) / 64, 0);
    std::fill_n(table.touched_slots.get(), (n + 63) / 64, 0);
    table.mm = nullptr;
    table.tracked = Tracked{};
  });
  mms.Reset([](Mm& mm) {
    for (uint32_t i = 0; i < mm.tables; ++i) {
      mm.pgd[i].set(nullptr);
      mm.tlb[i] = nullptr;
    }
    mm.vmas.clear();
    mm.alive = false;
    mm.tracked = Tracked{};
  });
  vmas.Reset([](Vma& vma) {
    vma.mm = nullptr;
    vma.anon_vma = nullptr;
    vma.anon_vma_chain.clear();
    vma.tracked = Tracked{};
  });
  anon_vmas.Reset([](AnonVma&) {});
  chains.Reset([](AnonVmaChain&) {});
  gathers.Reset([](MmuGather&) {});
  files.Reset([](FileObject&) {});
  mm_by_handle.clear();
  file_by_handle.clear();
  nr_mms = nr_shmem_files = 0;
  unused_shmem.clear();
  nr_unused_shmem.set(0);
  ubc_mms.clear();
}

void Kernel::Reset(const World& w) {
  ResetMemory();
  ResetAddressSpaces();
  isos.Reset();
  migs.Reset();
  pins.Reset();
  zaps.Reset();
  touched.folios.clear();
  touched.pages.clear();
  touched.vmas.clear();
  touched.mms.clear();
  touched.tables.clear();
  touched.tlbs.clear();
  touched.slots.clear();
  touched.batches.clear();
  digest_sum_ = 0;
  if (mem_map.capacity() < kMaxChunks)
    mem_map.reserve(kMaxChunks);  // so that look-ups need no lock
  world = w;
  while (swap_map.size() < w.swap) {
    swap_map.emplace_back();
    ResetSlot(swap_map.back(), static_cast<uint32_t>(swap_map.size() - 1));
  }
#define MMDIFF_COST_ITEM(name, doc) cost.name.set(0);
#include "model/cost.def"
}

MMDIFF_MODEL_END
