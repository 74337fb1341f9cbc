// SPDX-License-Identifier: GPL-2.0
/*
 * The entries that mprotect has treated as one (ProtectBatch, since Linux 6.17). No call shows them, but they
 * follow from the page table before it: consecutive pages of a large folio, in one VMA and table, that agree in
 * write permission. They are told where that made a difference.
 */
#include "guest.h"

static u8 before[MMDIFF_ARENA_PAGES];	/* PTE_BIT_* of the entries in the range */
static u32 begin, end;

static u8 bits_of(pte_t pte)
{
	return (pte_young(pte) ? PTE_BIT_YOUNG : 0) | (pte_dirty(pte) ? PTE_BIT_DIRTY : 0) |
	       (pte_write(pte) ? PTE_BIT_WRITE : 0);
}

void protected_begin(const struct mmdiff_wire_op *op)
{
	u32 arena = wire->world.table * wire->world.tables, vpn;
	struct process *p = process_of_op(op);

	begin = end = 0;
	if (MMDIFF_BEFORE(6, 17) || op->code != OP_protect || !p || op->arg[1] >= arena)
		return;
	begin = op->arg[1];
	end = begin + min(op->arg[2], arena - begin);
	for (vpn = begin; vpn < end; vpn++)
		before[vpn] = bits_of(mmu_pte(p->mm, vpn));
}

void protected_end(const struct mmdiff_wire_op *op)
{
	struct process *p = process_of_op(op);
	u32 vpn, n;

	for (vpn = begin; vpn < end; vpn += n) {
		struct page *page = mmu_page(p->mm, vpn);
		struct vm_area_struct *vma = vma_lookup(p->mm, addr_of(vpn));
		bool differ = false, merged = false;
		u32 stop;

		n = 1;
		if (!page || !vma || !folio_test_large(page_folio(page)))
			continue;
		stop = min3(end, vpn_of(vma->vm_end), (u32)round_up(vpn + 1, PTRS_PER_PTE));
		stop = min(stop, vpn + (u32)(folio_nr_pages(page_folio(page)) -
					     folio_page_idx(page_folio(page), page)));
		merged = bits_of(mmu_pte(p->mm, vpn)) & ~before[vpn] & (PTE_BIT_YOUNG | PTE_BIT_DIRTY);
		while (vpn + n < stop && mmu_page(p->mm, vpn + n) == page + n &&
		       !((before[vpn + n] ^ before[vpn]) & PTE_BIT_WRITE)) {
			differ |= before[vpn + n] != before[vpn];
			merged |= bits_of(mmu_pte(p->mm, vpn + n)) & ~before[vpn + n] &
				  (PTE_BIT_YOUNG | PTE_BIT_DIRTY);
			n++;
		}
		if (differ && merged)
			choose(CHOICE_ProtectBatch, 0, vpn, n);
	}
	begin = end = 0;
}
