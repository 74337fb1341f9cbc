// SPDX-License-Identifier: GPL-2.0
/* The tree's file as it is built for several CPUs: rmap removals are delayed to the TLB flush. */
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/kernel.h>
#include <linux/mmdebug.h>
#include <linux/mm_types.h>
#include <linux/mm_inline.h>
#include <linux/pagemap.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/swap.h>
#include <linux/rmap.h>
#include <linux/kmsan-checks.h>
#include <asm/tlb.h>
#include "../mmdiff/windows.h"
void tree_tlb_gather_mmu(struct mmu_gather *tlb, struct mm_struct *mm);
/* So are the gathers. */
#define tlb_gather_mmu tree_tlb_gather_mmu
/* Each flush that is followed by the freeing of pages is told. */
#define tlb_flush_mmu_tlbonly(tlb) do {		\
	mmdiff_gather_flush();			\
	(tlb_flush_mmu_tlbonly)(tlb);		\
} while (0)
#ifdef CONFIG_SMP
#include "mmu_gather.tree.c"
#else
#define CONFIG_SMP 1
#include "mmu_gather.tree.c"
#undef CONFIG_SMP
#endif
#undef tlb_gather_mmu

void tlb_gather_mmu(struct mmu_gather *tlb, struct mm_struct *mm)
{
	mmdiff_gathers++;
	tree_tlb_gather_mmu(tlb, mm);
}
