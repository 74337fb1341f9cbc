// The invariants that need no second implementation: every kept count against what the page tables,
// holders and lists say, and the assertions of the kernel's VM_BUG_ONs that hold between
// operations.
#include <cstdarg>
#include <cstdio>

#include "model/kernel.h"

MMDIFF_MODEL_BEGIN

class InvariantChecker {
 public:
  explicit InvariantChecker(Kernel& k) : k_(k), folios_(k.folio_sums_), slots_(k.slot_sums_) {}

  std::string Run() {
    folios_.assign(k_.next_folio_id.get(), Kernel::FolioSums{});
    slots_.assign(k_.swap_high, 0);
    for (Mm* mm : k_.mm_by_handle) {
      if (mm != nullptr) CheckMm(*mm);
    }
    AddHolders();
    CheckLists();
    CheckFolios();
    CheckSwap();
    CheckFreePages();
    CheckMachine();
    return text_;
  }

 private:
  // Keeps the first broken invariant.
  __attribute__((format(printf, 2, 3))) void Broken(const char* format, ...) {
    if (!text_.empty()) return;
    char line[256];
    va_list args;
    va_start(args, format);
    std::vsnprintf(line, sizeof line, format, args);
    va_end(args);
    text_ = line;
  }

  void CheckMm(Mm& mm) {
    uint32_t total = 0, locked = 0, last = 0;
    int32_t rss[4] = {0, 0, 0, 0};
    for (const Vma* vma : mm.vmas) {
      if (vma->mm != &mm || vma->start < last || vma->start >= vma->end) {
        Broken("vma: m%u has VMAs out of order at 0x%x", mm.id, vma->start);
      }
      last = vma->end;
      total += vma->pages();
      if (vma->has(kVmLocked)) locked += vma->pages();
      CheckAnonVma(*vma);
    }
    if (total != mm.total_vm)
      Broken("total_vm: m%u has %u pages, its VMAs add up to %u", mm.id, mm.total_vm, total);
    if (locked != mm.locked_vm) {
      Broken("locked_vm: m%u has %u pages, its VMAs add up to %u", mm.id, mm.locked_vm, locked);
    }
    for (uint32_t i = 0; i < mm.tables; ++i) {
      if (const PageTable* table = mm.pgd[i].get(); table != nullptr) CheckTable(mm, *table, rss);
      if (const TlbTable* tlb = mm.tlb[i]; tlb != nullptr) CheckTlb(mm, *tlb);
    }
    static constexpr const char* kNames[4] = {"rss_anon", "rss_file", "rss_shmem", "rss_swap"};
    for (int i = 0; i < 4; ++i) {
      if (rss[i] != mm.rss[i].get()) {
        Broken("%s: m%u counts %d, its page tables hold %d", kNames[i], mm.id, mm.rss[i].get(),
               rss[i]);
      }
    }
  }

  void CheckAnonVma(const Vma& vma) {
    const AnonVma* own = vma.anon_vma;
    if (own == nullptr) {
      if (!vma.anon_vma_chain.empty())
        Broken("anon_vma: VMA at 0x%x is chained but has none", vma.start);
      return;
    }
    bool found = false;
    for (const AnonVmaChain* avc : vma.anon_vma_chain) {
      found |= avc->anon_vma == own;
      if (avc->vma != &vma || avc->anon_vma->root != own->root) {
        Broken("anon_vma: VMA at 0x%x of m%u has a foreign chain", vma.start, vma.mm->id);
      }
    }
    if (!found || own->num_active_vmas == 0) {
      Broken("anon_vma: VMA at 0x%x of m%u is not chained to its own", vma.start, vma.mm->id);
    }
  }

  void CheckTable(const Mm& mm, const PageTable& table, int32_t* rss) {
    uint32_t used = 0;
    for (uint32_t i = 0; i < k_.world.table; ++i) {
      const Pte pte = table.at(i);
      if (pte.none()) continue;
      ++used;
      CheckPte(mm, table.base + i, pte, rss);
    }
    if (used != table.used.get())
      Broken("page table: m%u counts %u entries at 0x%x, there are %u", mm.id, table.used.get(),
             table.base, used);
  }

