// SPDX-License-Identifier: GPL-2.0
/* Operations of migration, whole and in the kernel's own phases (mm/migrate.c). */
#include <linux/file.h>
#include <linux/migrate.h>
#include <linux/shmem_fs.h>
#include "ops.h"
#include "internal.h"

struct migration migrations[MMDIFF_WIRE_OPS];
static u32 nmigrations;

/* A folio that is isolated leaves by this door if its migration does not come about. */
static void put_back(struct folio *folio, const struct isolated *iso)
{
	isolation_over(iso);
	folio_putback_lru(folio);
}

/*
 * migrate_pages() splits a folio that is partially mapped and queued before it migrates it. What vpn maps
 * then goes on; the other pieces are put back.
 */
static int split_first(struct process *p, u32 vpn, struct folio **folio, struct isolated *iso)
{
	struct folio *large = *folio, *piece, *chosen = NULL;
	unsigned long pfn = folio_pfn(large), end = pfn + folio_nr_pages(large);
	struct page *page;
	LIST_HEAD(pieces);

	list_add(&large->lru, &pieces);
	folio_lock(large);
	if (split_folio_to_list(large, &pieces)) {
		folio_unlock(large);
		list_del(&large->lru);
		return 0;	/* the whole folio goes on */
	}
	folio_unlock(large);
	page = mmu_page(p->mm, vpn);
	if (page)
		chosen = page_folio(page);
	for (; pfn < end; pfn++) {
		struct isolated one = *iso;

		piece = pfn_folio(pfn);
		list_del(&piece->lru);
		one.pages = 1;
		if (piece == chosen)
			continue;
		put_back(piece, &one);
	}
	if (!chosen)
		return EFAULT;
	*folio = chosen;
	iso->folio = chosen;
	iso->pages = 1;
	return 0;
}

struct op_result op_migrate_begin(const struct args_migrate_begin *a)
{
	struct process *p = find_process(a->mm);
	struct migration *m = &migrations[result_handle];
	struct isolated iso;
	struct folio *folio, *dst = NULL;
	int err, before;

	if (!p)
		return failed(ESRCH);
	if (a->node >= wire->world.nodes || a->node >= nr_online_nodes)
		return failed(ENODEV);
	err = folio_at(p, a->vpn, &folio);
	if (err)
		return failed(err);
	if (folio_test_locked(folio))
		return failed(EAGAIN);
	err = isolate(folio, &iso);
	if (err)
		return failed(err);
	if (folio_order(folio) > 1 && !list_empty(&folio->_deferred_list) &&
	    folio_test_partially_mapped(folio)) {
		err = split_first(p, a->vpn, &folio, &iso);
		if (err)
			return failed(err);
	}
	before = folio_mapcount(folio);
	INIT_LIST_HEAD(&folio->lru);
	err = mmdiff_migrate_unmap(folio, a->node, &dst);
	if (err != MMDIFF_UNMAPPED) {
		put_back(folio, &iso);
		return failed(err < 0 ? -err : EAGAIN);
	}
	*m = (struct migration){ .src = folio, .dst = dst, .iso = iso };
	/* The end of the file would wait for the folio's lock. */
	if (!folio_test_anon(folio) && shmem_mapping(folio->mapping))
		m->file = get_file(vma_lookup(p->mm, addr_of(a->vpn))->vm_file);
	nmigrations = max(nmigrations, result_handle + 1);
	return done(before - folio_mapcount(folio));
}

static struct migration *find_migration(u32 handle)
{
	return handle < nmigrations && migrations[handle].src ? &migrations[handle] : NULL;
}

static void over(struct migration *m)
{
	u32 i;

	m->src = NULL;
	if (!m->file)
		return;
	/* Its folio ends now, too, if nobody but other migrations has the file. */
	for (i = 0; i < nmigrations; i++)
		if (migrations[i].src && migrations[i].file == m->file)
			migrations[i].orphan = false;
	fput(m->file);
	m->file = NULL;
}

static void undo(struct migration *m)
{
	mmdiff_migrate_undo(m->src, m->dst);
	put_back(m->src, &m->iso);
	over(m);
}

/* Emulated: a file of shared memory ends with its last VMA, but for the folios that migrations hold. */
void migrate_orphans(void)
{
	u32 i, k;

	for (i = 0; i < nmigrations; i++) {
		struct migration *m = &migrations[i];
		struct inode *inode;
		pgoff_t at, end;
		long others = 0;

		if (!m->src || !m->file || m->orphan)
			continue;
		for (k = 0; k < nmigrations; k++)
			others += migrations[k].src && migrations[k].file == m->file;
		if (file_count(m->file) > others)
			continue;
		m->orphan = true;
		inode = file_inode(m->file);
		end = DIV_ROUND_UP(i_size_read(inode), PAGE_SIZE);
		for (at = 0; at < end; at++) {
			struct folio *folio = filemap_get_folio(inode->i_mapping, at);
			bool held;

			if (IS_ERR(folio))
				continue;
			held = folio_test_locked(folio);
			folio_put(folio);
			if (!held)
				shmem_truncate_range(inode, (loff_t)at << PAGE_SHIFT,
						     ((loff_t)(at + 1) << PAGE_SHIFT) - 1);
		}
	}
}

struct op_result op_migrate_end(const struct args_migrate_end *a)
{
	struct migration *m = find_migration(a->mig);
	int err;

	if (!m)
		return failed(EBADF);
	INIT_LIST_HEAD(&m->src->lru);
	err = mmdiff_migrate_move(m->src, m->dst);
	if (err) {
		undo(m);
		return without_value(failed(EAGAIN));
	}
	over(m);
	return without_value(done(0));
}

struct op_result op_migrate_abort(const struct args_migrate_abort *a)
{
	struct migration *m = find_migration(a->mig);

	if (!m)
		return failed(EBADF);
	undo(m);
	return without_value(done(0));
}

static bool locked(struct folio *folio)
{
	return folio_test_locked(folio);
}

struct op_result op_migrate(const struct args_migrate *a)
{
	struct process *p = find_process(a->mm);
	struct migration_target_control mtc = {
		.nid = a->node,
		.gfp_mask = GFP_HIGHUSER_MOVABLE | __GFP_THISNODE,
		.reason = MR_SYSCALL,
	};
	LIST_HEAD(list);
	unsigned int moved = 0;
	u32 not_isolated = 0, found;
	int err = 0;

	if (!p)
		return failed(ESRCH);
	if (a->node >= wire->world.nodes || a->node >= nr_online_nodes)
		return failed(ENODEV);
	if (!a->npages)
		return done(0);
	lru_cache_disable();
	found = isolate_range(p, a->vpn, a->npages, locked, &list, &not_isolated);
	if (!list_empty(&list)) {
		err = migrate_pages(&list, alloc_migration_target, NULL, (unsigned long)&mtc, MIGRATE_SYNC,
				    MR_SYSCALL, &moved);
		if (!list_empty(&list))
			putback_movable_pages(&list);
	}
	lru_cache_enable();
	if (!found)
		return failed(ENOENT);
	/* migrate_pages() counts pages, the operation folios. */
	return without_value(err || not_isolated ? failed(EAGAIN) : done(0));
}

void migrate_reset(void)
{
	u32 i;

	for (i = 0; i < nmigrations; i++)
		if (migrations[i].src)
			undo(&migrations[i]);
	nmigrations = 0;
}
