/* SPDX-License-Identifier: GPL-2.0 */
/* Of a swap device's table (Linux 7.1 and later) as much as tells whether a slot is free. */
#ifndef MMDIFF_SWAP_TABLE_H
#define MMDIFF_SWAP_TABLE_H

#include <linux/swap.h>
#include <linux/swapops.h>

#define MMDIFF_CLUSTER_SLOTS 512u

struct mmdiff_swap_cluster {
	spinlock_t lock;
	u16 count;
	u8 flags, order;
	atomic_long_t *table;
	unsigned int *extend_table;
#ifdef CONFIG_MEMCG
	void *memcg_table;
#endif
	struct list_head list;
};

extern struct swap_info_struct *swap_info[];

static inline struct mmdiff_swap_cluster *__swap_entry_to_cluster(swp_entry_t entry)
{
	return (struct mmdiff_swap_cluster *)swap_info[swp_type(entry)]->cluster_info +
	       swp_offset(entry) / MMDIFF_CLUSTER_SLOTS;
}
#define swp_cluster_offset(entry) (swp_offset(entry) % MMDIFF_CLUSTER_SLOTS)

static inline unsigned long swap_table_get(struct mmdiff_swap_cluster *cluster, unsigned int at)
{
	atomic_long_t *table = READ_ONCE(cluster->table);

	return table ? atomic_long_read(&table[at]) : 0;
}
#define swp_tb_is_null(entry) ((entry) == 0)

#endif