  void CheckPte(const Mm& mm, uint32_t vpn, Pte pte, int32_t* rss) {
    const Vma* vma = vma_lookup(mm, vpn);
    if (vma == nullptr) {
      Broken("page table: m%u has an entry at 0x%x outside all VMAs", mm.id, vpn);
      return;
    }
    if (pte.swap()) {
      ++rss[static_cast<int>(MmCounter::kSwap)];
      if (pte.slot() >= slots_.size()) {
        Broken("swap: entry of m%u at 0x%x has slot %u, never used", mm.id, vpn, pte.slot());
      } else {
        ++slots_[pte.slot()];
      }
      return;
    }
    if (pte.zero()) {
      if (pte.write()) Broken("zero page: m%u maps it writable at 0x%x", mm.id, vpn);
      return;
    }
    const Page& page = *pfn_to_page(k_, pte.pfn());
    if (page.folio == nullptr) {
      Broken("page table: m%u maps a free page at 0x%x", mm.id, vpn);
      return;
    }
    const Folio& folio = *page.folio;
    ++rss[static_cast<int>(mm_counter(folio))];
    if (!pte.present()) return;
    ++folios_[folio.id].maps;
    ++folios_[folio.id].refs;
    if (!folio.anon()) {
      if (pte.write() && !vma->has(kVmShared)) {
        Broken("file page: m%u maps folio %u writable at 0x%x in a private VMA", mm.id, folio.id,
               vpn);
      }
      return;
    }
    if (pte.write() && !page.anon_exclusive) {
      Broken(
          "writable is exclusive: m%u writes to folio %u page %u at 0x%x, which is not "
          "AnonExclusive",
          mm.id, folio.id, folio_page_idx(folio, page), vpn);
    }
    if (folio.index + folio_page_idx(folio, page) != vma->pgoff_of(vpn)) {
      Broken("rmap: m%u maps folio %u at 0x%x away from its linear index", mm.id, folio.id, vpn);
    }
  }

  void CheckTlb(const Mm& mm, const TlbTable& tlb) {
    uint32_t valid = 0;
    for (uint32_t i = 0; i < k_.world.cpus << mm.table_shift; ++i) {
      if ((tlb.valid[i / 64] >> (i % 64) & 1) == 0) continue;
      ++valid;
      const TlbEntry& e = tlb.entries[i];
      if (e.folio == kNoFolio) continue;
      const Folio* folio = pfn_folio(k_, e.pfn);
      const uint32_t vpn = tlb.base + (i & (k_.world.table - 1));
      if (folio == nullptr || folio->id != e.folio) {
        Broken("TLB: cpu %u reaches freed folio %u of m%u at 0x%x", i >> mm.table_shift, e.folio,
               mm.id, vpn);
      }
    }
    if (valid != tlb.nr_valid)
      Broken("TLB: m%u counts %u entries at 0x%x, there are %u", mm.id, tlb.nr_valid, tlb.base,
             valid);
  }

  void Hold(const Folio* folio, uint32_t refs, uint32_t pins = 0) {
    if (folio == nullptr) return;
    if (!folio->allocated) {
      Broken("refcount: freed folio %u is still held", folio->id);
      return;
    }
    folios_[folio->id].refs += refs;
    folios_[folio->id].pins += pins;
  }

  void Isolated(const Folio& folio) {
    (folio.swapbacked() ? isolated_anon_ : isolated_file_) +=
        static_cast<int32_t>(folio.nr_pages());
  }

  void AddHolders() {
    for (const CpuBatches& cpu : k_.batches) {
      for (const FolioBatch& batch : cpu.batch) {
        for (uint32_t i = 0; i < batch.nr; ++i) Hold(batch.folios[i], 1);
      }
    }
    k_.isos.ForEachBound([&](Folio*& folio) {
      Hold(folio, 1);
      Isolated(*folio);
    });
    k_.migs.ForEachBound([&](Migration& m) {
      Hold(m.src, 1);
      Hold(m.dst, 1);
      Isolated(*m.src);
      locked_ += 2;
      if (!m.src->locked() || !m.dst->locked())
        Broken("migration: folio %u or its target is not locked", m.src->id);
    });
    k_.zaps.ForEachBound([&](MmuGather& tlb) {
      ++open_zaps_;
      for (const MmuGather::Slot& slot : tlb.slots) Hold(slot.page->folio, slot.nr);
    });
    k_.pins.ForEachBound([&](PinnedPages& pins) {
      for (const Page* page : pins.pages) {
        if (page == nullptr) continue;
        const bool pin = (pins.flags & kGupGet) == 0;
        const bool bias = pin && page->folio != nullptr && !page->folio->large();
        Hold(page->folio, bias ? kGupPinBias : 1, pin ? 1 : 0);
      }
    });
  }

