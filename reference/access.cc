// Access: a CPU's loads and stores, through its TLB, the page table and the fault handlers.
#include <cerrno>

#include "reference/engine.h"

namespace mmdiff::reference {

// What the hardware does alone: true if the TLB or the page table serves the access.
bool Engine::AccessThroughTlb(Mm& mm, uint32_t vpn, bool write, OpContext& ctx, HeldPage* where) {
  TlbEntry& e = mm.tlbs[ctx.cpu][vpn];
  if (e.valid && (!write || e.write)) {
    *where = HeldPage{e.folio, e.offset};
    if (!write || e.dirty) return true;
    // The first store through a clean entry sets the dirty bit in the page table, if that still
    // agrees.
    Pte pte = mm.ptes[vpn];
    if (pte.present() && pte.has(kPteWrite) && pte.ref == e.folio && pte.offset == e.offset) {
      pte.bits |= kPteDirty | kPteYoung;
      SetPte(mm, vpn, pte);
      TlbFact(mm, ctx.cpu, vpn, e, false);
      e.dirty = true;
      TlbFact(mm, ctx.cpu, vpn, e, true);
      return true;
    }
  }
  DropTlb(mm, ctx.cpu, vpn);
  Pte pte = mm.ptes[vpn];
  if ((!pte.present() && pte.kind != PteKind::kZero) || pte.has(kPteProtNone)) return false;
  if (write && !pte.has(kPteWrite)) return false;
  pte.bits |= kPteYoung | (write ? kPteDirty : 0);
  SetPte(mm, vpn, pte);
  e.valid = true;
  e.folio = pte.present() ? pte.ref : kNoFolio;
  e.offset = pte.present() ? pte.offset : 0;
  e.write = pte.has(kPteWrite);
  e.dirty = pte.has(kPteDirty);
  SetBit(&mm.tlb_used[ctx.cpu], vpn, true);
  TlbFact(mm, ctx.cpu, vpn, e, true);
  *where = HeldPage{e.folio, e.offset};
  return true;
}

int Engine::AccessPage(Mm& mm, uint32_t vpn, bool write, OpContext& ctx, uint64_t* value) {
  HeldPage where;
  while (!AccessThroughTlb(mm, vpn, write, ctx, &where)) {
    Vma* vma = FindVma(mm, vpn);
    if (vma == nullptr || (vma->flags & (write ? kVmWrite : kVmRead)) == 0) return EFAULT;
    const FaultKind kind = write ? FaultKind::kWrite : FaultKind::kRead;
    if (const int err = Fault(mm, *vma, vpn, kind, ctx)) return err;
  }
  if (where.folio == kNoFolio) {
    *value = 0;
  } else if (write) {
    PageOf(where.folio, where.offset).content = *value;
    TouchFolio(where.folio);
  } else {
    *value = PageOf(where.folio, where.offset).content;
  }
  return 0;
}

OpResult Engine::read(const args::read& a, OpContext& ctx) {
  Mm* mm = FindMm(a.mm);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  if (a.npages != 0) mm->cpus |= 1u << ctx.cpu;
  OpResult r;
  for (uint32_t vpn = a.vpn; vpn < a.vpn + a.npages; ++vpn) {
    uint64_t value = 0;
    r.err = vpn < world_.arena() ? AccessPage(*mm, vpn, false, ctx, &value) : EFAULT;
    if (r.err != 0) break;
    r.data = FoldData(r.data, value);
    ++r.value;
  }
  return Done(r, ctx);
}

OpResult Engine::write(const args::write& a, OpContext& ctx) {
  Mm* mm = FindMm(a.mm);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  if (a.npages != 0) mm->cpus |= 1u << ctx.cpu;
  OpResult r;
  for (uint32_t vpn = a.vpn; vpn < a.vpn + a.npages; ++vpn) {
    uint64_t value = StoredValue(ctx.op_index, vpn);
    r.err = vpn < world_.arena() ? AccessPage(*mm, vpn, true, ctx, &value) : EFAULT;
    if (r.err != 0) break;
    ++r.value;
  }
  return Done(r, ctx);
}

}  // namespace mmdiff::reference
