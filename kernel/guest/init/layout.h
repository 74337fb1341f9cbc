/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Layout: where this kernel keeps what look.c wants to see. Constant once it is learned, at boot.
 */
#ifndef MMDIFF_KERNEL_GUEST_INIT_LAYOUT_H_
#define MMDIFF_KERNEL_GUEST_INIT_LAYOUT_H_

#include <stdint.h>

struct layout {
	uint64_t direct_map, vmemmap, init_task, zero_pfn;
	/* In bytes, in the structure of the first part of the name. */
	uint32_t task_tasks, task_pid, task_mm;
	uint32_t mm_pgd, mm_map_count, mm_total_vm, mm_locked_vm;
	uint32_t page_bytes, page_flags, page_head, page_mapping, page_mapcount, page_refcount;
	uint32_t folio_large_mapcount, folio_pincount, folio_mlock_count, folio_order;
	/* Bits of a page's flags. */
	uint32_t head, locked, referenced, dirty, lru, active, unevictable, mlocked, swapbacked, swapcache,
		anon_exclusive, partially_mapped;
	uint32_t node_shift, zone_shift, zone_movable;
};

extern struct layout layout;

void layout_learn(void);

#endif
