// SPDX-License-Identifier: GPL-2.0
/* Operations of GUP, and the zap that stops before its last TLB flush. */
#include <linux/slab.h>
#include <asm/tlb.h>
#include "ops.h"
#include "internal.h"

struct pinned pins[MMDIFF_WIRE_OPS];
static u32 npins;
struct zap zaps[MMDIFF_WIRE_OPS];
static u32 nzaps;

/* --- pins ------------------------------------------------------------------------------------------ */

struct op_result op_pin(const struct args_pin *a)
{
	struct process *p = find_process(a->mm);
	unsigned int flags = (a->flags & GUP_WRITE ? FOLL_WRITE : 0) |
			     (a->flags & GUP_LONGTERM ? FOLL_LONGTERM : 0);
	bool get = a->flags & GUP_GET, fast = a->flags & GUP_FAST;
	u32 arena = wire->world.table * wire->world.tables;
	unsigned long start = addr_of(a->vpn);
	struct page **page;
	u32 npages;
	long n;

	if (!p)
		return failed(ESRCH);
	if ((get && (a->flags & GUP_LONGTERM)) || !a->npages)
		return failed(EINVAL);
	npages = a->vpn < arena ? min(a->npages, arena - a->vpn) : 1;
	page = kvcalloc(npages, sizeof(*page), GFP_KERNEL);
	if (!page)
		return unsupported();
	use_process(p);
	would_wait = false;
	if (fast && get)
		n = get_user_pages_fast(start, npages, flags, page);
	else if (fast)
		n = pin_user_pages_fast(start, npages, flags, page);
	else if (get)
		n = get_user_pages_unlocked(start, npages, page, flags);
	else
		n = pin_user_pages_unlocked(start, npages, page, flags);
	if (n <= 0) {
		kvfree(page);
		return failed(would_wait ? EAGAIN : n ? -n : EFAULT);
	}
	pins[result_handle] = (struct pinned){ .page = page, .npages = n, .get = get, .open = true };
	npins = max(npins, result_handle + 1);
	return done(n);
}

static struct pinned *find_pin(u32 handle)
{
	return handle < npins && pins[handle].open ? &pins[handle] : NULL;
}

/* As unpin_user_pages_dirty_lock(), but for the folio's lock, which a migration may have. */
static void mark_dirty(struct folio *folio)
{
	if (!folio_test_dirty(folio))
		folio_mark_dirty(folio);
}

static void release(struct pinned *pin, bool dirty)
{
	u32 i;

	if (pin->get) {
		for (i = 0; i < pin->npages; i++) {
			if (dirty && !is_zero_page(pin->page[i]))
				mark_dirty(page_folio(pin->page[i]));
			put_page(pin->page[i]);
		}
	} else if (dirty) {
		/* unpin_user_pages_dirty_lock() would wait for a folio under migration. */
		for (i = 0; i < pin->npages; i++)
			if (!is_zero_page(pin->page[i]))
				mark_dirty(page_folio(pin->page[i]));
		unpin_user_pages(pin->page, pin->npages);
	} else {
		unpin_user_pages(pin->page, pin->npages);
	}
	kvfree(pin->page);
	pin->open = false;
}

struct op_result op_unpin(const struct args_unpin *a)
{
	struct pinned *pin = find_pin(a->pin);

	if (!pin)
		return failed(EBADF);
	release(pin, false);
	return done(0);
}

struct op_result op_unpin_dirty(const struct args_unpin_dirty *a)
{
	struct pinned *pin = find_pin(a->pin);

	if (!pin)
		return failed(EBADF);
	release(pin, true);
	return done(0);
}

struct op_result op_pin_read(const struct args_pin_read *a)
{
	struct pinned *pin = find_pin(a->pin);
	struct op_result r = { 0 };
	u32 i;

	if (!pin)
		return failed(EBADF);
	for (i = 0; i < pin->npages; i++)
		r.data = fold_data(r.data, is_zero_page(pin->page[i]) ? 0 : *content_of(pin->page[i]));
	r.value = pin->npages;
	return r;
}

struct op_result op_pin_write(const struct args_pin_write *a)
{
	struct pinned *pin = find_pin(a->pin);
	u32 i;

	if (!pin)
		return failed(EBADF);
	for (i = 0; i < pin->npages; i++)
		if (!is_zero_page(pin->page[i]))
			*content_of(pin->page[i]) = stored_value(i);
	return done(pin->npages);
}

