/* SPDX-License-Identifier: GPL-2.0 */
/* Entries that are not present, under the names that Linux has for them since 6.19. */
#ifndef MMDIFF_LEAF_H
#define MMDIFF_LEAF_H

#include <linux/swapops.h>
#include "windows.h"

#if MMDIFF_BEFORE(6, 19)
#define softleaf_from_pte(pte)			pte_to_swp_entry(pte)
#define softleaf_is_migration(entry)		is_migration_entry(entry)
#define softleaf_to_page(entry)			pfn_swap_entry_to_page(entry)
#define softleaf_is_migration_write(entry)	is_writable_migration_entry(entry)
#define softleaf_is_migration_read_exclusive(entry) is_readable_exclusive_migration_entry(entry)
#define softleaf_is_migration_young(entry)	is_migration_entry_young(entry)
#define softleaf_is_migration_dirty(entry)	is_migration_entry_dirty(entry)
#define softleaf_is_swap(entry)			(!non_swap_entry(entry))
#else
#include <linux/leafops.h>
#endif

#endif
