// SPDX-License-Identifier: GPL-2.0
/* The tree's file, and doors to the phases of migrate_pages(). */
#include <linux/mm.h>
#include <linux/rmap.h>
#include "../mmdiff/windows.h"
#define split_folio_to_list(folio, list) mmdiff_split_to_list(folio, list, MMDIFF_BEFORE(6, 18) ? 2 : 3)
#define try_to_migrate mmdiff_try_to_migrate	/* its visits are noted, see choices.c */
#define page_vma_mapped_walk(pvmw) mmdiff_page_vma_mapped_walk(pvmw)	/* those of a split's end too */
#include "migrate.tree.c"
#undef page_vma_mapped_walk
#if MMDIFF_BEFORE(6, 18)
static_assert(MIGRATEPAGE_UNMAP == MMDIFF_UNMAPPED);
#endif
#if MMDIFF_BEFORE(7, 1)
#define MMDIFF_WAS_MAPPED PAGE_WAS_MAPPED
#else
#define MMDIFF_WAS_MAPPED FOLIO_WAS_MAPPED
#endif

int mmdiff_migrate_unmap(struct folio *src, int nid, struct folio **dst)
{
	struct migration_target_control mtc = {
		.nid = nid,
		.gfp_mask = GFP_HIGHUSER_MOVABLE | __GFP_THISNODE,
		.reason = MR_SYSCALL,
	};
	LIST_HEAD(put_back);

#if MMDIFF_BEFORE(6, 18)
	return migrate_folio_unmap(alloc_migration_target, NULL, (unsigned long)&mtc, src, dst,
				   MIGRATE_SYNC, MR_SYSCALL, &put_back);
#else
	{
		int err = migrate_folio_unmap(alloc_migration_target, NULL, (unsigned long)&mtc, src, dst,
					      MIGRATE_SYNC, &put_back);

		return err ? err : MMDIFF_UNMAPPED;
	}
#endif
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
	struct anon_vma *anon_vma = NULL;
	int old_page_state = 0;

	__migrate_folio_extract(dst, &old_page_state, &anon_vma);
	migrate_folio_undo_src(src, old_page_state & MMDIFF_WAS_MAPPED, anon_vma, true, NULL);
	migrate_folio_undo_dst(dst, true, NULL, 0);
}