  void CheckLists() {
    int32_t pages[6] = {};
    for (const Lruvec& lruvec : k_.lruvecs) {
      for (int list = 1; list < 6; ++list) {
        const Folio* head = lruvec.head[list];
        const Folio* folio = head;
        while (folio != nullptr) {
          if (!folio->allocated || !folio->test(kFolioLru) ||
              folio->lru != static_cast<LruList>(list)) {
            Broken("LRU: folio %u stands on a list that it does not name", folio->id);
            return;
          }
          pages[list] += static_cast<int32_t>(folio->nr_pages());
          folio = folio->lru_next == head ? nullptr : folio->lru_next;
        }
      }
    }
    for (int list = 1; list < 6; ++list) {
      if (pages[list] != k_.stat.nr_lru[list].get()) {
        Broken("LRU: list %d has %d pages, the statistics say %d", list, pages[list],
               k_.stat.nr_lru[list].get());
      }
    }
  }

  void CheckFolios() {
    int32_t anon = 0, file = 0, allocated = 0, mlocked = 0;
    uint32_t locked = 0;
    k_.folios.ForEach([&](const Folio& folio) {
      if (!folio.allocated) return;
      const auto pages = static_cast<int32_t>(folio.nr_pages());
      allocated += pages;
      if (folio.test(kFolioMlocked)) mlocked += pages;
      locked += folio.locked();
      const int32_t mapped = CheckFolio(folio);
      (folio.anon() ? anon : file) += mapped;
    });
    const auto check = [&](const char* name, const sync::Counter<int32_t>& kept, int32_t seen) {
      if (kept.get() != seen) Broken("%s: counted %d pages, there are %d", name, kept.get(), seen);
    };
    check("nr_anon_mapped", k_.stat.nr_anon_mapped, anon);
    check("nr_file_mapped", k_.stat.nr_file_mapped, file);
    check("nr_allocated", k_.stat.nr_allocated, allocated);
    check("nr_mlock", k_.stat.nr_mlock, mlocked);
    check("nr_isolated_anon", k_.stat.nr_isolated_anon, isolated_anon_);
    check("nr_isolated_file", k_.stat.nr_isolated_file, isolated_file_);
    if (locked != locked_)
      Broken("folio lock: %u folios are locked, migrations hold %u", locked, locked_);
  }

  // Checks one folio; the number of its pages that are mapped.
  int32_t CheckFolio(const Folio& folio) {
    Kernel::FolioSums& sums = folios_[folio.id];
    if (folio.swapcache()) sums.refs += folio.nr_pages();
    if (folio.file != nullptr) sums.refs += folio.nr_pages();
    if (folio.ref_count() != sums.refs) {
      Broken("refcount: folio %u has %u references, its holders add up to %u", folio.id,
             folio.ref_count(), sums.refs);
    }
    if (static_cast<uint32_t>(folio.mapcount()) != sums.maps) {
      Broken("mapcount: folio %u counts %d mappings, page tables hold %u", folio.id,
             folio.mapcount(), sums.maps);
    }
    if (folio.large() && static_cast<uint32_t>(folio.pincount.get()) != sums.pins) {
      Broken("pincount: folio %u counts %d pins, there are %u", folio.id, folio.pincount.get(),
             sums.pins);
    }
    int32_t mapped = 0;
    int32_t total = 0;
    for (uint32_t i = 0; i < folio.nr_pages(); ++i) {
      const Page& page = folio.page[i];
      const int32_t count = page.mapcount.get();
      mapped += count > 0;
      total += count;
      if (page.folio != &folio) Broken("folio %u does not own its page %u", folio.id, i);
      if (folio.anon() && page.anon_exclusive && count > 1) {
        Broken("AnonExclusive: folio %u page %u has %d mappings", folio.id, i, count);
      }
    }
    if (total != folio.mapcount()) {
      Broken("mapcount: folio %u counts %d mappings, its pages %d", folio.id, folio.mapcount(),
             total);
    }
    if (folio.large()) CheckLarge(folio, mapped);
    if (folio.test(kFolioActive) && folio.test(kFolioUnevictable)) {
      Broken("LRU: folio %u is active and unevictable", folio.id);
    }
    if (folio.test(kFolioLru) != (folio.lru != LruList::kNone))
      Broken("LRU: folio %u and its flag disagree", folio.id);
    return mapped;
  }

