// Faults on entries that are not present: zero page, new anonymous memory, files.
#include <algorithm>
#include <cerrno>

#include "reference/engine.h"

namespace mmdiff::reference {

// handle_mm_fault for an access that the VMA permits. 0: try the access again.
int Engine::Fault(Mm& mm, Vma& vma, uint32_t vpn, FaultKind kind, OpContext& ctx) {
  Pte pte = mm.ptes[vpn];
  switch (pte.kind) {
    case PteKind::kNone:
      return vma.file == kNoFile ? AnonFault(mm, vma, vpn, kind, ctx)
                                 : FileFault(mm, vma, vpn, kind, ctx);
    case PteKind::kSwap:
      return SwapFault(mm, vma, vpn, kind, ctx);
    case PteKind::kMigration:
      return EAGAIN;
    case PteKind::kZero:
    case PteKind::kPresent:
      break;
  }
  if (kind != FaultKind::kRead && !pte.has(kPteWrite)) return WpFault(mm, vma, vpn, kind, ctx);
  if (kind != FaultKind::kWrite) return 0;  // x86's ptep_set_access_flags sets bits for writes only
  pte.bits |= kPteYoung | kPteDirty;
  SetPte(mm, vpn, pte);
  return 0;
}

// The order of the folio for a write fault: as large as fits, unless the leader took less.
uint32_t Engine::FaultOrder(const Mm& mm, const Vma& vma, uint32_t vpn, OpContext& ctx) {
  const auto fits = [&](uint32_t order) {
    if ((world_.orders >> order & 1) == 0 || (order != 0 && (vma.flags & kVmNoHuge) != 0))
      return false;
    const uint32_t n = 1u << order;
    const uint32_t base = vpn & ~(n - 1);
    if (base < vma.start || base + n > vma.end) return false;
    return std::all_of(mm.ptes.begin() + base, mm.ptes.begin() + base + n,
                       [](const Pte& p) { return p.none(); });
  };
  uint32_t order = 31;
  while (order > 0 && !fits(order)) --order;
  const Choice* c = ctx.choices->TakeAt(ChoiceKind::kFaultOrder, vpn);
  if (c == nullptr) return order;
  const uint32_t chosen = c->a;
  if (chosen > order || !fits(chosen)) {
    ctx.choices->Refuse(ChoiceKind::kFaultOrder, "a folio of that order does not fit there");
    return order;
  }
  return chosen;
}

void Engine::AddNewAnon(const Vma& vma, FolioId f, OpContext& ctx) {
  if (vma.locked()) {
    MlockNewFolio(f, ctx);
  } else {
    FolioAddLru(f, ctx);
  }
}

int Engine::AnonFault(Mm& mm, Vma& vma, uint32_t vpn, FaultKind kind, OpContext& ctx) {
  if (kind != FaultKind::kWrite) {
    SetPte(mm, vpn, Pte{PteKind::kZero, kPteYoung, 0, 0});
    return 0;
  }
  PrepareAnonVma(mm, vma);
  const uint32_t order = FaultOrder(mm, vma, vpn, ctx);
  const FolioId f = NewFolio(order, LocalNode(ctx), fault_zone_);
  F(f).Set(kFolioAnon | kFolioSwapBacked);
  const uint32_t base = vpn & ~(F(f).pages() - 1);
  for (uint32_t i = 0; i < F(f).pages(); ++i) {
    PageOf(f, i).anon_exclusive = true;
    SetPte(mm, base + i,
           Pte{PteKind::kPresent, kPteWrite | kPteDirty | kPteYoung, static_cast<uint16_t>(i), f});
  }
  AddNewAnon(vma, f, ctx);
  return 0;
}

// The page-cache folio at `index`, read from the file if it is not cached.
FolioId Engine::FindOrCreate(File& file, uint32_t index, uint32_t vpn, OpContext& ctx) {
  if (file.cache[index] != kNoFolio) return file.cache[index];
  uint32_t order = file.order;
  const auto fits = [&](uint32_t o) {
    const uint32_t base = index & ~((1u << o) - 1);
    if ((world_.orders >> o & 1) == 0 || base + (1u << o) > file.npages) return false;
    return std::all_of(file.cache.begin() + base, file.cache.begin() + base + (1u << o),
                       [](FolioId f) { return f == kNoFolio; });
  };
  while (order > 0 && !fits(order)) --order;
  const FolioId f = NewFolio(order, LocalNode(ctx), fault_zone_);
  Folio& folio = F(f);
  folio.file = file.id;
  folio.index = index & ~(folio.pages() - 1);
  folio.Set(kFolioSwapBacked, file.shmem());
  for (uint32_t i = 0; i < folio.pages(); ++i) {
    file.cache[folio.index + i] = f;
    PageOf(f, i).content = file.shmem() ? 0 : FileValue(file.id, folio.index + i);
  }
  if (RefaultChosen(vpn, ctx)) folio.Set(kFolioActive);
  FolioAddLru(f, ctx);
  return f;
}

void Engine::MapFilePage(Mm& mm, Vma& vma, uint32_t vpn, FolioId f, uint32_t offset, uint8_t bits,
                         OpContext& ctx) {
  SetPte(mm, vpn, Pte{PteKind::kPresent, bits, static_cast<uint16_t>(offset), f});
  NoteSharers(f);
  if (vma.locked() && !F(f).large()) MlockFolio(f, ctx);
}

// A folio has been mapped as a whole, from `first` on, in a locked VMA.
void Engine::MlockWhole(FolioId f, uint32_t first, OpContext& ctx) {
  if (ctx.choices->TakeAt(ChoiceKind::kNoMlock, first) == nullptr) {
    MlockFolio(f, ctx);
  } else if (!F(f).large()) {
    ctx.choices->Refuse(ChoiceKind::kNoMlock, "the folio is small");
  }
}

// Whether filemap_map_pages finds a page table for [from, to) or makes one. It does so on its way
// to a huge mapping, which it does not try where the first folio that it finds holds the last page
// of the file, if that is not shmem: then it has nowhere to map into.
bool Engine::FaultAroundHasTable(const Mm& mm, const Vma& vma, uint32_t from, uint32_t to,
                                 const File& file) const {
  if (mm.tables[from / world_.table] != 0 || file.shmem()) return true;
  for (uint32_t at = from; at < to && vma.FileIndex(at) < file.npages; ++at) {
    const FolioId f = file.cache[vma.FileIndex(at)];
    if (AroundMaps(f)) return F(f).index + F(f).pages() < file.npages;
  }
  return true;
}

// Is the PTE of a read at vpn dirty, as the leader says for *left PTEs in all?
bool Engine::ReadIsDirty(FolioId f, uint32_t vpn, bool writable, uint32_t* left, OpContext& ctx) {
  if (*left == 0) {
    const Choice* c = ctx.choices->TakeAt(ChoiceKind::kReadDirty, vpn);
    if (c == nullptr) return false;
    *left = c->c;
  }
  --*left;
  if (!writable || !F(f).is(kFolioDirty)) {
    ctx.choices->Refuse(ChoiceKind::kReadDirty, "the folio is clean, or the entry read-only");
  }
  return true;
}

// Whether fault-around would map this folio of the page cache: a mark for readahead, which is the
// same as one for reclaim, is left for the fault proper to meet.
bool Engine::AroundMaps(FolioId f) const {
  return f != kNoFolio && !F(f).is(kFolioLocked | kFolioReclaim);
}

// Does the leader's fault-around map the folio, whose first page is at `first`, as a whole,
// whatever its window?
bool Engine::AroundWhole(const Vma& vma, uint32_t first, FolioId f, OpContext& ctx) {
  if (ctx.choices->TakeAt(ChoiceKind::kAroundWhole, first) == nullptr) return false;
  const File& file = *FileOf(vma.file);
  const uint32_t last = first + F(f).pages() - 1;
  const bool fits = F(f).large() && first >= vma.start && last < vma.end &&
                    first / world_.table == last / world_.table &&
                    (file.shmem() || F(f).index + F(f).pages() < file.npages);
  if (!fits) ctx.choices->Refuse(ChoiceKind::kAroundWhole, "the folio does not fit there");
  return fits;
}

// finish_fault: does the leader map the whole folio, of which vpn is to map a page?
bool Engine::MapsWhole(const Mm& mm, const Vma& vma, uint32_t vpn, FolioId f, OpContext& ctx) {
  const File& file = *FileOf(vma.file);
  const uint32_t first = vpn - (vma.FileIndex(vpn) - F(f).index), end = first + F(f).pages();
  if (ctx.choices->TakeAt(ChoiceKind::kMapWhole, first) == nullptr) return false;
  const uint32_t table = vpn & ~(world_.table - 1);
  bool fits = F(f).large() && first >= std::max(vma.start, table) && first <= vpn &&
              end <= std::min(vma.end, table + world_.table) &&
              (file.shmem() || F(f).index + F(f).pages() <= file.npages);
  for (uint32_t at = first; fits && at < end; ++at) fits = mm.ptes[at].none();
  if (!fits) ctx.choices->Refuse(ChoiceKind::kMapWhole, "the folio does not fit there");
  return fits;
}

// Maps what is cached around `vpn`; true if that mapped `vpn` itself.
bool Engine::FaultAround(Mm& mm, Vma& vma, uint32_t vpn, File& file, OpContext& ctx) {
  if (world_.faultaround < 2) return false;
  const uint32_t table = vpn & ~(world_.table - 1);
  const uint32_t from = std::max({vpn & ~(world_.faultaround - 1), vma.start, table});
  const uint32_t to = std::min({from + world_.faultaround, vma.end, table + world_.table});
  if (!FaultAroundHasTable(mm, vma, from, to, file)) return false;
  const uint8_t bits = kPteYoung | (vma.shared() && vma.writable() && file.shmem() ? kPteWrite : 0);
  for (uint32_t at = from; at < to && vma.FileIndex(at) < file.npages;) {
    const FolioId f = file.cache[vma.FileIndex(at)];
    if (!AroundMaps(f)) {
      ++at;
      continue;
    }
    const uint32_t first = at - (vma.FileIndex(at) - F(f).index), end = first + F(f).pages();
    const bool whole = AroundWhole(vma, first, f, ctx);
    const uint32_t low = whole ? first : at, high = whole ? end : std::min(to, end);
    uint32_t dirty_left = 0;
    uint32_t run = 0;  // pages mapped in a row: all of the folio at once count for mlock
    for (uint32_t page = low; page < high; ++page) {
      run = mm.ptes[page].none() ? run + 1 : 0;
      if (run == 0) continue;
      const uint8_t dirty =
          ReadIsDirty(f, page, (bits & kPteWrite) != 0, &dirty_left, ctx) ? kPteDirty : 0;
      MapFilePage(mm, vma, page, f, page - first, bits | dirty, ctx);
      if (vma.locked() && F(f).large() && run == F(f).pages()) MlockWhole(f, first, ctx);
    }
    at = high;
  }
  return !mm.ptes[vpn].none();
}

int Engine::FileFault(Mm& mm, Vma& vma, uint32_t vpn, FaultKind kind, OpContext& ctx) {
  File& file = *FileOf(vma.file);
  const uint32_t index = vma.FileIndex(vpn);
  const bool write = kind == FaultKind::kWrite;
  if (write && !vma.shared()) PrepareAnonVma(mm, vma);
  if (!write && FaultAround(mm, vma, vpn, file, ctx)) return 0;
  if (index >= file.npages) return EFAULT;
  const FolioId f = FindOrCreate(file, index, vpn, ctx);
  if (F(f).is(kFolioLocked)) return EAGAIN;
  const uint32_t offset = index - F(f).index;
  if (write && !vma.shared()) {
    const FolioId copy = NewFolio(0, LocalNode(ctx), fault_zone_);
    F(copy).Set(kFolioAnon | kFolioSwapBacked);
    PageOf(copy, 0) = Page{PageOf(f, offset).content, true};
    SetPte(mm, vpn, Pte{PteKind::kPresent, kPteWrite | kPteDirty | kPteYoung, 0, copy});
    AddNewAnon(vma, copy, ctx);
    return 0;
  }
  uint8_t bits = kPteYoung;
  if (write) {
    bits |= kPteWrite | kPteDirty;
    F(f).MarkDirty();
    TouchFolio(f);
  } else if (vma.shared() && vma.writable() && file.shmem()) {
    bits |= kPteWrite;
  }
  uint32_t first = vpn, n = 1, dirty_left = 0;
  if (MapsWhole(mm, vma, vpn, f, ctx)) {
    first = vpn - offset;
    n = F(f).pages();
  }
  for (uint32_t i = 0; i < n; ++i) {
    const uint8_t dirty =
        ReadIsDirty(f, first + i, !write && (bits & kPteWrite) != 0, &dirty_left, ctx) ? kPteDirty
                                                                                       : 0;
    MapFilePage(mm, vma, first + i, f, n == 1 ? offset : i, bits | dirty, ctx);
  }
  if (vma.locked() && n > 1) MlockWhole(f, first, ctx);
  return 0;
}

}  // namespace mmdiff::reference
