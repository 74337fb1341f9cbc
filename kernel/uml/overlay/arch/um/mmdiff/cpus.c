// SPDX-License-Identifier: GPL-2.0
/*
 * Emulated: the CPUs of a program, on the one that User Mode Linux has. What the kernel keeps for each CPU
 * and a program can see are the folio batches (mm/swap.c, mm/mlock.c) and the CPU's node; the batches of
 * the operation's CPU are put in place before it runs.
 */
#include <linux/topology.h>
#include "executor.h"
#include "internal.h"

static struct folio_batch parked[MMDIFF_CPUS][MMDIFF_BATCH_KINDS];

u32 cpu;
int mmdiff_node;	/* numa_node_id(), see asm/topology.h */

static struct folio_batch *batch_in_place(enum mmdiff_batch_kind kind)
{
	return kind == MMDIFF_BATCH_MLOCK ? mmdiff_mlock_batch() : mmdiff_lru_batch(kind);
}

struct folio_batch *batch_of(u32 on_cpu, enum mmdiff_batch_kind kind)
{
	return on_cpu == cpu ? batch_in_place(kind) : &parked[on_cpu][kind];
}

void set_cpu(u32 to)
{
	int kind;

	if (to == cpu)
		return;
	for (kind = 0; kind < MMDIFF_BATCH_KINDS; kind++) {
		struct folio_batch *here = batch_in_place(kind);

		if (here->nr || parked[to][kind].nr) {
			parked[cpu][kind] = *here;
			*here = parked[to][kind];
		}
		parked[to][kind].nr = 0;
	}
	cpu = to;
	mmdiff_node = to % wire->world.nodes;
}

/* lru_add_drain_all(): this CPU first, then the others. */
void mmdiff_drain_all(void)
{
	u32 here = cpu, other;

	lru_add_drain();
	for (other = 0; other < wire->world.cpus; other++) {
		if (other == here)
			continue;
		set_cpu(other);
		lru_add_drain();
	}
	set_cpu(here);
}

void cpus_reset(void)
{
	set_cpu(0);
	memset(parked, 0, sizeof(parked));
}
