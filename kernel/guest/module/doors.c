// SPDX-License-Identifier: GPL-2.0
/*
 * What the executor reaches inside of files of mm/: of a prebuilt kernel its functions, also those that are
 * static, as long as the compiler has left them whole.
 */
#include <linux/memcontrol.h>
#include <linux/mm_inline.h>
#include <linux/writeback.h>
#include "guest.h"

/* --- mm/vmscan.c ----------------------------------------------------------------------------------- */

struct scan_control;
struct reclaim_stat;
struct swap_iocb;
#if MMDIFF_BEFORE(6, 16)
unsigned int shrink_folio_list(struct list_head *folios, struct pglist_data *pgdat, struct scan_control *sc,
			       struct reclaim_stat *stat, bool ignore_references);
unsigned int move_folios_to_lru(struct lruvec *lruvec, struct list_head *folios);
#else
unsigned int shrink_folio_list(struct list_head *folios, struct pglist_data *pgdat, struct scan_control *sc,
			       struct reclaim_stat *stat, bool ignore_references, struct mem_cgroup *memcg);
unsigned int move_folios_to_lru(struct list_head *folios);
#endif

/* In place of shrink_folio_list(), see hooks.c. */
typeof(shrink_folio_list) mmdiff_shrink_folio_list;

static bool counts_references;

/*
 * reclaim_pages() sets the scan up as reclaim of a range does, but would ignore references, and puts what is
 * kept into the CPU's batch, where reclaim of an inactive list counts them and puts it back to its list.
 */
#if MMDIFF_BEFORE(6, 16)
unsigned int mmdiff_shrink_folio_list(struct list_head *folios, struct pglist_data *pgdat, struct scan_control *sc,
				      struct reclaim_stat *stat, bool ignore_references)
{
	struct lruvec *lruvec = mem_cgroup_lruvec(NULL, pgdat);
	unsigned int n = shrink_folio_list(folios, pgdat, sc, stat, ignore_references && !counts_references);

	if (counts_references) {
		spin_lock_irq(&lruvec->lru_lock);
		move_folios_to_lru(lruvec, folios);
		spin_unlock_irq(&lruvec->lru_lock);
	}
	return n;
}
#else
unsigned int mmdiff_shrink_folio_list(struct list_head *folios, struct pglist_data *pgdat, struct scan_control *sc,
				      struct reclaim_stat *stat, bool ignore_references, struct mem_cgroup *memcg)
{
	unsigned int n = shrink_folio_list(folios, pgdat, sc, stat, ignore_references && !counts_references, memcg);

	if (counts_references)
		move_folios_to_lru(folios);
	return n;
}
#endif

unsigned int mmdiff_shrink_list(struct list_head *folios, int nid)
{
	unsigned int n;

	counts_references = true;
	n = reclaim_pages(folios);
	counts_references = false;
	return n;
}

#if MMDIFF_BEFORE(6, 16)
int swap_writepage(struct page *page, struct writeback_control *wbc);
#elif MMDIFF_BEFORE(7, 3)
int swap_writeout(struct folio *folio, struct swap_iocb **plug);
#else
struct swap_io_ctx;
int swap_writeout(struct swap_io_ctx *ctx, struct folio *folio);
void swap_write_submit(struct swap_io_ctx *ctx);
#endif

static void write_to_swap(struct folio *folio)
{
#if MMDIFF_BEFORE(6, 16)
	struct writeback_control wbc = {
		.sync_mode = WB_SYNC_NONE,
		.nr_to_write = SWAP_CLUSTER_MAX,
		.range_end = LLONG_MAX,
		.for_reclaim = 1,
	};

	swap_writepage(folio_page(folio, 0), &wbc);
#elif MMDIFF_BEFORE(7, 3)
	swap_writeout(folio, NULL);
#else
	u64 ctx[16] = { 0 };	/* a struct swap_io_ctx and more */

	swap_writeout((struct swap_io_ctx *)ctx, folio);
	swap_write_submit((struct swap_io_ctx *)ctx);
#endif
}

/* As pageout() has it for a folio of the swap cache, which is part of a larger function in some builds. */
bool mmdiff_pageout(struct folio *folio)
{
	if (folio_ref_count(folio) != 1 + folio_nr_pages(folio) || !folio_clear_dirty_for_io(folio))
		return false;
	folio_set_reclaim(folio);
	write_to_swap(folio);
	if (!folio_test_writeback(folio))
		folio_clear_reclaim(folio);
	folio_lock(folio);
	return !folio_test_dirty(folio) && !folio_test_writeback(folio);
}

extern int page_cluster;

void mmdiff_no_readahead(void)
{
	page_cluster = 0;
}

/* --- mm/memory.c ----------------------------------------------------------------------------------- */

