// SPDX-License-Identifier: GPL-2.0
/*
 * The tree's file, with the flushes of a whole mm replaced: they drop every translation, as on hardware,
 * not only those inside VMAs. Kernel mappings are brought up to date as in the tree.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <asm/tlbflush.h>
#define flush_tlb_all tree_flush_tlb_all
#define flush_tlb_mm tree_flush_tlb_mm
void tree_flush_tlb_all(void);
void tree_flush_tlb_mm(struct mm_struct *mm);
#include "tlb.tree.c"
#undef flush_tlb_all
#undef flush_tlb_mm

void flush_tlb_mm(struct mm_struct *mm)
{
	mmdiff_tlb_flush(mm, 0, ULONG_MAX);
}

void flush_tlb_all(void)
{
	um_tlb_sync(&init_mm);
}

void mmdiff_kernel_mapping_changed(unsigned long start, unsigned long end)
{
	struct mm_context *context = &init_mm.context;

	if (!context->sync_tlb_range_to || start < context->sync_tlb_range_from)
		context->sync_tlb_range_from = start;
	if (end > context->sync_tlb_range_to)
		context->sync_tlb_range_to = end;
}