/* FAULT_FLAG_UNSHARE on each page, as GUP asks for it before it pins for reading. */
struct op_result op_unshare(const struct args_unshare *a)
{
	struct process *p = find_process(a->mm);
	u32 arena = wire->world.table * wire->world.tables, i;
	struct op_result r = { 0 };

	if (!p)
		return failed(ESRCH);
	use_process(p);
	for (i = 0; i < a->npages && !r.err; i++) {
		unsigned long addr = addr_of(a->vpn + i);
		struct vm_area_struct *vma;
		vm_fault_t ret = 0;

		if (a->vpn + i >= arena) {
			r.err = EFAULT;
			break;
		}
		mmap_read_lock(p->mm);
		vma = vma_lookup(p->mm, addr);
		would_wait = false;
		if (!vma || !(vma->vm_flags & VM_READ)) {
			r.err = EFAULT;
		} else if (!(vma->vm_flags & VM_SHARED)) {
			ret = mmdiff_handle_mm_fault(vma, addr, FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT |
						     FAULT_FLAG_USER | FAULT_FLAG_UNSHARE, NULL);
			if (would_wait || (ret & VM_FAULT_RETRY))
				r.err = EAGAIN;
			else if (ret & VM_FAULT_ERROR)
				r.err = EFAULT;
		}
		if (!(ret & VM_FAULT_COMPLETED))
			mmap_read_unlock(p->mm);
		r.value += !r.err;
	}
	return r;
}

void gup_reset(void)
{
	u32 i;

	for (i = 0; i < npins; i++)
		if (pins[i].open)
			release(&pins[i], false);
	npins = 0;
}

/* --- zap_begin, zap_finish -------------------------------------------------------------------------- */

static void finish(struct zap *zap)
{
	tlb_finish_mmu(zap->tlb);
	mmap_read_unlock(zap->process->mm);
	zap->process->open_zaps--;
	kfree(zap->tlb);
	zap->process = NULL;
}

static u32 present_entries(struct process *p, u32 from, u32 to)
{
	u32 n = 0;

	for (; from < to; from++)
		n += !pte_none(mmu_pte(p->mm, from));
	return n;
}

struct op_result op_zap_begin(const struct args_zap_begin *a)
{
	struct process *p = find_process(a->mm);
	u32 arena = wire->world.table * wire->world.tables;
	struct zap *zap = &zaps[result_handle];
	struct op_result r = { 0 };
	unsigned long start, end, at;
	struct vm_area_struct *vma;
	bool hole = false;

	if (!p)
		return failed(ESRCH);
	zap->tlb = kzalloc(sizeof(*zap->tlb), GFP_KERNEL);
	if (!zap->tlb)
		return unsupported();
	use_process(p);
	mmap_read_lock(p->mm);
	tlb_gather_mmu(zap->tlb, p->mm);
	zap->process = p;
	p->open_zaps++;
	nzaps = max(nzaps, result_handle + 1);
	start = at = addr_of(a->vpn);
	end = addr_of(min(a->vpn, arena) + min(a->npages, arena - min(a->vpn, arena)));
	hole = a->npages && (u64)a->vpn + a->npages > arena;
	/* As madvise_dontneed_single_vma() does, VMA by VMA, with one gather for all. */
	while (at < end) {
		vma = find_vma(p->mm, at);
		if (!vma || vma->vm_start >= end) {
			hole = true;
			break;
		}
		if (vma->vm_start > at) {
			hole = true;
			at = vma->vm_start;
		}
		if (vma->vm_flags & VM_LOCKED) {
			r.err = EINVAL;
			break;
		}
		{
			unsigned long to = min(end, vma->vm_end);
			u32 before = present_entries(p, vpn_of(at), vpn_of(to));

			mmdiff_zap_range(zap->tlb, vma, at, to);
			r.value += before - present_entries(p, vpn_of(at), vpn_of(to));
			at = to;
		}
	}
	if (!r.err && hole)
		r.err = ENOMEM;
	if (r.err)
		finish(zap);
	return r;
}

struct op_result op_zap_finish(const struct args_zap_finish *a)
{
	if (a->zap >= nzaps || !zaps[a->zap].process)
		return failed(EBADF);
	finish(&zaps[a->zap]);
	return done(0);
}

void zap_reset(void)
{
	u32 i;

	for (i = 0; i < nzaps; i++)
		if (zaps[i].process)
			finish(&zaps[i]);
	nzaps = 0;
}
