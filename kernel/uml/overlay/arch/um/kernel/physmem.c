// SPDX-License-Identifier: GPL-2.0
/*
 * Two memory nodes: the tree's file, with setup_physmem() wrapped. Node 0 has the lower half of the
 * memory and the CPU, node 1 the upper half.
 */
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/numa.h>
#include <linux/version.h>
#include <as-layout.h>
#include <kern.h>
#include <init.h>
#include <mem_user.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define PHYSMEM_PARAMS unsigned long start, unsigned long reserve_end, unsigned long len, \
		       unsigned long long highmem
#define PHYSMEM_ARGS start, reserve_end, len, highmem
#else
#define PHYSMEM_PARAMS unsigned long start, unsigned long reserve_end, unsigned long len
#define PHYSMEM_ARGS start, reserve_end, len
#endif
static void tree_setup_physmem(PHYSMEM_PARAMS);
#if defined(CONFIG_SPARSEMEM) && LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
static unsigned long max_mapnr __maybe_unused;	/* of FLATMEM only; the tree's file sets it */
#endif
#define setup_physmem tree_setup_physmem
#include "physmem.tree.c"
#undef setup_physmem

void mmdiff_make_movable_zones(void);

void __init setup_physmem(PHYSMEM_PARAMS)
{
	tree_setup_physmem(PHYSMEM_ARGS);
	mmdiff_make_movable_zones();
#ifdef CONFIG_NUMA
	{
		unsigned long split = round_down(len / 2, 128UL << 20);
		int nid;

		memblock_set_node(0, split, &memblock.memory, 0);
		memblock_set_node(split, ULONG_MAX - split, &memblock.memory, 1);
		nodes_clear(node_possible_map);
		for (nid = 0; nid < 2; nid++) {
			node_set(nid, node_possible_map);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
			alloc_node_data(nid);
#endif
			node_set_online(nid);
		}
		node_set_state(0, N_CPU);
	}
#endif
}
