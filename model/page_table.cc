#include "model/page_table.h"

#include "model/kernel.h"

MMDIFF_MODEL_BEGIN

PageTable* pte_alloc(Task& t, Mm& mm, uint32_t vpn) {
  const uint32_t index = vpn >> mm.table_shift;
  if (PageTable* table = mm.pgd[index].get(); table != nullptr) return table;
  PageTable* table = t.k.page_tables.Alloc();
  const uint32_t size = 1u << mm.table_shift;
  if (table->capacity < size) {
    table->entries = std::make_unique<sync::Counter<uint64_t>[]>(size);
    table->hashes = std::make_unique<uint64_t[]>(size);
    table->capacity = size;
  }
  table->mm = &mm;
  table->base = index << mm.table_shift;
  table->used.set(0);
  if (!mm.pgd[index].compare_exchange(nullptr, table)) {  // another fault was quicker
    table->mm = nullptr;
    t.k.page_tables.Free(table);
  }
  return mm.pgd[index].get();
}

void set_ptes(Task& t, PageTable& table, uint32_t vpn, Pte first, uint32_t nr) {
  for (uint32_t i = 0; i < nr; ++i) {
    set_pte(t, table, vpn + i, Pte{first.v + (static_cast<uint64_t>(i) << 32)});
  }
}

void clear_ptes(Task& t, PageTable& table, uint32_t vpn, uint32_t nr) {
  for (uint32_t i = 0; i < nr; ++i) set_pte(t, table, vpn + i, Pte{});
}

void free_pgtables(Task& t, Mm& mm, uint32_t floor, uint32_t ceiling) {
  const uint32_t size = 1u << mm.table_shift;
  for (uint32_t index = (floor + size - 1) >> mm.table_shift; index < ceiling >> mm.table_shift;
       ++index) {
    PageTable* table = mm.pgd[index].get();
    if (table == nullptr) continue;
    MMDIFF_BUG_ON(table->used.get() != 0, "page table freed while it has entries");
    mm.pgd[index].set(nullptr);
    table->mm = nullptr;
    t.k.page_tables.Free(table);
  }
}

uint32_t folio_pte_batch(Task& t, const PageTable& table, uint32_t vpn, Pte* pte,
                         const Folio& folio, uint32_t max_nr, uint32_t flags) {
  const uint32_t left = folio.pfn + folio.nr_pages() - pte->pfn();
  if (max_nr > left) max_nr = left;
  uint32_t ignored = kPteYoung;
  if ((flags & kFpbRespectWrite) == 0) ignored |= kPteWrite;
  if ((flags & kFpbRespectDirty) == 0) ignored |= kPteDirty;
  const uint64_t wanted = pte->Without(ignored).v;
  const uint32_t first = vpn - table.base;
  uint64_t seen = pte->v;
  uint32_t nr = 1;
  for (; nr < max_nr; ++nr) {
    const Pte next = table.at(first + nr);
    if (next.Without(ignored).v != wanted + (static_cast<uint64_t>(nr) << 32)) break;
    seen |= next.v;
  }
  uint32_t merged = 0;
  if ((flags & kFpbMergeWrite) != 0) merged |= kPteWrite;
  if ((flags & kFpbMergeYoungDirty) != 0) merged |= kPteYoung | kPteDirty;
  pte->v |= seen & static_cast<uint64_t>(merged) << 8;
  t.k.cost.pte_batches.add(1);
  return nr;
}

uint32_t swap_pte_batch(const PageTable& table, uint32_t vpn, Pte first, uint32_t max_nr) {
  uint32_t nr = 1;
  while (nr < max_nr &&
         table.at(vpn - table.base + nr).v == first.v + (static_cast<uint64_t>(nr) << 32))
    ++nr;
  return nr;
}

MMDIFF_MODEL_END
