/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * What makes a kernel do the same each time: everything that works on its own is turned off, and
 * what has a choice is told which. Measured in turn: each line is something that was seen to differ
 * between runs, or that would with programs that live longer.
 */
#include "init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *file, *value;
} settings[] = {
	/* Migrates pages to where they are used. */
	{ "/proc/sys/kernel/numa_balancing", "0" },
	/* Compaction, page writeback and statistics in the background. */
	{ "/proc/sys/vm/compaction_proactiveness", "0" },
	{ "/proc/sys/vm/dirty_writeback_centisecs", "0" },
	{ "/proc/sys/vm/dirty_expire_centisecs", "360000" },
	{ "/proc/sys/vm/laptop_mode", "0" },
	{ "/proc/sys/vm/stat_interval", "100000" },
	/* kdamond clears accessed bits. */
	{ "/sys/module/damon_stat/parameters/enabled", "N" },
	/* Watchdogs, which a virtual machine that gets no time sets off. */
	{ "/proc/sys/kernel/watchdog", "0" },
	{ "/proc/sys/kernel/hung_task_timeout_secs", "0" },
	/* khugepaged. The host's program has no order 9; the module chooses among the others. */
	{ "/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "4294967295" },
	{ "/sys/kernel/mm/transparent_hugepage/khugepaged/alloc_sleep_millisecs", "4294967295" },
	{ "/sys/kernel/mm/transparent_hugepage/defrag", "madvise" },
	{ "/sys/kernel/mm/transparent_hugepage/enabled", "madvise" },
	/* Reclaim is that of the two lists, which is what the reference knows. */
	{ "/sys/kernel/mm/lru_gen/enabled", "n" },
	{ "/proc/sys/vm/swappiness", "100" },
	/* Swaps in what was asked for, and no more. */
	{ "/proc/sys/vm/page-cluster", "0" },
	{ "/sys/kernel/mm/ksm/run", "0" },
	/* Mappings are never refused for want of memory. */
	{ "/proc/sys/vm/overcommit_memory", "1" },
	{ "/proc/sys/kernel/randomize_va_space", "0" },
};

/* A setting that this kernel does not have needs no turning off. */
void mmdiff_set(const char *file, const char *value)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		mmdiff_give_up(errno, "cannot write %s to %s", value, file);
	close(fd);
}

/* Large folios of each order: never, until somebody asks. */
static void no_large_folios(void)
{
	static const char hugepages[] = "/sys/kernel/mm/transparent_hugepage";
	DIR *dir = opendir(hugepages);
	struct dirent *entry;
	char file[400];

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "hugepages-", 10))
			continue;
		snprintf(file, sizeof(file), "%s/%s/enabled", hugepages, entry->d_name);
		mmdiff_set(file, "never");
	}
	closedir(dir);
}

void mmdiff_settle(void)
{
	for (unsigned i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		mmdiff_set(settings[i].file, settings[i].value);
	no_large_folios();
}
