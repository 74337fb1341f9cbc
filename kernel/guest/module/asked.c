// SPDX-License-Identifier: GPL-2.0
/*
 * What madvise was told of a large folio's sharers (MaybeShared). No call shows that it asked; but what it
 * asks about follows from the page table, and in which order, as it goes through the range once: each run of
 * entries that is not all of its folio. So the answers are told whenever a call shows how far it has come, and
 * at the end.
 */
#include "guest.h"

static u32 begin, cursor, end;	/* of the range; what is behind the cursor has been looked at */
static u32 run;			/* entries of the folio that is about to be split */

static bool asks(u8 code)
{
	return code == OP_cold || code == OP_pageout || code == OP_free;
}

void asked_begin(const struct mmdiff_wire_op *op)
{
	u32 arena = wire->world.table * wire->world.tables;

	cursor = end = 0;
	if (!asks(op->code) || op->arg[1] >= arena)
		return;
	begin = cursor = op->arg[1];
	end = cursor + min(op->arg[2], arena - cursor);
}

static bool refuses(struct vm_area_struct *vma, u8 code)
{
	return vma->vm_flags & VM_LOCKED || (code == OP_free && !vma_is_anonymous(vma));
}

static bool tells_shared(struct folio *folio)
{
#if MMDIFF_BEFORE(6, 15)
	return folio_likely_mapped_shared(folio);
#else
	return folio_maybe_mapped_shared(folio);
#endif
}

/* The entries from vpn on that map consecutive pages of the folio, up to `stop`. */
static u32 run_of(struct mm_struct *mm, u32 vpn, u32 stop, struct page *page)
{
	struct folio *folio = page_folio(page);
	u32 left = folio_nr_pages(folio) - folio_page_idx(folio, page), n = 1;

	while (n < left && vpn + n < stop && mmu_page(mm, vpn + n) == page + n)
		n++;
	return n;
}

/* Tells what was asked before `limit`, and about `last`, with which it ends. */
static void tell_until(u32 limit, struct folio *last)
{
	struct mm_struct *mm = current->mm;

	limit = min(limit, end);
	while (cursor < limit) {
		struct vm_area_struct *vma = vma_lookup(mm, addr_of(cursor));
		struct page *page;
		struct folio *folio;
		u32 stop, n;

		if (!vma) {
			cursor++;
			continue;
		}
		if (refuses(vma, wire->ops[op_index].code)) {
			end = cursor;
			return;
		}
		page = mmu_page(mm, cursor);
		if (!page || !folio_test_large(page_folio(page))) {
			cursor++;
			continue;
		}
		folio = page_folio(page);
		stop = min3(end, vpn_of(vma->vm_end), (u32)round_up(cursor + 1, PTRS_PER_PTE));
		n = run_of(mm, cursor, stop, page);
		if (n < folio_nr_pages(folio))
			choose(CHOICE_MaybeShared, tells_shared(folio), cursor, MMDIFF_BEFORE(6, 15));
		if (folio == last) {
			/* If it comes to that its pieces are looked at next. */
			run = n;
			return;
		}
		cursor += n;
	}
}

/* madvise splits the folio, after it has asked. */
void asked_until_split(struct folio *folio)
{
	run = 0;
	tell_until(end, folio);
}

void asked_not_split(void)
{
	cursor += run;
}

/* madvise has gone through what a VMA has of a page table, and reclaims what it has found there. */
void asked_until_reclaim(struct list_head *folios)
{
	struct folio *folio = list_first_entry(folios, struct folio, lru);
	struct vm_area_struct *vma;
	u32 vpn;

	if (list_empty(folios))
		return;
	for (vpn = begin; vpn < end; vpn++) {
		struct page *page = mmu_page(current->mm, vpn);

		if (page && page_folio(page) == folio)
			break;
	}
	vma = vma_lookup(current->mm, addr_of(vpn));
	if (vma)
		tell_until(min(vpn_of(vma->vm_end), (u32)round_up(vpn + 1, PTRS_PER_PTE)), NULL);
}

void asked_end(void)
{
	tell_until(end, NULL);
	cursor = end = 0;
}
