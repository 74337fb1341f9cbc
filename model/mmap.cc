// Processes, files, mappings: mm, exit, file, map, unmap. The kernel's mmap.c and exec-side fork.c.
#include <algorithm>

#include "model/kernel.h"
#include "model/memory.h"
#include "model/syscalls.h"

MMDIFF_MODEL_BEGIN

namespace {

uint32_t VmFlags(uint32_t map_flags) {
  uint32_t flags = 0;
  if ((map_flags & (kMapRead | kMapWrite)) != 0) flags |= kVmRead;
  if ((map_flags & kMapWrite) != 0) flags |= kVmWrite;
  if ((map_flags & kMapShared) != 0) flags |= kVmShared;
  if ((map_flags & kMapLocked) != 0) flags |= kVmLocked;
  if ((map_flags & kMapNoHuge) != 0) flags |= kVmNoHuge;
  if ((flags & (kVmWrite | kVmShared)) == kVmWrite) flags |= kVmAccount;  // accountable_mapping
  return flags;
}

// The checks of mmap that come before anything is changed, in the kernel's order.
int check_map(const Kernel& k, const Mm& mm, const args::map& a, bool has_file, bool* overlaps) {
  const uint64_t end = static_cast<uint64_t>(a.vpn) + a.npages;
  if (has_file && static_cast<uint64_t>(a.pgoff) + a.npages > kMaxArena) return kEOVERFLOW;
  if (mm.map_count() > k.world.maps) return kENOMEM;
  if (end > k.world.arena()) return kENOMEM;
  const Vma* vma = find_vma(mm, a.vpn);
  *overlaps = vma != nullptr && vma->start < end;
  if (*overlaps && (a.flags & kMapFixed) == 0) return kEEXIST;
  if ((a.flags & kMapLocked) != 0) {
    if (k.world.memlock == 0) return kEPERM;
    if (mm.locked_vm + static_cast<uint64_t>(a.npages) > k.world.memlock) return kEAGAIN;
  }
  return 0;
}

}  // namespace

int do_vmi_munmap(Task& t, Mm& mm, uint32_t start, uint32_t end, uint32_t* pages) {
  size_t first = 0;
  Vma* vma = find_vma(mm, start, &first);
  if (vma == nullptr || vma->start >= end) return 0;
  if (vma->start < start) {
    if (vma->end > end && mm.map_count() >= t.k.world.maps) return kENOMEM;
    split_vma(t, *vma, start);
    ++first;
  }
  size_t last = first;
  while (last < mm.vmas.size() && mm.vmas[last]->end <= end) ++last;
  if (last < mm.vmas.size() && mm.vmas[last]->start < end) split_vma(t, *mm.vmas[last++], end);

  for (size_t i = first; i < last; ++i) {
    flush_tlb_batched_pending(t, mm, mm.vmas[i]->start, mm.vmas[i]->end);
  }
  MmuGather& tlb = *t.k.gathers.Alloc();
  tlb_gather_mmu(t, tlb, mm, false);
  for (size_t i = first; i < last; ++i) {
    Vma& gone = *mm.vmas[i];
    *pages += gone.pages();
    mm.total_vm -= gone.pages();
    if (gone.has(kVmLocked)) mm.locked_vm -= gone.pages();
    zap_vma_range(t, tlb, gone, gone.start, gone.end);
  }
  tlb_finish_mmu(t, tlb);
  t.k.gathers.Free(&tlb);
  const uint32_t floor = first == 0 ? 0 : mm.vmas[first - 1]->end;
  const uint32_t ceiling = last == mm.vmas.size() ? t.k.world.arena() : mm.vmas[last]->start;
  remove_vmas(t, mm, first, last);
  free_pgtables(t, mm, floor, ceiling);
  touch_mm(t, mm);
  return 0;
}

