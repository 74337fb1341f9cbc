// SPDX-License-Identifier: GPL-2.0
/*
 * Where the kernel looks for slots of the swap device next, and for each CPU: put back to what it was after
 * swapon(), so that each program starts alike. Where a slot lies decides whether its neighbours can be read
 * back as one folio.
 */
#include <linux/swap.h>
#include "guest.h"
#include "swap_table.h"

#if MMDIFF_BEFORE(6, 16)
typedef struct swap_cluster_info cluster;
#define FLAG_FREE CLUSTER_FLAG_FREE
#define FLAG_NONFULL CLUSTER_FLAG_NONFULL

void disable_swap_slots_cache_lock(void);
void reenable_swap_slots_cache_unlock(void);

/* Slots that CPUs hold ready, and the clusters that they take them from. */
static void forget_cpus(struct swap_info_struct *si)
{
	int c, order;

	disable_swap_slots_cache_lock();
	reenable_swap_slots_cache_unlock();
	for_each_possible_cpu(c)
		for (order = 0; order < SWAP_NR_ORDERS; order++)
			per_cpu_ptr(si->percpu_cluster, c)->next[order] = SWAP_NEXT_INVALID;
	for (order = 0; order < SWAP_NR_ORDERS; order++)
		si->frag_cluster_nr[order] = 0;
}
#else
typedef struct mmdiff_swap_cluster cluster;
/* enum swap_cluster_flags */
#define FLAG_FREE 1
#define FLAG_NONFULL 2

struct percpu_swap_place {
	struct swap_info_struct *si[SWAP_NR_ORDERS];
	unsigned long offset[SWAP_NR_ORDERS];
	local_lock_t lock;
};
DECLARE_PER_CPU(struct percpu_swap_place, percpu_swap_cluster);

static void forget_cpus(struct swap_info_struct *si)
{
	int c, order;

	for_each_possible_cpu(c)
		for (order = 0; order < SWAP_NR_ORDERS; order++)
			per_cpu_ptr(&percpu_swap_cluster, c)->si[order] = NULL;
}
#endif

void mmdiff_swap_forget_place(void)
{
	struct swap_info_struct *si = swap_info[0];
	unsigned long i;
	int order;

	if (!si)
		return;
	forget_cpus(si);
	spin_lock(&si->lock);
	INIT_LIST_HEAD(&si->free_clusters);
	INIT_LIST_HEAD(&si->full_clusters);
	for (order = 0; order < SWAP_NR_ORDERS; order++) {
		INIT_LIST_HEAD(&si->nonfull_clusters[order]);
		INIT_LIST_HEAD(&si->frag_clusters[order]);
	}
	for (i = 0; i < DIV_ROUND_UP(si->max, MMDIFF_CLUSTER_SLOTS); i++) {
		cluster *ci = (cluster *)si->cluster_info + i;

		/* Those that hold the header or the end of the device are never free. */
		ci->flags = ci->count ? FLAG_NONFULL : FLAG_FREE;
		ci->order = 0;
		list_add_tail(&ci->list, ci->count ? &si->nonfull_clusters[0] : &si->free_clusters);
	}
	spin_unlock(&si->lock);
}
