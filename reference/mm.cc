// Processes, files and mappings: mm, fork, exit, file, map, unmap, protect.
#include <algorithm>
#include <cerrno>

#include "reference/engine.h"

namespace mmdiff::reference {

Mm* Engine::FindMm(uint32_t handle) {
  if (handle >= mm_of_handle_.size() || mm_of_handle_[handle] == kNoFolio) return nullptr;
  Mm* mm = mms_[mm_of_handle_[handle]].get();
  return mm->alive && mm->id == handle ? mm : nullptr;
}

Mm* Engine::NewMm(uint32_t handle) {
  size_t slot = 0;
  while (slot < mms_.size() && mms_[slot]->alive) ++slot;
  if (slot == mms_.size()) {
    mms_.push_back(std::make_unique<Mm>());
    mm_touched_.push_back(0);
    mm_hash_.push_back(0);
  }
  Mm* mm = mms_[slot].get();
  mm->id = handle;
  mm->slot = static_cast<uint32_t>(slot);
  mm->alive = true;
  mm->has_pinned = mm->tlb_flush_pending = mm->tlb_flush_batched = false;
  mm->cpus = 0;
  mm->open_zaps = 0;
  mm->ptes.resize(world_.arena());
  mm->used.resize((world_.arena() + 63) / 64);
  mm->tables.assign(world_.tables, 0);
  mm->tlbs.resize(world_.cpus);
  for (auto& tlb : mm->tlbs) tlb.resize(world_.arena());
  mm->tlb_used.resize(world_.cpus);
  for (auto& set : mm->tlb_used) set.resize(mm->used.size());
  mm->vmas.clear();
  if (mm_of_handle_.size() <= handle) mm_of_handle_.resize(handle + 1, kNoFolio);
  mm_of_handle_[handle] = mm->slot;
  live_.push_back(mm);
  TouchMm(*mm);
  return mm;
}

File* Engine::FileOf(uint32_t id) {
  const auto& table = id >= kShmemFile ? file_of_shmem_ : file_of_handle_;
  const uint32_t i = id >= kShmemFile ? id - kShmemFile : id;
  return i < table.size() && table[i] != kNoFolio ? &files_[table[i]] : nullptr;
}

File* Engine::NewFile(uint32_t id, uint32_t npages, uint32_t order) {
  if (files_used_ == files_.size()) files_.emplace_back();
  auto& table = id >= kShmemFile ? file_of_shmem_ : file_of_handle_;
  const uint32_t i = id >= kShmemFile ? id - kShmemFile : id;
  if (table.size() <= i) table.resize(i + 1, kNoFolio);
  table[i] = static_cast<uint32_t>(files_used_);
  File& file = files_[files_used_++];
  file.id = id;
  file.npages = npages;
  file.order = order;
  file.cache.assign(npages, kNoFolio);
  return &file;
}

// Shared anonymous memory goes when its last mapping does; so that its pages really go, `cpu` is
// drained.
void Engine::DropDeadShmem(uint32_t cpu) {
  for (uint32_t slot : file_of_shmem_) {
    File& file = files_[slot];
    bool mapped = false;
    for (const Mm* mm : live_) {
      for (const Vma& vma : mm->vmas) mapped |= vma.file == file.id;
    }
    if (mapped) continue;
    for (FolioId f : file.cache) {
      if (f == kNoFolio || F(f).is(kFolioLocked)) continue;
      DropPageCache(f);
      F(f).Set(kFolioDirty, false);
      Drain(cpu);
    }
  }
}

void Engine::DropPageCache(FolioId f) {
  File& file = *FileOf(F(f).file);
  for (uint32_t i = 0; i < F(f).pages(); ++i) file.cache[F(f).index + i] = kNoFolio;
  F(f).file = kNoFile;
  TouchFolio(f);
}

OpResult Engine::mm(const args::mm&, OpContext& ctx) {
  if (live_.size() >= world_.mms) return OpResult{.err = EAGAIN};
  NewMm(ctx.result_handle);
  return Done(OpResult{}, ctx);
}

OpResult Engine::file(const args::file& a, OpContext& ctx) {
  if (a.npages == 0) return OpResult{.err = EINVAL};
  NewFile(ctx.result_handle, a.npages, a.order);
  return OpResult{};
}

OpResult Engine::exit(const args::exit& a, OpContext& ctx) {
  Mm* mm = FindMm(a.mm);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  if (mm->open_zaps != 0) return OpResult{.err = EAGAIN};
  for (const Vma& vma : mm->vmas) FlushPending(*mm, vma.start, vma.end);
  DrainIfChosen(0, ctx);
  gather_ = Gather{.mm = mm->slot, .pages = std::move(gather_.pages)};
  for (Vma& vma : mm->vmas) ZapRange(*mm, vma, vma.start, vma.end, &gather_, ctx);
  FlushMm(*mm);
  FlushGather(&gather_, ctx);
  mm->vmas.clear();
  mm->alive = false;
  live_.erase(std::find(live_.begin(), live_.end(), mm));
  TouchMm(*mm);
  vmas_changed_ = true;
  return Done(OpResult{}, ctx);
}

OpResult Engine::map(const args::map& a, OpContext& ctx) {
  TakeNoMerges(ctx);
  Mm* mm = FindMm(a.mm);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  File* file = a.file == kNoFile ? nullptr : FileOf(a.file);
  if (a.file != kNoFile && file == nullptr) return OpResult{.err = EBADF};
  if (a.npages == 0) return OpResult{.err = EINVAL};
  if (mm->open_zaps != 0) return OpResult{.err = EAGAIN};
  const uint32_t end = a.vpn + a.npages;
  if (file != nullptr && a.pgoff + a.npages > kMaxArena) return OpResult{.err = EOVERFLOW};
  if (mm->vmas.size() > world_.maps) return OpResult{.err = ENOMEM};
  if (end > world_.arena()) return OpResult{.err = ENOMEM};
  const size_t first = FirstVmaAtOrAfter(*mm, a.vpn);
  const bool overlaps = first < mm->vmas.size() && mm->vmas[first].start < end;
  if (overlaps && (a.flags & kMapFixed) == 0) return OpResult{.err = EEXIST};
  uint32_t locked_vm = 0;
  for (const Vma& vma : mm->vmas) locked_vm += vma.locked() ? vma.pages() : 0;
  if ((a.flags & kMapLocked) != 0) {
    if (world_.memlock == 0) return OpResult{.err = EPERM};
    if (locked_vm + a.npages > world_.memlock) return OpResult{.err = EAGAIN};
  }
  uint32_t removed = 0;
  if (overlaps) {
    if (const int err = MakeHole(*mm, a.vpn, end, ctx, &removed))
      return Done(OpResult{.err = err}, ctx);
  }
  Vma vma;
  vma.start = a.vpn;
  vma.end = end;
  if ((a.flags & (kMapRead | kMapWrite)) != 0) vma.flags |= kVmRead;
  if ((a.flags & kMapWrite) != 0) vma.flags |= kVmWrite;
  if ((a.flags & kMapShared) != 0) vma.flags |= kVmShared;
  if ((a.flags & kMapLocked) != 0) vma.flags |= kVmLocked;
  if ((a.flags & kMapNoHuge) != 0) vma.flags |= kVmNoHuge;
  if (vma.writable() && !vma.shared()) vma.flags |= kVmAccount;
  vma.file = a.file;
  vma.pgoff = file != nullptr ? a.pgoff : a.vpn;
  if (file == nullptr && vma.shared()) {
    vma.file = kShmemFile + static_cast<uint32_t>(file_of_shmem_.size());
    vma.pgoff = 0;
    NewFile(vma.file, a.npages, 0);
  }
  InsertVma(*mm, vma);
  if ((a.flags & (kMapPopulate | kMapLocked)) != 0) Populate(*mm, a.vpn, end, true, ctx);
  return Done(OpResult{}, ctx);
}

OpResult Engine::unmap(const args::unmap& a, OpContext& ctx) {
  Mm* mm = FindMm(a.mm);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  if (a.npages == 0 || a.vpn + a.npages > world_.arena()) return OpResult{.err = EINVAL};
  if (mm->open_zaps != 0) return OpResult{.err = EAGAIN};
  OpResult r;
  r.err = MakeHole(*mm, a.vpn, a.vpn + a.npages, ctx, &r.value);
  return Done(r, ctx);
}

OpResult Engine::fork(const args::fork& a, OpContext& ctx) {
  Mm* parent = FindMm(a.mm);
  if (parent == nullptr) return OpResult{.err = ESRCH};
  if (parent->open_zaps != 0 || live_.size() >= world_.mms) return OpResult{.err = EAGAIN};
  Mm* child = NewMm(ctx.result_handle);
  child->tlb_flush_batched = parent->tlb_flush_batched;  // dup_mm copies it with the rest
  for (const Vma& vma : parent->vmas) {
    if ((vma.flags & kVmDontCopy) != 0) continue;
    Vma copy = vma;
    copy.flags &= ~(kVmLocked | kVmLockOnFault);
    copy.anon_vma = kNoAnonVma;
    copy.chain = Chain{};
    if (vma.anon_vma != kNoAnonVma) ForkAnonVma(vma, &copy);
    child->vmas.push_back(copy);
    if (vma.anon_vma == kNoAnonVma) continue;
    for (uint32_t t = vma.start / world_.table; t <= (vma.end - 1) / world_.table; ++t) {
      child->tables[t] |= parent->tables[t];
    }
    parent->ForEachUsed(vma.start, vma.end,
                        [&](uint32_t vpn) { ForkPte(*parent, *child, vma, vpn, ctx); });
  }
  FlushMm(*parent);
  return Done(OpResult{}, ctx);
}

// Copies one page-table entry of a VMA with an anon_vma into the child (copy_pte_range).
void Engine::ForkPte(Mm& parent, Mm& child, const Vma& vma, uint32_t vpn, OpContext& ctx) {
  Pte pte = parent.ptes[vpn];
  switch (pte.kind) {
    case PteKind::kNone:
      return;
    case PteKind::kZero:
      pte.bits &= ~kPteYoung;
      break;
    case PteKind::kSwap:
      TouchSlot(pte.ref);
      pte.bits &= ~kPteExclusive;
      SetPte(parent, vpn, pte);
      break;
    case PteKind::kMigration:
      if (pte.has(kPteWrite | kPteExclusive) && !vma.shared()) {
        pte.bits &= ~(kPteWrite | kPteExclusive);
        SetPte(parent, vpn, pte);
      }
      break;
    case PteKind::kPresent: {
      Page& page = PageOf(pte.ref, pte.offset);
      if (F(pte.ref).is(kFolioAnon)) {
        if (parent.has_pinned && page.anon_exclusive && MaybePinned(pte.ref)) {
          // The pin must keep seeing the parent's page, so the child gets its own copy now.
          const FolioId copy = NewFolio(0, LocalNode(ctx), ZoneKind::kMovable);
          F(copy).Set(kFolioAnon | kFolioSwapBacked);
          PageOf(copy, 0) = Page{PageOf(pte.ref, pte.offset).content, true};
          uint8_t bits = kPteDirty | kPteYoung | (pte.bits & kPteProtNone);
          if (vma.writable()) bits |= kPteWrite;
          SetPte(child, vpn, Pte{PteKind::kPresent, bits, 0, copy});
          FolioAddLru(copy, ctx);
          return;
        }
        page.anon_exclusive = false;
      }
      pte.bits &= ~kPteWrite;
      SetPte(parent, vpn, pte);
      pte.bits &= ~kPteYoung;
      SetPte(child, vpn, pte);
      NoteSharers(pte.ref);
      return;
    }
  }
  SetPte(child, vpn, pte);
}

OpResult Engine::protect(const args::protect& a, OpContext& ctx) {
  TakeNoMerges(ctx);
  Mm* mm = FindMm(a.mm);
  if (mm == nullptr) return OpResult{.err = ESRCH};
  OpResult r;
  if (a.npages == 0) return r;
  if (mm->open_zaps != 0) return OpResult{.err = EAGAIN};
  const uint32_t end = a.vpn + a.npages;
  uint32_t rights = 0;
  if ((a.prot & (kProtRead | kProtWrite)) != 0) rights |= kVmRead;
  if ((a.prot & kProtWrite) != 0) rights |= kVmWrite;
  gather_ = Gather{.mm = mm->slot, .pages = std::move(gather_.pages)};
  uint32_t at = a.vpn;
  while (at < end && r.err == 0) {
    Vma* vma = FindVma(*mm, at);
    if (vma == nullptr) {
      r.err = ENOMEM;
      break;
    }
    const uint32_t stop = std::min(end, vma->end);
    const uint32_t old_flags = vma->flags;
    uint32_t new_flags = (old_flags & ~(kVmRead | kVmWrite)) | rights;
    if (new_flags != old_flags) {
      if ((new_flags & kVmWrite) != 0) {
        if (!vma->shared()) new_flags |= kVmAccount;
      } else if (vma->file == kNoFile && vma->anon_vma == kNoAnonVma) {
        new_flags &= ~kVmAccount;
      }
      r.err = ModifyVma(*mm, at, stop, new_flags);
      if (r.err != 0) break;
      ChangeProtection(*mm, *FindVma(*mm, at), at, stop, &gather_, ctx);
      if (((old_flags | new_flags) & kVmLocked) != 0 && (old_flags & (kVmWrite | kVmShared)) == 0 &&
          (new_flags & kVmWrite) != 0) {
        PopulateVma(*mm, *FindVma(*mm, at), at, stop, ctx);
      }
    }
    r.value += stop - at;
    at = stop;
  }
  FlushGather(&gather_, ctx);
  return Done(r, ctx);
}

// modify_prot_start_ptes: n PTEs from vpn on, all before `end`, take on what any of them is of
// young and dirty.
void Engine::MergeForProtect(Mm& mm, uint32_t vpn, uint32_t end, uint32_t n, OpContext& ctx) {
  const Pte head = mm.ptes[vpn];
  bool batch = head.present() && F(head.ref).large() && n <= end - vpn;
  uint8_t merged = 0;
  for (uint32_t i = 0; batch && i < n; ++i) {
    const Pte& pte = mm.ptes[vpn + i];
    batch = pte.present() && pte.ref == head.ref && pte.offset == head.offset + i &&
            ((pte.bits ^ head.bits) & (kPteWrite | kPteProtNone)) == 0;
    merged |= pte.bits & (kPteYoung | kPteDirty);
  }
  if (!batch) {
    ctx.choices->Refuse(ChoiceKind::kProtectBatch, "the entries are not of one batch");
    return;
  }
  for (uint32_t i = 0; i < n; ++i) {
    Pte pte = mm.ptes[vpn + i];
    pte.bits |= merged;
    SetPte(mm, vpn + i, pte);
  }
}

// change_protection over [start, end) of one VMA that has its new flags already.
void Engine::ChangeProtection(Mm& mm, const Vma& vma, uint32_t start, uint32_t end, Gather* g,
                              OpContext& ctx) {
  FlushPending(mm, start, end);
  for (uint32_t vpn = start; vpn < end; ++vpn) {
    if (const Choice* c = ctx.choices->TakeAt(ChoiceKind::kProtectBatch, vpn)) {
      MergeForProtect(mm, vpn, std::min(end, (vpn | (world_.table - 1)) + 1), c->c, ctx);
    }
    Pte pte = mm.ptes[vpn];
    if (pte.kind == PteKind::kMigration && pte.has(kPteWrite) && !vma.writable()) {
      pte.bits &= ~kPteWrite;
      if (F(pte.ref).is(kFolioAnon)) pte.bits |= kPteExclusive;
      SetPte(mm, vpn, pte);
    }
    if (pte.kind != PteKind::kPresent && pte.kind != PteKind::kZero) continue;
    bool writable = false;
    if (pte.present() && vma.writable()) {
      const Folio& folio = F(pte.ref);
      if (!vma.shared()) {
        writable = folio.is(kFolioAnon) && PageOf(pte.ref, pte.offset).anon_exclusive;
      } else {
        writable = FileOf(vma.file)->shmem() || pte.has(kPteDirty);
      }
    }
    const bool accessible = (vma.flags & (kVmRead | kVmWrite)) != 0;
    const uint8_t bits =
        static_cast<uint8_t>((pte.bits & ~(kPteWrite | kPteProtNone)) | (writable ? kPteWrite : 0) |
                             (accessible ? 0 : kPteProtNone));
    // As x86: also where write permission is gained, but not where the entry was protnone before.
    const bool flushed = !pte.has(kPteProtNone) && (pte.has(kPteWrite) != writable || !accessible);
    if (flushed) {
      if (g->low == g->high) g->low = vpn;
      g->high = vpn + 1;
    }
    if (bits != pte.bits) {
      pte.bits = bits;
      SetPte(mm, vpn, pte);
    }
  }
}

}  // namespace mmdiff::reference
