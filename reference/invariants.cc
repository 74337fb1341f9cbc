// What must hold in the reference's own state, whoever put it there.
#include <string>

#include "reference/engine.h"

namespace mmdiff::reference {
namespace {

std::string At(const Mm& mm, uint32_t vpn) {
  return "m" + std::to_string(mm.id) + " page " + std::to_string(vpn);
}
std::string Named(FolioId f) { return "folio " + std::to_string(f); }

}  // namespace

std::string Engine::CheckPtes() {
  std::string broken;
  ForEachPte([&](Mm& mm, Vma& vma, uint32_t vpn, Pte& pte) {
    if (!broken.empty()) return;
    if (pte.kind == PteKind::kSwap) {
      if (pte.has(kPteExclusive) && slot_maps_[pte.ref] != 1) {
        broken = "exclusive swap entry: " + At(mm, vpn) + " is not the only entry of slot " +
                 std::to_string(pte.ref);
      }
      return;
    }
    if (pte.kind == PteKind::kZero) return;
    const Folio& folio = F(pte.ref);
    if (!folio.allocated) {
      broken = "freed folio mapped: " + At(mm, vpn) + " maps " + Named(pte.ref);
      return;
    }
    if (vpn < folio.low || vpn >= folio.high) {
      broken =
          "sweeps see all entries: " + At(mm, vpn) + " lies outside the range of " + Named(pte.ref);
      return;
    }
    if (!pte.present()) return;
    const Page& page = PageOf(pte.ref, pte.offset);
    if (folio.is(kFolioAnon) && pte.has(kPteWrite) && !page.anon_exclusive) {
      broken = "writable anonymous is exclusive: " + At(mm, vpn) + " may be written but " +
               Named(pte.ref) + " page " + std::to_string(pte.offset) + " is not anon-exclusive";
    } else if (folio.is(kFolioAnon) && page.anon_exclusive &&
               page_maps_[folio.first_page + pte.offset] != 1) {
      broken = "anon-exclusive is mapped once: " + Named(pte.ref) + " page " +
               std::to_string(pte.offset) + " is mapped " +
               std::to_string(page_maps_[folio.first_page + pte.offset]) + " times";
    } else if (pte.has(kPteWrite) && !vma.writable()) {
      broken = "write needs a writable VMA: " + At(mm, vpn);
    } else if (!folio.is(kFolioAnon) && !vma.shared() && pte.has(kPteWrite)) {
      broken = "private file page is write-protected: " + At(mm, vpn);
    }
  });
  return broken;
}

std::string Engine::CheckFolios() {
  for (FolioId f : allocated_) {
    const Folio& folio = F(f);
    if (counts_[f].refcount == 0)
      return "refcount: " + Named(f) + " is allocated but nobody holds it";
    if (folio.is(kFolioActive) && folio.is(kFolioUnevictable)) {
      return "active and unevictable exclude each other: " + Named(f);
    }
    if (folio.is(kFolioLru) != (folio.lru != LruList::kNone)) {
      return "the LRU flag says whether a list holds the folio: " + Named(f);
    }
    if (folio.is(kFolioSwapCache) != (folio.slot != kNoSlot)) {
      return "the swap cache flag says whether the folio has slots: " + Named(f);
    }
  }
  return "";
}

// A page is never freed while a CPU can still reach it.
std::string Engine::CheckTlbs() {
  std::string broken;
  for (const Mm* mm : live_) {
    for (uint32_t cpu = 0; cpu < world_.cpus; ++cpu) {
      ForEachBit(mm->tlb_used[cpu], 0, world_.arena(), [&](uint32_t vpn) {
        const TlbEntry& e = mm->tlbs[cpu][vpn];
        if (e.folio == kNoFolio || F(e.folio).allocated || !broken.empty()) return;
        broken = "no TLB entry of a freed page: cpu" + std::to_string(cpu) + " " + At(*mm, vpn) +
                 " still reaches " + Named(e.folio);
      });
    }
  }
  return broken;
}

std::string Engine::CheckInvariants() {
  CountEverything();
  std::string broken = CheckPtes();
  if (broken.empty()) broken = CheckFolios();
  if (broken.empty()) broken = CheckTlbs();
  return broken;
}

}  // namespace mmdiff::reference
