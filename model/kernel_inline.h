// The few lines that nearly every operation runs for each page, inline. Part of kernel.h; include
// that.
//
// Only look-ups, marks for the digest and single stores live here; whatever decides something does
// not.
#ifndef MMDIFF_MODEL_KERNEL_INLINE_H_
#define MMDIFF_MODEL_KERNEL_INLINE_H_

#ifndef MMDIFF_MODEL_KERNEL_H_
#error "include model/kernel.h"
#endif

MMDIFF_MODEL_BEGIN

inline void touch_folio(Task& t, Folio& folio) { Touch(t.k.touched.folios, &folio, folio.tracked); }
inline void touch_page(Task& t, Page& page) { Touch(t.k.touched.pages, &page, page.tracked); }
inline void touch_vma(Task& t, Vma& vma) { Touch(t.k.touched.vmas, &vma, vma.tracked); }
inline void touch_mm(Task& t, Mm& mm) { Touch(t.k.touched.mms, &mm, mm.tracked); }

inline Page* pfn_to_page(const Kernel& k, uint32_t pfn) {
  return &k.mem_map[pfn / kChunkPages]->pages[pfn % kChunkPages];
}
inline Folio* pfn_folio(const Kernel& k, uint32_t pfn) { return pfn_to_page(k, pfn)->folio; }

inline PageTable* pmd_lookup(const Mm& mm, uint32_t vpn) {
  return mm.pgd[vpn >> mm.table_shift].get();
}

inline Pte ptep_get(const Mm& mm, uint32_t vpn) {
  const PageTable* table = pmd_lookup(mm, vpn);
  return table == nullptr ? Pte{} : table->at(vpn - table->base);
}

inline void set_pte(Task& t, PageTable& table, uint32_t vpn, Pte pte) {
  const uint32_t i = vpn - table.base;
  const uint64_t old = table.entries[i].get();
  if (old == pte.v) return;
  if (old == 0) table.used.add(1);
  if (pte.v == 0) table.used.sub(1);
  table.entries[i].set(pte.v);
  if constexpr (!kThreaded) {
    table.touched_slots[i / 64] |= 1ull << (i % 64);
    Touch(t.k.touched.tables, &table, table.tracked);
  }
}

inline void folio_set(Task& t, Folio& folio, uint32_t flags) {
  folio.flags.set(flags);
  touch_folio(t, folio);
}
inline void folio_mark_dirty(Task& t, Folio& folio) {
  folio.flags.set(kFolioDirty);
  if (folio.test(kFolioReclaim)) folio.flags.clear(kFolioReclaim);
  touch_folio(t, folio);
}
inline void folio_clear(Task& t, Folio& folio, uint32_t flags) {
  folio.flags.clear(flags);
  touch_folio(t, folio);
}
inline bool folio_test_set(Task& t, Folio& folio, uint32_t flag) {
  touch_folio(t, folio);
  return folio.flags.test_and_set(flag);
}
inline bool folio_test_clear(Task& t, Folio& folio, uint32_t flag) {
  touch_folio(t, folio);
  return folio.flags.test_and_clear(flag);
}
inline bool folio_trylock(Task& t, Folio& folio) { return !folio_test_set(t, folio, kFolioLocked); }

inline void set_anon_exclusive(Task& t, Page& page, bool on) {
  if (page.anon_exclusive == on) return;
  page.anon_exclusive = on;
  touch_page(t, page);
}
inline void set_content(Task& t, Page& page, uint64_t content) {
  page.content.set(content);
  touch_page(t, page);
}

inline MmCounter mm_counter(const Folio& folio) {
  if (folio.anon()) return MmCounter::kAnon;
  return folio.swapbacked() ? MmCounter::kShmem : MmCounter::kFile;
}
inline void add_mm_counter(Task& t, Mm& mm, MmCounter counter, int32_t pages) {
  mm.rss[static_cast<size_t>(counter)].add(pages);
  touch_mm(t, mm);
}

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_KERNEL_INLINE_H_
