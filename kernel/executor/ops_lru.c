// SPDX-License-Identifier: GPL-2.0
/* Operations on the LRU lists, the folio batches, and reclaim in phases. */
#include "ops.h"
#include "internal.h"
#include "swap.h"

struct isolated isos[MMDIFF_WIRE_OPS];
static u32 nisos;

int folio_at(struct process *p, u32 vpn, struct folio **folio)
{
	pte_t pte;
	struct page *page;

	if (vpn >= wire->world.table * wire->world.tables || !vma_lookup(p->mm, addr_of(vpn)))
		return EFAULT;
	pte = mmu_pte(p->mm, vpn);
	if (!pte_present(pte))
		return ENOENT;
	page = mmu_page(p->mm, vpn);
	if (!page)
		return EFAULT;
	*folio = page_folio(page);
	return 0;
}

/* --- isolation ------------------------------------------------------------------------------------- */

int isolate(struct folio *folio, struct isolated *iso)
{
	if (!folio_test_lru(folio) || !folio_isolate_lru(folio))
		return EBUSY;
	*iso = (struct isolated){
		.folio = folio,
		.pages = folio_nr_pages(folio),
		.lru = NR_ISOLATED_ANON + folio_is_file_lru(folio),
		.nid = folio_nid(folio),
	};
	mod_node_page_state(NODE_DATA(iso->nid), iso->lru, iso->pages);
	return 0;
}

/* A folio may turn from file-like to anonymous while it is isolated: the counters follow it. */
static void isolation_recount(struct isolated *iso)
{
	isolation_over(iso);
	iso->lru = NR_ISOLATED_ANON + folio_is_file_lru(iso->folio);
	mod_node_page_state(NODE_DATA(iso->nid), iso->lru, iso->pages);
}

void isolation_over(const struct isolated *iso)
{
	mod_node_page_state(NODE_DATA(iso->nid), iso->lru, -(long)iso->pages);
}

u32 isolate_range(struct process *p, u32 vpn, u32 npages, bool (*skip)(struct folio *),
		  struct list_head *list, u32 *failed)
{
	struct folio *seen[64];
	u32 i, k, found = 0, nseen = 0, arena = wire->world.table * wire->world.tables;

	for (i = vpn; i < arena && i - vpn < npages; i++) {
		struct page *page = vma_lookup(p->mm, addr_of(i)) ? mmu_page(p->mm, i) : NULL;
		struct folio *folio, *other;
		struct isolated iso;
		bool again = false;

		if (!page)
			continue;
		folio = page_folio(page);
		list_for_each_entry(other, list, lru)
			again |= other == folio;
		for (k = 0; k < nseen; k++)
			again |= seen[k] == folio;
		if (again)
			continue;
		found++;
		if ((skip && skip(folio)) || isolate(folio, &iso)) {
			if (nseen < ARRAY_SIZE(seen))
				seen[nseen++] = folio;
			++*failed;
			continue;
		}
		list_add_tail(&folio->lru, list);
	}
	return found;
}

struct op_result op_mark_accessed(const struct args_mark_accessed *a)
{
	struct process *p = find_process(a->mm);
	struct folio *folio;
	int err;

	if (!p)
		return failed(ESRCH);
	err = folio_at(p, a->vpn, &folio);
	if (err)
		return failed(err);
	folio_mark_accessed(folio);
	return done(0);
}

struct op_result op_drain(const struct args_drain *a)
{
	lru_add_drain();
	return done(0);
}

struct op_result op_drain_all(const struct args_drain_all *a)
{
	lru_add_drain_all();
	return done(0);
}

struct op_result op_isolate(const struct args_isolate *a)
{
	struct process *p = find_process(a->mm);
	struct folio *folio;
	int err;

	if (!p)
		return failed(ESRCH);
	err = folio_at(p, a->vpn, &folio);
	if (!err)
		err = isolate(folio, &isos[result_handle]);
	if (err)
		return failed(err);
	nisos = max(nisos, result_handle + 1);
	return done(0);
}

