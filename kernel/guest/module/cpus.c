// SPDX-License-Identifier: GPL-2.0
/* The guest's CPUs are the program's. */
#include <linux/cpumask.h>
#include <linux/local_lock.h>
#include <linux/vmstat.h>
#include "guest.h"

u32 cpu;

/* mm/swap.c keeps its batches in one variable for each CPU, mm/mlock.c its own in another. */
struct batches {
	local_lock_t lock;
	struct folio_batch lru_add, lru_deactivate_file, lru_deactivate, lru_lazyfree, lru_activate;
};
struct mlock_batch {
	local_lock_t lock;
	struct folio_batch fbatch;
};
DECLARE_PER_CPU(struct batches, cpu_fbatches);
DECLARE_PER_CPU(struct mlock_batch, mlock_fbatch);

struct folio_batch *batch_of(u32 on_cpu, enum mmdiff_batch_kind kind)
{
	struct batches *b = per_cpu_ptr(&cpu_fbatches, on_cpu);

	switch (kind) {
	case MMDIFF_BATCH_LRU_ADD:
		return &b->lru_add;
	case MMDIFF_BATCH_ACTIVATE:
		return &b->lru_activate;
	case MMDIFF_BATCH_DEACTIVATE:
		return &b->lru_deactivate;
	case MMDIFF_BATCH_LAZYFREE:
		return &b->lru_lazyfree;
	case MMDIFF_BATCH_MLOCK:
	case MMDIFF_BATCH_KINDS:
		break;
	}
	return &per_cpu_ptr(&mlock_fbatch, on_cpu)->fbatch;
}

void move_to_cpu(u32 to)
{
	if (smp_processor_id() != to)
		set_cpus_allowed_ptr(current, cpumask_of(to));
}

/* The director goes too: what it does for an operation is done on the operation's CPU. */
void set_cpu(u32 to)
{
	cpu = to;
	move_to_cpu(to);
}

void cpus_reset(void)
{
	set_cpu(0);
}

/* --- counters -------------------------------------------------------------------------------------- */

long machine_rss(struct mm_struct *mm, int member)
{
	return percpu_counter_sum(&mm->rss_stat[member]);
}

/*
 * What a CPU has not added yet counts too. It adds it to the node or zone, and only later to the sums of all, so
 * those are not looked at; and a sum counts if it is the same twice, for a CPU may be adding just now.
 */
static unsigned long settled(long (*sum)(int item), int item)
{
	long n = sum(item), again;

	while ((again = sum(item)) != n)
		n = again;
	return n;
}

static long sum_of_nodes(int item)
{
	long n = 0;
	int nid, c;

	for_each_online_node(nid) {
		n += atomic_long_read(&NODE_DATA(nid)->vm_stat[item]);
		smp_rmb();
		for_each_online_cpu(c)
			n += READ_ONCE(per_cpu_ptr(NODE_DATA(nid)->per_cpu_nodestats, c)->vm_node_stat_diff[item]);
	}
	return n;
}

static long sum_of_zones(int item)
{
	struct zone *zone;
	int nid, c;
	long n = 0;

	for_each_online_node(nid) {
		for (zone = NODE_DATA(nid)->node_zones; zone < NODE_DATA(nid)->node_zones + MAX_NR_ZONES; zone++) {
			if (!populated_zone(zone))
				continue;
			n += atomic_long_read(&zone->vm_stat[item]);
			smp_rmb();
			for_each_online_cpu(c)
				n += READ_ONCE(per_cpu_ptr(zone->per_cpu_zonestats, c)->vm_stat_diff[item]);
		}
	}
	return n;
}

unsigned long machine_node_stat(enum node_stat_item item)
{
	return settled(sum_of_nodes, item);
}

unsigned long machine_zone_stat(enum zone_stat_item item)
{
	return settled(sum_of_zones, item);
}