void exit_mmap(Task& t, Mm& mm) {
  for (const Vma* vma : mm.vmas) flush_tlb_batched_pending(t, mm, vma->start, vma->end);
  MmuGather& tlb = *t.k.gathers.Alloc();
  tlb_gather_mmu(t, tlb, mm, true);
  for (Vma* vma : mm.vmas) zap_vma_range(t, tlb, *vma, vma->start, vma->end);
  tlb_finish_mmu(t, tlb);
  t.k.gathers.Free(&tlb);
  remove_vmas(t, mm, 0, mm.vmas.size());
  free_pgtables(t, mm, 0, t.k.world.arena());
  mm.total_vm = mm.locked_vm = 0;
  touch_mm(t, mm);
}

OpResult Model::mm(const args::mm&, OpContext& ctx) {
  Task t(k_, ctx, k_.world.nodes);
  Mm* mm = k_.mm_alloc(t, ctx.result_handle);
  if (mm == nullptr) return OpResult{.err = kEAGAIN};
  k_.mm_publish(*mm);
  return OpResult{};
}

OpResult Model::exit(const args::exit& a, OpContext& ctx) {
  Task t(k_, ctx, k_.world.nodes);
  MmRef mm = k_.FindMm(a.mm);
  if (!mm) return OpResult{.err = kESRCH};
  sync::Guard guard(mm->mmap_lock);
  if (!mm->alive) return OpResult{.err = kESRCH};
  if (mm->open_zaps.get() != 0) return OpResult{.err = kEAGAIN};
  exit_mmap(t, *mm);
  k_.mm_dead(t, *mm);
  return OpResult{};
}

OpResult Model::file(const args::file& a, OpContext& ctx) {
  if (a.npages == 0) return OpResult{.err = kEINVAL};
  k_.file_create(ctx.result_handle, a.npages, a.order, false);
  return OpResult{};
}

OpResult Model::map(const args::map& a, OpContext& ctx) {
  Task t(k_, ctx, k_.world.nodes);
  MmRef mm = k_.FindMm(a.mm);
  if (!mm) return OpResult{.err = kESRCH};
  FileObject* file = a.file == kNoFile ? nullptr : k_.FindFile(a.file);
  if (a.file != kNoFile && file == nullptr) return OpResult{.err = kEBADF};
  if (a.npages == 0) return OpResult{.err = kEINVAL};
  sync::Guard guard(mm->mmap_lock);
  if (!mm->alive) return OpResult{.err = kESRCH};
  if (mm->open_zaps.get() != 0) return OpResult{.err = kEAGAIN};
  bool overlaps = false;
  if (const int err = check_map(k_, *mm, a, file != nullptr, &overlaps); err != 0)
    return OpResult{.err = err};
  const uint32_t end = a.vpn + a.npages;
  uint32_t removed = 0;
  if (overlaps) {
    if (const int err = do_vmi_munmap(t, *mm, a.vpn, end, &removed); err != 0)
      return OpResult{.err = err};
  }
  uint32_t pgoff = file != nullptr ? a.pgoff : a.vpn;
  if (file == nullptr && (a.flags & kMapShared) != 0) {
    file = k_.file_create(0, a.npages, 0, true);
    pgoff = 0;
  }
  vma_map(t, *mm, a.vpn, end, VmFlags(a.flags), file, pgoff);
  mm->total_vm += a.npages;
  if ((a.flags & kMapLocked) != 0) mm->locked_vm += a.npages;
  touch_mm(t, *mm);
  if ((a.flags & (kMapPopulate | kMapLocked)) != 0) mm_populate(t, *mm, a.vpn, end);
  return OpResult{};
}

OpResult Model::unmap(const args::unmap& a, OpContext& ctx) {
  Task t(k_, ctx, k_.world.nodes);
  MmRef mm = k_.FindMm(a.mm);
  if (!mm) return OpResult{.err = kESRCH};
  if (a.npages == 0 || static_cast<uint64_t>(a.vpn) + a.npages > k_.world.arena())
    return OpResult{.err = kEINVAL};
  sync::Guard guard(mm->mmap_lock);
  if (!mm->alive) return OpResult{.err = kESRCH};
  if (mm->open_zaps.get() != 0) return OpResult{.err = kEAGAIN};
  OpResult r;
  r.err = do_vmi_munmap(t, *mm, a.vpn, a.vpn + a.npages, &r.value);
  return r;
}

MMDIFF_MODEL_END