extern unsigned long fault_around_pages;

void mmdiff_set_fault_around(unsigned int pages)
{
	fault_around_pages = pages;
}

void mmdiff_zap_range(struct mmu_gather *tlb, struct vm_area_struct *vma, unsigned long start,
		      unsigned long end)
{
#if MMDIFF_BEFORE(6, 16)
	mmdiff_drain_at_dontneed();
#endif
#if MMDIFF_BEFORE(7, 1)
	unmap_page_range(tlb, vma, start, end, NULL);
#else
	zap_vma_range_batched(tlb, vma, start, end - start, NULL);
#endif
}

/* --- mm/migrate.c: the phases of migrate_pages() for one folio ---------------------------------------- */

/* What a folio was, beside its anon_vma in the new folio's private word. */
#define WAS_MAPPED 1ul
#define WAS_MLOCKED 2ul

void migrate_folio_undo_src(struct folio *src, int was_mapped, struct anon_vma *anon_vma, bool locked,
			    struct list_head *ret);
struct anon_vma *folio_get_anon_vma(struct folio *folio);
void __put_anon_vma(struct anon_vma *anon_vma);

static void undo_dst(struct folio *dst)
{
	folio_unlock(dst);
	folio_put(dst);
}

/*
 * The phases are parts of a larger function in one build or another. They are done here as
 * migrate_folio_unmap() and migrate_folio_move() have them for the folios of programs, which have no writeback
 * and no mapping that goes away.
 */
int mmdiff_migrate_unmap(struct folio *src, int nid, struct folio **dst)
{
	struct migration_target_control mtc = {
		.nid = nid,
		.gfp_mask = GFP_HIGHUSER_MOVABLE | __GFP_THISNODE,
		.reason = MR_SYSCALL,
	};
	struct anon_vma *anon_vma = NULL;
	unsigned long was = 0;

	*dst = alloc_migration_target(src, (unsigned long)&mtc);
	if (!*dst)
		return -ENOMEM;
	(*dst)->private = NULL;
	folio_lock(src);
	if (folio_test_mlocked(src))
		was |= WAS_MLOCKED;
	if (folio_test_anon(src) && !folio_test_ksm(src))
		anon_vma = folio_get_anon_vma(src);
	folio_lock(*dst);
	if (folio_mapped(src)) {
		mmdiff_try_to_migrate(src, 0);
		was |= WAS_MAPPED;
	}
	if (folio_mapped(src)) {
		migrate_folio_undo_src(src, was & WAS_MAPPED, anon_vma, true, NULL);
		undo_dst(*dst);
		return -EAGAIN;
	}
	(*dst)->private = (void *)anon_vma + was;
	return MMDIFF_UNMAPPED;
}

static int move_folio(struct folio *src, struct folio *dst)
{
	struct address_space *mapping = folio_mapping(src);
	int err;

	if (!mapping)
		err = migrate_folio(mapping, dst, src, MIGRATE_SYNC);
	else
		err = mapping->a_ops->migrate_folio(mapping, dst, src, MIGRATE_SYNC);
	if (!err && !folio_test_anon(src))
		src->mapping = NULL;
	return err;
}

int mmdiff_migrate_move(struct folio *src, struct folio *dst)
{
	bool queued = folio_order(src) > 1 && !list_empty(&src->_deferred_list);
	bool partly = queued && folio_test_partially_mapped(src);
	void *private = dst->private;
	unsigned long was = (unsigned long)private & (WAS_MAPPED | WAS_MLOCKED);
	struct anon_vma *anon_vma = private - was;
	int err;

	dst->private = NULL;
	err = move_folio(src, dst);
	if (err) {
		dst->private = private;
		return err;
	}
	if (queued)
		deferred_split_folio(dst, partly);
	folio_add_lru(dst);
	if (was & WAS_MLOCKED)
		lru_add_drain();
	if (was & WAS_MAPPED)
		remove_migration_ptes(src, dst, 0);
	folio_unlock(dst);
	folio_put(dst);
	if (anon_vma && atomic_dec_and_test(&anon_vma->refcount))
		__put_anon_vma(anon_vma);
	folio_unlock(src);
	mod_node_page_state(folio_pgdat(src), NR_ISOLATED_ANON + folio_is_file_lru(src), -folio_nr_pages(src));
	folio_put(src);
	return 0;
}

void mmdiff_migrate_undo(struct folio *src, struct folio *dst)
{
	unsigned long was = (unsigned long)dst->private & (WAS_MAPPED | WAS_MLOCKED);
	struct anon_vma *anon_vma = (void *)dst->private - was;

	dst->private = NULL;
	migrate_folio_undo_src(src, was & WAS_MAPPED, anon_vma, true, NULL);
	undo_dst(dst);
}
