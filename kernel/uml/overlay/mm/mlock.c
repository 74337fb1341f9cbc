// SPDX-License-Identifier: GPL-2.0
/*
 * The tree's file, with the world's batch size (see mm/swap.c) and a door to the mlock batch. The executor
 * looks at the VMAs before mlock() populates them.
 */
#include "../mmdiff/windows.h"
#include <linux/capability.h>
#include <linux/mman.h>
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/pagemap.h>
#if MMDIFF_BEFORE(7, 1)
#include <linux/pagevec.h>
#else
#include <linux/folio_batch.h>
#endif
#include <linux/pagewalk.h>
#include <linux/mempolicy.h>
#include <linux/syscalls.h>
#include <linux/sched.h>
#include <linux/export.h>
#include <linux/rmap.h>
#include <linux/mmzone.h>
#include <linux/hugetlb.h>
#include <linux/memcontrol.h>
#include <linux/mm_inline.h>
#include <linux/secretmem.h>
#include "internal.h"

#define folio_batch_add mmdiff_folio_batch_add
#define __mm_populate(...) (mmdiff_vmas_changed(), __mm_populate(__VA_ARGS__))
#include "mlock.tree.c"
#undef folio_batch_add

struct folio_batch *mmdiff_mlock_batch(void)
{
	return this_cpu_ptr(&mlock_fbatch.fbatch);
}
