// SPDX-License-Identifier: GPL-2.0
/* The tree's file, and a door to its lists of clusters, so that each program starts alike. */
#include "swapfile.tree.c"
#include "../mmdiff/windows.h"

/*
 * The lists as swapon() leaves them, but in the order of the device. Where a slot lies decides whether its
 * neighbours can be read back as one folio.
 */
void mmdiff_swap_forget_place(void)
{
	struct swap_info_struct *si = swap_info[0];
	unsigned long i;
	int order;

	if (!si)
		return;
#if MMDIFF_BEFORE(6, 15)
	/* Slots that CPUs hold ready. */
	disable_swap_slots_cache_lock();
	reenable_swap_slots_cache_unlock();
#endif
#if MMDIFF_BEFORE(6, 16)
	for (order = 0; order < SWAP_NR_ORDERS; order++)
		this_cpu_ptr(si->percpu_cluster)->next[order] = SWAP_NEXT_INVALID;
#else
	flush_percpu_swap_cluster(si);
#endif
	spin_lock(&si->lock);
	INIT_LIST_HEAD(&si->free_clusters);
	INIT_LIST_HEAD(&si->full_clusters);
	for (order = 0; order < SWAP_NR_ORDERS; order++) {
		INIT_LIST_HEAD(&si->nonfull_clusters[order]);
		INIT_LIST_HEAD(&si->frag_clusters[order]);
#if MMDIFF_BEFORE(6, 13)
		si->frag_cluster_nr[order] = 0;
#endif
	}
	for (i = 0; i < DIV_ROUND_UP(si->max, SWAPFILE_CLUSTER); i++) {
		struct swap_cluster_info *ci = &si->cluster_info[i];

		/* Those that hold the header or the end of the device are never free. */
		ci->flags = ci->count ? CLUSTER_FLAG_NONFULL : CLUSTER_FLAG_FREE;
		ci->order = 0;
		list_add_tail(&ci->list, ci->count ? &si->nonfull_clusters[0] : &si->free_clusters);
	}
	spin_unlock(&si->lock);
}
