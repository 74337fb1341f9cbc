/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#define _GNU_SOURCE
#include "layout.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "init.h"
#include "kcore.h"

struct layout layout;

static uint32_t flag(const char *name)
{
	long bit = kernel_enumerator("pageflags", name);

	if (bit < 0)
		mmdiff_give_up(0, "this kernel has no page flag %s", name);
	return bit;
}

/* What a page that was only read is mapped to; its name is not the same in all versions. */
static uint64_t zero_pfn(void)
{
	volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (page == MAP_FAILED || *page || fd < 0 ||
	    pread(fd, &entry, sizeof(entry), (uintptr_t)page / 4096 * 8) != sizeof(entry) || !(entry >> 63))
		mmdiff_give_up(errno, "cannot find the zero page");
	close(fd);
	munmap((void *)page, 4096);
	return entry & ((1ull << 55) - 1);
}

static uint32_t page_head(void)
{
	const long offset = kernel_offset_if_any("page", "compound_head");

	return offset < 0 ? kernel_offset("page", "compound_info") : (uint32_t)offset;	/* since 7.1 */
}

void layout_learn(void)
{
	layout = (struct layout){
		.direct_map = kcore_word(kernel_symbol("page_offset_base")),
		.vmemmap = kcore_word(kernel_symbol("vmemmap_base")),
		.init_task = kernel_symbol("init_task"),
		.zero_pfn = zero_pfn(),
		.task_tasks = kernel_offset("task_struct", "tasks"),
		.task_pid = kernel_offset("task_struct", "pid"),
		.task_mm = kernel_offset("task_struct", "mm"),
		.mm_pgd = kernel_offset("mm_struct", "pgd"),
		.mm_map_count = kernel_offset("mm_struct", "map_count"),
		.mm_total_vm = kernel_offset("mm_struct", "total_vm"),
		.mm_locked_vm = kernel_offset("mm_struct", "locked_vm"),
		.page_bytes = 64,
		.page_flags = kernel_offset("page", "flags"),
		.page_head = page_head(),
		.page_mapping = kernel_offset("folio", "mapping"),
		.page_mapcount = kernel_offset("page", "_mapcount"),
		.page_refcount = kernel_offset("page", "_refcount"),
		.folio_large_mapcount = kernel_offset("folio", "_large_mapcount"),
		.folio_pincount = kernel_offset("folio", "_pincount"),
		.folio_mlock_count = kernel_offset("folio", "mlock_count"),
		.folio_order = kernel_offset("folio", "_flags_1"),
		.head = flag("PG_head"),
		.locked = flag("PG_locked"),
		.referenced = flag("PG_referenced"),
		.dirty = flag("PG_dirty"),
		.lru = flag("PG_lru"),
		.active = flag("PG_active"),
		.unevictable = flag("PG_unevictable"),
		.mlocked = flag("PG_mlocked"),
		.swapbacked = flag("PG_swapbacked"),
		.swapcache = flag("PG_swapcache"),
		.anon_exclusive = flag("PG_anon_exclusive"),
		.partially_mapped = flag("PG_partially_mapped"),
		/* CONFIG_NODES_SHIFT is 10; five zones take three bits. */
		.node_shift = 54,
		.zone_shift = 51,
		.zone_movable = kernel_enumerator("zone_type", "ZONE_MOVABLE"),
	};
	if (!layout.direct_map || !layout.vmemmap)
		mmdiff_give_up(0, "this kernel's memory cannot be read through /proc/kcore");
}