  void CheckLarge(const Folio& folio, int32_t mapped) {
    if (folio.nr_pages_mapped.get() != mapped) {
      Broken("nr_pages_mapped: folio %u counts %d pages, %d are mapped", folio.id,
             folio.nr_pages_mapped.get(), mapped);
    }
    const MmIdSlots& s = folio.mm_ids;
    int32_t sum = 0;
    for (int i = 0; i < 2; ++i) {
      if ((s.mm[i] == nullptr) != (s.count[i] == 0))
        Broken("mm-id: slot %d of folio %u is inconsistent", i, folio.id);
      sum += s.count[i];
    }
    const int32_t total = folio.mapcount();
    if (sum > total)
      Broken("mm-id: owners of folio %u count %d mappings of %d", folio.id, sum, total);
    if (total == 0 && s.shared.get())
      Broken("mm-id: folio %u is not mapped but marked shared", folio.id);
    if (!s.shared.get() && s.count[0] != total && s.count[1] != total) {
      Broken("mm-id: folio %u has several owners but is not marked shared", folio.id);
    }
  }

  void CheckSwap() {
    for (uint32_t i = 0; i < k_.swap_high; ++i) {
      const SwapSlot& slot = k_.swap_map[i];
      if (slot.count != slots_[i]) {
        Broken("swap: slot %u counts %u entries, page tables hold %u", i, slot.count, slots_[i]);
      }
      const Folio* folio = slot.cached;
      if (folio == nullptr) continue;
      if (!folio->swapcache() || i < folio->swap_slot ||
          i >= folio->swap_slot + folio->nr_pages()) {
        Broken("swap cache: slot %u holds folio %u, which does not know it", i, folio->id);
      }
    }
  }

  // The free pages of a zone against the frames that no folio owns.
  void CheckFreePages() {
    for (const auto& node : k_.zones) {
      for (const Zone& zone : node) {
        for (const uint32_t number : zone.chunks) {
          const PageChunk& chunk = *k_.mem_map[number];
          uint32_t unowned = 0;
          for (uint32_t i = 0; i < kChunkPages; ++i) {
            const bool free = (chunk.free[i / 64] >> (i % 64) & 1) != 0;
            const bool owned = i < chunk.high && chunk.pages[i].folio != nullptr;
            unowned += !owned;
            if (free == owned) {
              Broken("free pages: page %u is %s", chunk.pages[i].pfn,
                     free ? "free but owned" : "lost");
            }
          }
          if (unowned != chunk.nr_free) {
            Broken("free pages: chunk %u counts %u, there are %u", number, chunk.nr_free, unowned);
          }
        }
      }
    }
  }

  // The deferred split queue, put-off flushes, processes and what operations nest.
  void CheckMachine() {
    uint32_t queued = 0, flagged = 0;
    for (const Folio* folio = k_.split_queue; folio != nullptr; folio = folio->split_next) {
      ++queued;
      if (!folio->allocated || !folio->test(kFolioDeferredSplit)) {
        Broken("split queue: folio %u is a stranger", folio->id);
      }
    }
    k_.folios.ForEach(
        [&](const Folio& f) { flagged += f.allocated && f.test(kFolioDeferredSplit); });
    if (queued != flagged)
      Broken("split queue: %u folios are queued, %u are marked", queued, flagged);
    uint32_t alive = 0, pending = 0, zaps = 0;
    for (const Mm* mm : k_.mm_by_handle) {
      if (mm == nullptr) continue;
      ++alive;
      pending += mm->tlb_flush_pending.get() != 0;
      zaps += mm->open_zaps.get();
      if (mm->users.get() != 1)
        Broken("process: m%u has %u users at rest", mm->id, mm->users.get());
    }
    if (alive != k_.nr_mms) Broken("process: %u are counted, %u live", k_.nr_mms, alive);
    if (pending != k_.ubc_mms.size()) {
      Broken("TLB: %zu processes wait for a flush, %u say so", k_.ubc_mms.size(), pending);
    }
    if (zaps != open_zaps_)
      Broken("zap: processes count %u open zaps, there are %u", zaps, open_zaps_);
    if (k_.lru_disable_count.get() != 0) Broken("LRU: batches are still disabled");
  }

  Kernel& k_;
  int32_t isolated_anon_ = 0, isolated_file_ = 0;
  uint32_t locked_ = 0;  // folios under migration
  uint32_t open_zaps_ = 0;
  std::vector<Kernel::FolioSums>& folios_;
  std::vector<uint32_t>& slots_;
  std::string text_;
};

std::string Kernel::CheckInvariants() { return InvariantChecker(*this).Run(); }

MMDIFF_MODEL_END
