// SPDX-License-Identifier: GPL-2.0
/*
 * A user mm without a host process: the tree's file, with the two functions that make and end one
 * replaced. User pages are reached through the software MMU only, so nothing has to be mapped.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <asm/mmu_context.h>

#undef init_new_context
#undef destroy_context
#define init_new_context tree_init_new_context
#define destroy_context tree_destroy_context
int tree_init_new_context(struct task_struct *task, struct mm_struct *mm);
void tree_destroy_context(struct mm_struct *mm);
#include "mmu.tree.c"
#undef init_new_context
#undef destroy_context

int init_new_context(struct task_struct *task, struct mm_struct *mm)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
	mutex_init(&mm->context.turnstile);
	spin_lock_init(&mm->context.sync_tlb_lock);
	INIT_LIST_HEAD(&mm->context.list);
#endif
	mm->context.id.pid = -1;
	return 0;
}

void destroy_context(struct mm_struct *mm)
{
}
