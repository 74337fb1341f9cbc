// SPDX-License-Identifier: GPL-2.0
/*
 * The tree's file. The executor notes each mapping that a walk of the reverse map visits,
 * and that a lazyfree folio is kept for its references alone.
 */
#include <linux/mm.h>
#include <linux/rmap.h>
#include "internal.h"
#include "../mmdiff/windows.h"
#define page_vma_mapped_walk(pvmw) mmdiff_page_vma_mapped_walk(pvmw)
#if !MMDIFF_BEFORE(6, 15)
#define folio_pte_batch(...) mmdiff_visit_batch(folio_pte_batch(__VA_ARGS__))
#define folio_pte_batch_flags(...) mmdiff_visit_batch(folio_pte_batch_flags(__VA_ARGS__))
#endif
#define folio_set_swapbacked(folio) mmdiff_keep_lazyfree(folio)
#include "rmap.tree.c"
