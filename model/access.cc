// Operations that touch pages: read, write, unshare, and those that take pages and translations
// away: dontneed, zap_begin, zap_finish, flush, flush_batched; and check, which does nothing here.
#include <algorithm>

#include "model/kernel.h"
#include "model/madvise.h"
#include "model/memory.h"
#include "model/syscalls.h"

MMDIFF_MODEL_BEGIN

namespace {

// One load or store, with the faults that it takes. 0 or an errno.
int AccessPage(Task& t, Mm& mm, uint32_t vpn, bool write, uint64_t* value) {
  if (vpn >= t.k.world.arena()) return kEFAULT;
  while (tlb_access(t, mm, vpn, write, value) != TlbAccess::kDone) {
    Vma* vma = vma_lookup(mm, vpn);
    if (vma == nullptr || !vma->has(write ? kVmWrite : kVmRead)) return kEFAULT;
    const uint32_t flags = write ? kFaultWrite : kFaultRead;
    if (const int err = handle_mm_fault(t, *vma, vpn, flags); err != 0) return err;
  }
  return 0;
}

}  // namespace

OpResult Model::Access(OpContext& ctx, uint32_t mm_handle, uint32_t vpn, uint32_t npages,
                       bool write) {
  Task t(k_, ctx, k_.world.nodes);
  MmRef mm = k_.FindMm(mm_handle);
  if (!mm) return OpResult{.err = kESRCH};
  sync::SharedGuard guard(mm->mmap_lock);
  if (!mm->alive) return OpResult{.err = kESRCH};
  if (npages != 0) mm->cpus.fetch_or(1u << t.cpu);
  OpResult r;
  for (uint32_t i = 0; i < npages; ++i) {
    uint64_t value = write ? StoredValue(ctx.op_index, vpn + i) : 0;
    r.err = AccessPage(t, *mm, vpn + i, write, &value);
    if (r.err != 0) break;
    if (!write) r.data = FoldData(r.data, value);
    ++r.value;
  }
  if (k_.world.tlb == 0) tlb_forget_range(t, *mm, vpn, vpn + r.value);
  return r;
}

OpResult Model::read(const args::read& a, OpContext& ctx) {
  return Access(ctx, a.mm, a.vpn, a.npages, false);
}
OpResult Model::write(const args::write& a, OpContext& ctx) {
  return Access(ctx, a.mm, a.vpn, a.npages, true);
}

OpResult Model::unshare(const args::unshare& a, OpContext& ctx) {
  Task t(k_, ctx, k_.world.nodes);
  MmRef mm = k_.FindMm(a.mm);
  if (!mm) return OpResult{.err = kESRCH};
  sync::SharedGuard guard(mm->mmap_lock);
  if (!mm->alive) return OpResult{.err = kESRCH};
  OpResult r;
  for (; r.value < a.npages; ++r.value) {
    const uint32_t vpn = a.vpn + r.value;
    Vma* vma = vma_lookup(*mm, vpn);
    if (vma == nullptr || !vma->has(kVmRead)) {
      r.err = kEFAULT;
    } else if (vma->is_cow()) {
      r.err = handle_mm_fault(t, *vma, vpn, kFaultUnshare);
    }
    if (r.err != 0) break;
  }
  return r;
}

int Model::ZapRange(Task& t, Mm& mm, uint32_t start, uint32_t end, MmuGather& tlb,
                    uint32_t* value) {
  return madvise_walk_vmas(mm, start, end, [&](Vma& vma, uint32_t from, uint32_t to) -> int {
    if (vma.has(kVmLocked)) return kEINVAL;
    flush_tlb_batched_pending(t, mm, from, to);
    *value += zap_vma_range(t, tlb, vma, from, to);
    return 0;
  });
}

OpResult Model::dontneed(const args::dontneed& a, OpContext& ctx) {
  Task t(k_, ctx, k_.world.nodes);
  MmRef mm = k_.FindMm(a.mm);
  if (!mm) return OpResult{.err = kESRCH};
  sync::SharedGuard guard(mm->mmap_lock);
  if (!mm->alive) return OpResult{.err = kESRCH};
  OpResult r;
  if (a.npages == 0) return r;
  MmuGather& tlb = *k_.gathers.Alloc();
  tlb_gather_mmu(t, tlb, *mm, false);
  r.err = ZapRange(t, *mm, a.vpn, a.vpn + a.npages, tlb, &r.value);
  tlb_finish_mmu(t, tlb);
  k_.gathers.Free(&tlb);
  return r;
}

OpResult Model::zap_begin(const args::zap_begin& a, OpContext& ctx) {
  Task t(k_, ctx, k_.world.nodes);
  MmRef mm = k_.FindMm(a.mm);
  if (!mm) return OpResult{.err = kESRCH};
  sync::SharedGuard guard(mm->mmap_lock);
  if (!mm->alive) return OpResult{.err = kESRCH};
  OpResult r;
  MmuGather& tlb = *k_.zaps.Bind(ctx.result_handle);
  tlb_gather_mmu(t, tlb, *mm, false);
  r.err = ZapRange(t, *mm, a.vpn, a.vpn + a.npages, tlb, &r.value);
  if (r.err != 0) {
    tlb_finish_mmu(t, tlb);
    k_.zaps.Spend(ctx.result_handle);
    return r;
  }
  mm->open_zaps.add(1);
  k_.zaps.Release(ctx.result_handle);
  return r;
}

OpResult Model::zap_finish(const args::zap_finish& a, OpContext& ctx) {
  Task t(k_, ctx, k_.world.nodes);
  MmuGather* tlb = k_.zaps.Claim(a.zap);
  if (tlb == nullptr) return OpResult{.err = kEBADF};
  Mm& mm = *tlb->mm;
  tlb_finish_mmu(t, *tlb);
  mm.open_zaps.sub(1);
  k_.zaps.Spend(a.zap);
  return OpResult{};
}

OpResult Model::flush(const args::flush& a, OpContext& ctx) {
  Task t(k_, ctx, k_.world.nodes);
  MmRef mm = k_.FindMm(a.mm);
  if (!mm) return OpResult{.err = kESRCH};
  sync::SharedGuard guard(mm->mmap_lock);
  if (!mm->alive) return OpResult{.err = kESRCH};
  flush_tlb_mm(t, *mm);
  return OpResult{};
}

OpResult Model::flush_batched(const args::flush_batched&, OpContext& ctx) {
  Task t(k_, ctx, k_.world.nodes);
  try_to_unmap_flush(t);
  return OpResult{};
}

OpResult Model::check(const args::check&, OpContext&) { return OpResult{}; }

MMDIFF_MODEL_END
