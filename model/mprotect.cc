// mprotect: new rights for VMAs and their page-table entries. The kernel's mprotect.c.
#include <algorithm>

#include "model/kernel.h"
#include "model/syscalls.h"

MMDIFF_MODEL_BEGIN

namespace {

constexpr uint32_t kAccessFlags = kVmRead | kVmWrite;

struct Change {
  Task& t;
  MmuGather& tlb;
  Vma& vma;
  PageTable* table = nullptr;
  bool accessible = false;
};

// Sets the rights of `nr` entries that agree in write.
void set_rights(Change& c, uint32_t vpn, uint32_t nr, bool writable) {
  bool flush = false;
  for (uint32_t i = 0; i < nr; ++i) {
    const Pte old = c.table->at(vpn + i - c.table->base);
    Pte pte = old.Without(kPteWrite | kPteProtNone);
    if (writable) pte = pte.With(kPteWrite);
    if (!c.accessible) pte = pte.With(kPteProtNone);
    // pte_needs_flush() of x86
    flush |= !old.protnone() && (old.write() != writable || !c.accessible);
    set_pte(c.t, *c.table, vpn + i, pte);
  }
  if (flush) tlb_flush_range(c.tlb, vpn, vpn + nr);
}

// A run of anonymous pages in a writable private VMA: upgraded in runs that agree in AnonExclusive.
void set_rights_by_exclusive(Change& c, uint32_t vpn, uint32_t nr, const Page* page) {
  for (uint32_t i = 0; i < nr;) {
    const bool exclusive = page[i].anon_exclusive;
    uint32_t n = 1;
    while (i + n < nr && page[i + n].anon_exclusive == exclusive) ++n;
    set_rights(c, vpn + i, n, exclusive);
    i += n;
  }
}

uint32_t change_present_ptes(Change& c, uint32_t vpn, uint32_t end, Pte pte) {
  const Page* page = pfn_to_page(c.t.k, pte.pfn());
  const Folio& folio = *page->folio;
  uint32_t nr = 1;
  if (folio.large() && c.t.k.on.batch_protect && end - vpn > 1) {
    nr = folio_pte_batch(c.t, *c.table, vpn, &pte, folio, end - vpn,
                         kFpbRespectWrite | kFpbRespectDirty);
  }
  if (!c.vma.has(kVmWrite)) {
    set_rights(c, vpn, nr, false);
  } else if (c.vma.has(kVmShared)) {
    set_rights(c, vpn, nr, c.vma.file->shmem || pte.dirty());
  } else if (folio.anon()) {
    set_rights_by_exclusive(c, vpn, nr, page);
  } else {
    set_rights(c, vpn, nr, false);
  }
  return nr;
}

void change_migration_pte(Change& c, uint32_t vpn, Pte pte) {
  if (!pte.write() || c.vma.has(kVmWrite)) return;
  pte = pte.Without(kPteWrite);
  if (pfn_folio(c.t.k, pte.pfn())->anon()) pte = pte.With(kPteExclusive);
  set_pte(c.t, *c.table, vpn, pte);
}

void change_pte_range(Change& c, uint32_t start, uint32_t end) {
  sync::Guard guard(c.table->lock);
  for (uint32_t vpn = start; vpn < end;) {
    const Pte pte = c.table->at(vpn - c.table->base);
    if (!pte.none()) c.t.k.cost.ptes_visited.add(1);
    if (pte.present()) {
      vpn += change_present_ptes(c, vpn, end, pte);
      continue;
    }
    if (pte.zero()) set_rights(c, vpn, 1, false);
    if (pte.migration()) change_migration_pte(c, vpn, pte);
    ++vpn;
  }
}

// Rewrites the entries of [start, end) of a VMA that has its new flags already.
void change_protection(Task& t, MmuGather& tlb, Vma& vma, uint32_t start, uint32_t end) {
  flush_tlb_batched_pending(t, *vma.mm, start, end);
  t.k.cost.vmas_walked.add(1);
  Change c{t, tlb, vma};
  c.accessible = vma.has(kAccessFlags);
  const uint32_t size = t.k.world.table;
  while (start < end) {
    const uint32_t stop = std::min(end, (start | (size - 1)) + 1);
    c.table = pmd_lookup(*vma.mm, start);
    // As in copy_page_range: `used` is only certain under the lock.
    if (c.table != nullptr && (kThreaded || c.table->used.get() != 0))
      change_pte_range(c, start, stop);
    start = stop;
  }
}

int mprotect_fixup(Task& t, MmuGather& tlb, Vma& vma, uint32_t start, uint32_t end,
                   uint32_t rights) {
  const uint32_t old_flags = vma.flags;
  uint32_t new_flags = (old_flags & ~kAccessFlags) | rights;
  if (new_flags == old_flags) return 0;
  if ((new_flags & kVmWrite) != 0) {
    if ((new_flags & kVmShared) == 0) new_flags |= kVmAccount;
  } else if (vma.file == nullptr && vma.anon_vma == nullptr) {
    new_flags &= ~kVmAccount;
  }
  Mm& mm = *vma.mm;
  Vma* changed = vma_modify_flags(t, vma, start, end, new_flags);
  if (changed == nullptr) return kENOMEM;
  change_protection(t, tlb, *changed, start, end);
  const bool newly_writable =
      (new_flags & kVmWrite) != 0 && (old_flags & (kVmWrite | kVmShared)) == 0;
  if ((new_flags & kVmLocked) != 0 && newly_writable) mm_populate(t, mm, start, end);
  return 0;
}

int change_range(Task& t, MmuGather& tlb, Mm& mm, uint32_t start, uint32_t end, uint32_t prot,
                 uint32_t* pages) {
  uint32_t rights = 0;
  if ((prot & (kProtRead | kProtWrite)) != 0) rights |= kVmRead;
  if ((prot & kProtWrite) != 0) rights |= kVmWrite;
  while (start < end) {
    Vma* vma = vma_lookup(mm, start);
    if (vma == nullptr) return kENOMEM;
    const uint32_t stop = std::min(end, vma->end);
    if (const int err = mprotect_fixup(t, tlb, *vma, start, stop, rights); err != 0) return err;
    *pages += stop - start;
    start = stop;
  }
  return 0;
}

}  // namespace

int do_mprotect(Task& t, Mm& mm, uint32_t start, uint32_t end, uint32_t prot, uint32_t* pages) {
  MmuGather& tlb = *t.k.gathers.Alloc();
  tlb_gather_mmu(t, tlb, mm, false);
  const int err = change_range(t, tlb, mm, start, end, prot, pages);
  tlb_finish_mmu(t, tlb);
  t.k.gathers.Free(&tlb);
  return err;
}

OpResult Model::protect(const args::protect& a, OpContext& ctx) {
  Task t(k_, ctx, k_.world.nodes);
  MmRef mm = k_.FindMm(a.mm);
  if (!mm) return OpResult{.err = kESRCH};
  if (a.npages == 0) return OpResult{};
  sync::Guard guard(mm->mmap_lock);
  if (!mm->alive) return OpResult{.err = kESRCH};
  if (mm->open_zaps.get() != 0) return OpResult{.err = kEAGAIN};
  OpResult r;
  r.err = do_mprotect(t, *mm, a.vpn, a.vpn + a.npages, a.prot, &r.value);
  return r;
}

MMDIFF_MODEL_END
