// SPDX-License-Identifier: GPL-2.0
/* The tree's file. The order in which a split maps the pieces again is noted. */
#include <linux/mm.h>
#include <linux/rmap.h>
#include "../mmdiff/windows.h"
#define remove_migration_ptes(folio, ...) do {		\
	mmdiff_remap_begin(folio);			\
	remove_migration_ptes(folio, __VA_ARGS__);	\
	mmdiff_remap_end();				\
} while (0)
#undef pr_fmt
#include "huge_memory.tree.c"