static struct isolated *find_iso(u32 handle)
{
	return handle < nisos && isos[handle].folio ? &isos[handle] : NULL;
}

struct op_result op_putback(const struct args_putback *a)
{
	struct isolated *iso = find_iso(a->iso);

	if (!iso)
		return failed(EBADF);
	try_to_unmap_flush();
	isolation_over(iso);
	folio_putback_lru(iso->folio);
	iso->folio = NULL;
	return done(0);
}

struct op_result op_referenced(const struct args_referenced *a)
{
	struct isolated *iso = find_iso(a->iso);
	mmdiff_vm_flags vm_flags;
	bool vm_locked;
	int n;

	if (!iso)
		return failed(EBADF);
	if (!folio_trylock(iso->folio))
		return failed(EAGAIN);
	n = mmdiff_folio_referenced(iso->folio, 1, NULL, &vm_flags);
	folio_unlock(iso->folio);
#if MMDIFF_BEFORE(7, 3)
	vm_locked = vm_flags & VM_LOCKED;
#else
	vm_locked = vma_flags_test(&vm_flags, VMA_LOCKED_BIT);
#endif
	return done(n + (vm_locked ? 1000 : 0));
}

struct op_result op_swap_add(const struct args_swap_add *a)
{
	struct isolated *iso = find_iso(a->iso);
	struct folio *folio;
	bool ok;

	if (!iso)
		return failed(EBADF);
	folio = iso->folio;
	if (folio_test_locked(folio))
		return failed(EAGAIN);
	if (!folio_test_anon(folio) || !folio_test_swapbacked(folio))
		return failed(EINVAL);
	if (folio_test_swapcache(folio))
		return failed(EEXIST);
	/* The conditions of shrink_folio_list(). */
	if (folio_maybe_dma_pinned(folio))
		return failed(EBUSY);
	if (folio_test_large(folio) &&
	    (folio_ref_count(folio) != folio_mapcount(folio) + 1 ||
	     (folio_order(folio) > 1 && folio_test_partially_mapped(folio))))
		return failed(EBUSY);
	folio_lock(folio);
	ok = mmdiff_swap_alloc(folio);
#if !MMDIFF_BEFORE(6, 16)
	/* Earlier kernels do it in add_to_swap(), later ones in shrink_folio_list(). */
	if (ok)
		folio_mark_dirty(folio);
#endif
	folio_unlock(folio);
	return ok ? done(0) : failed(ENOSPC);
}

struct op_result op_try_to_unmap(const struct args_try_to_unmap *a)
{
	struct isolated *iso = find_iso(a->iso);
	enum ttu_flags flags = (a->flags & TTU_NO_MLOCK ? TTU_IGNORE_MLOCK : 0) |
			       (a->flags & TTU_BATCH ? TTU_BATCH_FLUSH : 0);
	struct folio *folio;
	int before;

	if (!iso)
		return failed(EBADF);
	folio = iso->folio;
	if (folio_test_locked(folio))
		return failed(EAGAIN);
	if (folio_test_anon(folio) && folio_test_swapbacked(folio) != folio_test_swapcache(folio))
		return failed(EINVAL);
	before = folio_mapcount(folio);
	folio_lock(folio);
	mmdiff_try_to_unmap(folio, flags);
	folio_unlock(folio);
	isolation_recount(iso);
	return done(before - folio_mapcount(folio));
}

struct op_result op_remove_mapping(const struct args_remove_mapping *a)
{
	struct isolated *iso = find_iso(a->iso);
	struct address_space *mapping;
	struct folio *folio;
	u32 pages;

