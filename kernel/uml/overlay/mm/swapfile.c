// SPDX-License-Identifier: GPL-2.0
/* The tree's file, and a door to the CPU's place in the swap area, so that each program starts alike. */
#include "swapfile.tree.c"
#include "../mmdiff/windows.h"

void mmdiff_swap_forget_place(void)
{
	struct swap_info_struct *si = swap_info[0];

	if (!si)
		return;
#if MMDIFF_BEFORE(6, 16)
	{
		struct percpu_cluster *cluster = this_cpu_ptr(si->percpu_cluster);
		int order;

		for (order = 0; order < SWAP_NR_ORDERS; order++)
			cluster->next[order] = SWAP_NEXT_INVALID;
	}
#else
	flush_percpu_swap_cluster(si);
#endif
}
