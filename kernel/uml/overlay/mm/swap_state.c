// SPDX-License-Identifier: GPL-2.0
/* The tree's file. That it drains the LRU batches at a gather that frees its pages, as kernels before 6.18 do, is noted. */
#include <linux/mm.h>
#include <linux/swap.h>
#include "internal.h"
#include "../mmdiff/windows.h"
#define lru_add_drain() mmdiff_drain_at_free()
#define workingset_refault mmdiff_refault	/* what comes of it is noted */
#include "swap_state.tree.c"

void mmdiff_no_readahead(void)
{
	page_cluster = 0;
}
