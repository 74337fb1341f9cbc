// SPDX-License-Identifier: GPL-2.0
/*
 * The tree's file, with a door to the fault-around window. One call is replaced: a fault that meets a
 * migration entry would sleep until the program ends the migration, which it never can; it is told to
 * the executor, and the fault returns as if it had been woken. So for a locked folio of the swap cache.
 */
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/rmap.h>
#include "../mmdiff/windows.h"
#define migration_entry_wait(mm, pmd, addr) mmdiff_would_wait()
#include <linux/pagemap.h>
#define folio_lock_or_retry(folio, vmf)						\
	(folio_trylock(folio) ? 0 : (mmdiff_would_wait(), VM_FAULT_RETRY))
#if MMDIFF_BEFORE(6, 16)
#include <asm/tlb.h>
/* MADV_DONTNEED drains the LRU batches and finishes a gather for each VMA; both are noted. */
#define lru_add_drain() mmdiff_drain_at_dontneed()
#define tlb_finish_mmu(tlb) do {						\
	if ((tlb)->end)								\
		mmdiff_gather_finished((tlb)->mm, (tlb)->end);			\
	(tlb_finish_mmu)(tlb);							\
} while (0)
#endif
#include <asm/tlb.h>
#define workingset_refault mmdiff_refault	/* what comes of it is noted */
/* zap_pte_range() */
#define tlb_flush_mmu(tlb) do {							\
	mmdiff_zap_flush(mm, addr, force_break);				\
	(tlb_flush_mmu)(tlb);							\
} while (0)
/* do_swap_page(), set_pte_range() */
#define folio_add_anon_rmap_ptes(folio, page, nr, vma, at, flags)		\
	(mmdiff_swap_in_maps(folio, nr, vma, at, (flags) & RMAP_EXCLUSIVE),	\
	 folio_add_anon_rmap_ptes(folio, page, nr, vma, at, flags))
#undef folio_add_file_rmap_pte
#define folio_add_file_rmap_pte(folio, page, vma) (folio_add_file_rmap_ptes)(folio, page, 1, vma)
#define folio_add_file_rmap_ptes(folio, page, nr, vma)				\
	(mmdiff_file_maps(vmf, folio, nr, addr, entry, !write), folio_add_file_rmap_ptes(folio, page, nr, vma))
#if !MMDIFF_BEFORE(7, 2)
#include "swap.h"
#define swapin_sync(...) mmdiff_swapped_in(swapin_sync(__VA_ARGS__))
#endif
#if !MMDIFF_BEFORE(7, 3)
/* do_swap_page(): until 7.2 it drains the batches here. */
#include <linux/ksm.h>
#define ksm_might_need_to_copy(folio, vma, addr)				\
	(mmdiff_undrained(vmf, folio), ksm_might_need_to_copy(folio, vma, addr))
#endif
#include "memory.tree.c"
#undef migration_entry_wait

void mmdiff_set_fault_around(unsigned int pages)
{
	fault_around_pages = pages;
}

void mmdiff_zap_range(struct mmu_gather *tlb, struct vm_area_struct *vma, unsigned long start,
		      unsigned long end)
{
#if MMDIFF_BEFORE(6, 16)
	lru_add_drain();
#endif
#if MMDIFF_BEFORE(7, 1)
	unmap_page_range(tlb, vma, start, end, NULL);
#else
	zap_vma_range_batched(tlb, vma, start, end - start, NULL);
#endif
}
