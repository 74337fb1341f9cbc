// SPDX-License-Identifier: GPL-2.0
/*
 * The tree's file as it is built for several CPUs, and doors to the per-CPU folio batches.
 *
 * User Mode Linux has one CPU. A program's other CPUs are emulated: the executor keeps a set of batches
 * for each and puts that of the operation's CPU in place. Emulated too: lru_add_drain_all(), which goes
 * through the sets, and the size of a batch, which is the world's.
 */
#include "../mmdiff/windows.h"
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/kernel_stat.h>
#include <linux/swap.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#if MMDIFF_BEFORE(7, 1)
#include <linux/pagevec.h>
#else
#include <linux/folio_batch.h>
#endif
#include <linux/init.h>
#include <linux/export.h>
#include <linux/mm_inline.h>
#include <linux/percpu_counter.h>
#include <linux/memremap.h>
#include <linux/percpu.h>
#include <linux/cpu.h>
#include <linux/notifier.h>
#include <linux/backing-dev.h>
#include <linux/memcontrol.h>
#include <linux/gfp.h>
#include <linux/uio.h>
#include <linux/hugetlb.h>
#include <linux/page_idle.h>
#include <linux/local_lock.h>
#include <linux/buffer_head.h>
#include "internal.h"

#define folio_batch_add mmdiff_folio_batch_add
#define lru_add_drain_all tree_lru_add_drain_all
#define lru_cache_disable tree_lru_cache_disable
#define CONFIG_SMP 1
#if !MMDIFF_BEFORE(7, 3)
/* lru_cache_drain_for_folio() drains all from inside: the loop over the CPUs is the executor's. */
#undef for_each_online_cpu
#define for_each_online_cpu(cpu) for (mmdiff_drain_all(), (cpu) = 0; (cpu) < 0;)
#endif
void tree_lru_add_drain_all(void);
void tree_lru_cache_disable(void);
#ifndef MMDIFF_TREE_FILE
#define MMDIFF_TREE_FILE "swap.tree.c"
#endif
#include MMDIFF_TREE_FILE
#undef CONFIG_SMP
#undef lru_cache_disable
#undef lru_add_drain_all
#undef folio_batch_add

unsigned int mmdiff_batch_size = ARRAY_SIZE(((struct folio_batch *)NULL)->folios);

void lru_add_drain_all(void)
{
	mmdiff_drain_all();
}

/* As the tree's, without waiting for readers on other CPUs. */
void lru_cache_disable(void)
{
	atomic_inc(&lru_disable_count);
	mmdiff_drain_all();
}

struct folio_batch *mmdiff_lru_batch(enum mmdiff_batch_kind kind)
{
	switch (kind) {
	case MMDIFF_BATCH_LRU_ADD:
		return this_cpu_ptr(&cpu_fbatches.lru_add);
	case MMDIFF_BATCH_ACTIVATE:
		return this_cpu_ptr(&cpu_fbatches.lru_activate);
	case MMDIFF_BATCH_DEACTIVATE:
		return this_cpu_ptr(&cpu_fbatches.lru_deactivate);
	case MMDIFF_BATCH_LAZYFREE:
		return this_cpu_ptr(&cpu_fbatches.lru_lazyfree);
	default:
		return NULL;
	}
}
