// SPDX-License-Identifier: GPL-2.0
/*
 * What the executor reaches inside of files of mm/: of a prebuilt kernel its functions, also those that are
 * static, as long as the compiler has left them whole.
 */
#include <linux/memcontrol.h>
#include <linux/mm_inline.h>
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

/* enum pageout_t */
#define PAGEOUT_SUCCESS 2
int pageout(struct folio *folio, struct address_space *mapping, struct swap_iocb **plug, struct list_head *folios);

bool mmdiff_pageout(struct folio *folio)
{
	LIST_HEAD(pieces);

	if (pageout(folio, folio_mapping(folio), NULL, &pieces) != PAGEOUT_SUCCESS)
		return false;
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

int migrate_folio_move(free_folio_t put_new, unsigned long private, struct folio *src, struct folio *dst,
		       enum migrate_mode mode, enum migrate_reason reason, struct list_head *ret);
void migrate_folio_undo_src(struct folio *src, int was_mapped, struct anon_vma *anon_vma, bool locked,
			    struct list_head *ret);
struct anon_vma *folio_get_anon_vma(struct folio *folio);

static void undo_dst(struct folio *dst)
{
	folio_unlock(dst);
	folio_put(dst);
}

/*
 * The first phase is part of a larger function in every build; it is done here as migrate_folio_unmap() has
 * it for the folios of programs, which have no writeback and no mapping that goes away.
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

int mmdiff_migrate_move(struct folio *src, struct folio *dst)
{
	LIST_HEAD(targets);
	LIST_HEAD(put_back);

	list_add(&dst->lru, &targets);
	return migrate_folio_move(NULL, 0, src, dst, MIGRATE_SYNC, MR_SYSCALL, &put_back);
}

void mmdiff_migrate_undo(struct folio *src, struct folio *dst)
{
	unsigned long was = (unsigned long)dst->private & (WAS_MAPPED | WAS_MLOCKED);
	struct anon_vma *anon_vma = (void *)dst->private - was;

	dst->private = NULL;
	migrate_folio_undo_src(src, was & WAS_MAPPED, anon_vma, true, NULL);
	undo_dst(dst);
}
