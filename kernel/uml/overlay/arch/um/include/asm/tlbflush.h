/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Our own arch/um/include/asm/tlbflush.h: the tree's, and x86's batching of the flushes of unmaps. A
 * flush is put off when the mm has run on a CPU other than the current one.
 */
#ifndef __MMDIFF_TLBFLUSH_H
#define __MMDIFF_TLBFLUSH_H
#include <linux/version.h>
#include <asm/tlbbatch.h>
#include <asm/tlbflush.tree.h>

/* As x86: a change of write permission either way is flushed, and rights that are lost. */
#define pte_needs_flush pte_needs_flush
static inline bool pte_needs_flush(pte_t old, pte_t new)
{
	if (!(pte_val(old) & _PAGE_PRESENT))
		return false;
	return pte_pfn(old) != pte_pfn(new) || ((pte_val(old) ^ pte_val(new)) & _PAGE_RW) ||
	       (pte_val(old) & ~pte_val(new) & (_PAGE_PRESENT | _PAGE_DIRTY));
}

bool mmdiff_tlb_should_defer(struct mm_struct *mm);
void mmdiff_tlb_add_pending(struct mm_struct *mm);
void mmdiff_tlb_flush_pending(void);

static inline bool arch_tlbbatch_should_defer(struct mm_struct *mm)
{
	return mmdiff_tlb_should_defer(mm);
}
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
static inline void arch_tlbbatch_add_pending(struct arch_tlbflush_unmap_batch *batch,
					     struct mm_struct *mm, unsigned long addr)
#else
static inline void arch_tlbbatch_add_pending(struct arch_tlbflush_unmap_batch *batch,
					     struct mm_struct *mm, unsigned long start,
					     unsigned long end)
#endif
{
	mmdiff_tlb_add_pending(mm);
}
static inline void arch_flush_tlb_batched_pending(struct mm_struct *mm)
{
	flush_tlb_mm(mm);
}
static inline void arch_tlbbatch_flush(struct arch_tlbflush_unmap_batch *batch)
{
	mmdiff_tlb_flush_pending();
}
#endif