	if (!iso)
		return failed(EBADF);
	folio = iso->folio;
	if (folio_test_locked(folio))
		return failed(EAGAIN);
	if (folio_mapped(folio))
		return failed(EBUSY);
	try_to_unmap_flush();
	pages = folio_nr_pages(folio);
	mapping = folio_mapping(folio);
	if (folio_maybe_dma_pinned(folio) || folio_ref_count(folio) != 1 + (mapping ? pages : 0))
		return failed(EBUSY);
	if (folio_test_swapcache(folio)) {
		folio_lock(folio);
		if (folio_test_dirty(folio) && !mmdiff_pageout(folio)) {
			folio_unlock(folio);
			return failed(EBUSY);
		}
	} else if (folio_test_anon(folio)) {
		if (folio_test_swapbacked(folio))
			return failed(EBUSY);
		folio_lock(folio);
	} else {
		if (!mapping || folio_test_dirty(folio))
			return failed(EBUSY);
		folio_lock(folio);
	}
	if (mapping && !remove_mapping(mapping, folio)) {
		folio_unlock(folio);
		return failed(EBUSY);
	}
	folio_unlock(folio);
	isolation_over(iso);
	/* Reclaim has done so before it comes here; who frees a folio that is on no list, must. */
	folio_clear_active(folio);
	folio_clear_unevictable(folio);
	folio_put(folio);
	iso->folio = NULL;
	return done(pages);
}

/* --- reclaim --------------------------------------------------------------------------------------- */

static bool not_for_reclaim(struct folio *folio)
{
	return folio_test_unevictable(folio) || folio_test_locked(folio);
}

struct op_result op_reclaim(const struct args_reclaim *a)
{
	struct process *p = find_process(a->mm);
	LIST_HEAD(list);
	u32 failed_to = 0, reclaimed = 0;

	if (!p)
		return failed(ESRCH);
	if (!a->npages)
		return done(0);
	lru_add_drain();
	isolate_range(p, a->vpn, a->npages, not_for_reclaim, &list, &failed_to);
	while (!list_empty(&list)) {
		int nid = folio_nid(list_first_entry(&list, struct folio, lru));
		long anon = 0, file = 0;
		struct folio *folio, *next;
		LIST_HEAD(of_node);

		list_for_each_entry_safe(folio, next, &list, lru) {
			if (folio_nid(folio) != nid)
				break;
			list_move(&folio->lru, &of_node);	/* shrink_folio_list() begins at the end */
			folio_clear_active(folio);	/* reclaim is of the inactive lists */
			*(folio_is_file_lru(folio) ? &file : &anon) += folio_nr_pages(folio);
		}
		reclaimed += mmdiff_shrink_list(&of_node, nid);
		mod_node_page_state(NODE_DATA(nid), NR_ISOLATED_ANON, -anon);
		mod_node_page_state(NODE_DATA(nid), NR_ISOLATED_FILE, -file);
	}
	return done(reclaimed);
}

struct op_result op_split(const struct args_split *a)
{
	struct process *p = find_process(a->mm);
	struct folio *folio;
	u32 pages;
	int err;

	if (!p)
		return failed(ESRCH);
	err = folio_at(p, a->vpn, &folio);
	if (err)
		return failed(err);
	if (folio_test_locked(folio))
		return failed(EAGAIN);
	if (!folio_test_large(folio))
		return failed(EINVAL);
	pages = folio_nr_pages(folio);
	folio_get(folio);
	folio_lock(folio);
	err = split_folio(folio);
	folio_unlock(folio);
	folio_put(folio);
	return err ? failed(-err) : done(pages);
}

struct op_result op_flush_batched(const struct args_flush_batched *a)
{
	try_to_unmap_flush();
	return done(0);
}

void lru_reset(void)
{
	u32 i;

	try_to_unmap_flush();
	for (i = 0; i < nisos; i++) {
		if (!isos[i].folio)
			continue;
		isolation_over(&isos[i]);
		folio_putback_lru(isos[i].folio);
		isos[i].folio = NULL;
	}
	nisos = 0;
}
