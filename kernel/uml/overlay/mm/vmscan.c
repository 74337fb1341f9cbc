// SPDX-License-Identifier: GPL-2.0
/*
 * The tree's file, and a door to shrink_folio_list() as reclaim of an inactive list calls it: references
 * are counted, and what is kept goes back to its list. Calls that
 * pass through the executor: the one that gives a folio its swap slots, and the walks of the reverse map.
 */
#include <linux/mm.h>
#include <linux/swap.h>
#include "internal.h"
#include "swap.h"
#include "../mmdiff/windows.h"
#if MMDIFF_BEFORE(6, 16)
#define add_to_swap mmdiff_swap_alloc
#else
#define folio_alloc_swap(folio) (mmdiff_swap_alloc(folio) ? 0 : -ENOMEM)
#endif
#define try_to_unmap mmdiff_try_to_unmap	/* their visits are noted, see choices.c */
#define folio_referenced mmdiff_folio_referenced
#define split_folio_to_list(folio, list) mmdiff_split_to_list(folio, list, MMDIFF_BEFORE(6, 18) ? 0 : 1)
#undef pr_fmt
#include "vmscan.tree.c"

unsigned int mmdiff_shrink_list(struct list_head *folios, int nid)
{
	struct pglist_data *pgdat = NODE_DATA(nid);
#if MMDIFF_BEFORE(6, 16)
	struct lruvec *lruvec = mem_cgroup_lruvec(NULL, pgdat);
#endif
	struct reclaim_stat stat;
	struct scan_control sc = {
		.gfp_mask = GFP_KERNEL,
		.may_writepage = 1,
		.may_unmap = 1,
		.may_swap = 1,
		.no_demotion = 1,
	};
	unsigned int reclaimed;
	unsigned int noreclaim = memalloc_noreclaim_save();

#if MMDIFF_BEFORE(6, 16)
	reclaimed = shrink_folio_list(folios, pgdat, &sc, &stat, false);
	spin_lock_irq(&lruvec->lru_lock);
	move_folios_to_lru(lruvec, folios);
	spin_unlock_irq(&lruvec->lru_lock);
#else
	reclaimed = shrink_folio_list(folios, pgdat, &sc, &stat, false, NULL);
	move_folios_to_lru(folios);
#endif
	memalloc_noreclaim_restore(noreclaim);
	return reclaimed;
}

bool mmdiff_pageout(struct folio *folio)
{
	struct address_space *mapping = folio_mapping(folio);
	LIST_HEAD(pieces);

#if MMDIFF_BEFORE(7, 3)
	if (pageout(folio, mapping, NULL, &pieces) != PAGE_SUCCESS)
		return false;
#else
	struct swap_io_ctx ctx = {};
	pageout_t done = pageout(&ctx, mapping, folio, &pieces);

	swap_write_submit(&ctx);
	if (done != PAGE_SUCCESS)
		return false;
#endif
	folio_lock(folio);
	return !folio_test_dirty(folio) && !folio_test_writeback(folio);
}
