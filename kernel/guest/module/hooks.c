// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks: calls of one kernel function by another that pass through the executor while an operation runs, so
 * that it learns what was decided (choices.c) or can say that the program would wait for ever. The kernel's
 * function tracer sends a call of the task that runs the operation to our function of the same signature,
 * which calls the kernel's: calls by this module are not sent round.
 *
 * They stand for the macros of kernel/uml/overlay/mm. Which function called matters where the macro stands in
 * one file only; it is told by its name.
 */
#include <linux/kallsyms.h>
#include <linux/ksm.h>
#include <linux/memcontrol.h>
#include <linux/shmem_fs.h>
#include "guest.h"
#include "leaf.h"

static unsigned long caller_ip;		/* of the call that was sent round last */

/* --- who called ------------------------------------------------------------------------------------- */

#define CALLERS 256
static struct caller {
	unsigned long ip;
	char name[48];
} callers[CALLERS];
static u32 ncallers;

static const char *caller(void)
{
	char *module, text[KSYM_NAME_LEN];
	unsigned long size, offset, ip = caller_ip;
	const char *name;
	u32 i;

	for (i = 0; i < ncallers; i++)
		if (callers[i].ip == ip)
			return callers[i].name;
	name = kallsyms_lookup(ip, &size, &offset, &module, text);
	if (ncallers == CALLERS)
		ncallers = 0;
	callers[ncallers].ip = ip;
	strscpy(callers[ncallers].name, name ?: "", sizeof(callers[0].name));
	return callers[ncallers++].name;
}

static bool called_by(const char *name)
{
	const char *is = caller();
	size_t n = strlen(name);

	/* "f.part.0", "f.isra.0" */
	return !strncmp(is, name, n) && (is[n] == '\0' || is[n] == '.');
}

/* --- faults ----------------------------------------------------------------------------------------- */

static vm_fault_t hook_handle_mm_fault(struct vm_area_struct *vma, unsigned long addr, unsigned int flags,
				       struct pt_regs *regs)
{
	u32 choices = wire->choices_used, n = wire->results[op_index].choices_n;
	vm_fault_t ret;

	if (addr < MMDIFF_ARENA)
		return handle_mm_fault(vma, addr, flags, regs);
	ret = mmdiff_handle_mm_fault(vma, addr, flags, regs);
	if (ret & VM_FAULT_RETRY && !would_wait) {
		/* It is tried again from the beginning, with more locks. */
		wire->choices_used = choices;
		wire->results[op_index].choices_n = n;
	}
	return ret;
}

static void hook_migration_entry_wait(struct mm_struct *mm, pmd_t *pmd, unsigned long addr)
{
	mmdiff_would_wait();
}

static vm_fault_t hook___folio_lock_or_retry(struct folio *folio, struct vm_fault *vmf)
{
	mmdiff_would_wait();
	return VM_FAULT_RETRY;
}

vm_fault_t shmem_fault(struct vm_fault *vmf);
static vm_fault_t hook_shmem_fault(struct vm_fault *vmf)
{
	if (mmdiff_held(vmf->vma->vm_file->f_mapping, vmf->pgoff))
		return VM_FAULT_SIGBUS;
	return shmem_fault(vmf);
}

static void hook_workingset_refault(struct folio *folio, void *shadow)
{
	mmdiff_refault(folio, shadow);
}

static void hook_folio_add_anon_rmap_ptes(struct folio *folio, struct page *page, int nr,
					  struct vm_area_struct *vma, unsigned long addr, rmap_t flags)
{
	if (called_by("do_swap_page"))
		mmdiff_swap_in_maps(folio, nr, vma, addr, flags & RMAP_EXCLUSIVE);
	folio_add_anon_rmap_ptes(folio, page, nr, vma, addr, flags);
}

/* The window of the fault-around that is going on. */
static pgoff_t window_first, window_last;

static vm_fault_t hook_filemap_map_pages(struct vm_fault *vmf, pgoff_t first, pgoff_t last)
{
	window_first = first;
	window_last = last;
	return filemap_map_pages(vmf, first, last);
}

/* Of a folio that is mapped as a whole: does an entry outside of the window get a page? */
static bool beyond_window(struct vm_fault *vmf, struct folio *folio, unsigned int nr, unsigned long addr)
{
	u32 i;

	if (vmf->page || nr != folio_nr_pages(folio))
		return false;
	for (i = 0; i < nr; i++) {
		pgoff_t at = folio->index + i;

		if ((at < window_first || at > window_last) &&
		    pte_none(mmu_pte(vmf->vma->vm_mm, vpn_of(addr) + i)))
			return true;
	}
	return false;
}

static void hook_set_pte_range(struct vm_fault *vmf, struct folio *folio, struct page *page, unsigned int nr,
			       unsigned long addr)
{
	bool write = vmf->flags & FAULT_FLAG_WRITE;

	if (beyond_window(vmf, folio, nr, addr))
		choose(CHOICE_AroundWhole, 0, vpn_of(addr), 0);
	set_pte_range(vmf, folio, page, nr, addr);
	if (write && !(vmf->vma->vm_flags & VM_SHARED))
		return;
	mmdiff_file_maps(vmf, folio, nr, addr, mmu_pte(vmf->vma->vm_mm, vpn_of(addr)), !write);
}

#if !MMDIFF_BEFORE(7, 2)
static struct folio *hook_swapin_sync(swp_entry_t entry, gfp_t flag, unsigned long orders, struct vm_fault *vmf,
				      struct mempolicy *mpol, pgoff_t ilx)
{
	struct folio *folio = swapin_sync(entry, flag, orders, vmf, mpol, ilx);

	/* Shared memory is never swapped out. */
	return mmdiff_swapped_in(folio);
}
#endif

#if !MMDIFF_BEFORE(7, 3)
vm_fault_t do_swap_page(struct vm_fault *vmf);
static struct vm_fault *fault_of;

static vm_fault_t hook_do_swap_page(struct vm_fault *vmf)
{
	vm_fault_t ret;

	fault_of = vmf;
	ret = do_swap_page(vmf);
	fault_of = NULL;
	return ret;
}

/* do_swap_page() drained the batches until 7.2 where it calls this now. */
static struct folio *hook_ksm_might_need_to_copy(struct folio *folio, struct vm_area_struct *vma, unsigned long addr)
{
	if (called_by("do_swap_page") && fault_of)
		mmdiff_undrained(fault_of, folio);
	return ksm_might_need_to_copy(folio, vma, addr);
}
#endif

/* --- long-term pins --------------------------------------------------------------------------------- */

static bool in_gup(void)
{
	return called_by("collect_longterm_unpinnable_folios") || called_by("migrate_longterm_unpinnable_folios") ||
	       called_by("check_and_migrate_movable_folios") || called_by("__gup_longterm_locked") ||
	       called_by("check_and_migrate_movable_pages") || called_by("check_and_migrate_movable_pages_or_folios");
}

static bool hook_folio_isolate_lru(struct folio *folio)
{
	return in_gup() ? mmdiff_gup_isolate(folio) : folio_isolate_lru(folio);
}

#if MMDIFF_BEFORE(7, 3)
typedef int migrate_why;
#else
typedef enum migrate_reason migrate_why;
#endif
static int hook_migrate_pages(struct list_head *from, new_folio_t get_new_folio, free_folio_t put_new_folio,
			      unsigned long private, enum migrate_mode mode, migrate_why reason,
			      unsigned int *succeeded)
{
	if (in_gup())
		mmdiff_gup_migrates();
	return migrate_pages(from, get_new_folio, put_new_folio, private, mode, reason, succeeded);
}

/* --- zaps ------------------------------------------------------------------------------------------- */

static void hook_lru_add_drain(void)
{
	if (called_by("exit_mmap") || called_by("unmap_region") || called_by("vms_clear_ptes"))
		mmdiff_drain_at_zap();
	else if (called_by("free_pages_and_swap_cache"))
		mmdiff_drain_at_free();
	else if (called_by("zap_page_range_single") || called_by("unmap_vmas") || called_by("zap_vma_ptes"))
		mmdiff_drain_at_dontneed();
	else
		lru_add_drain();
}

static void hook_tlb_gather_mmu(struct mmu_gather *tlb, struct mm_struct *mm)
{
	mmdiff_gathers++;
	tlb_gather_mmu(tlb, mm);
}

/*
 * Is there no room for another folio (mm/mmu_gather.c)? It takes two places if it has more than one page. Only a
 * gather that delays removals from the reverse map, which are done by now, does not get more room.
 */
static bool gather_is_full(struct mmu_gather *tlb)
{
	return tlb->active != &tlb->local && tlb->active->nr + 1 >= tlb->active->max;
}

/*
 * Where a zap has come to that goes upwards from the operation's page: the entry before the first that is left.
 * The gather has forgotten it.
 */
static unsigned long zapped_until(struct mmu_gather *tlb)
{
	u32 arena = wire->world.table * wire->world.tables, vpn = wire->ops[op_index].arg[1];

	while (vpn < arena && pte_none(mmu_pte(tlb->mm, vpn)))
		vpn++;
	return addr_of(vpn);
}

static void hook_tlb_flush_mmu(struct mmu_gather *tlb)
{
	if (gather_is_full(tlb) && (called_by("unmap_page_range") || called_by("zap_pte_range") ||
				    called_by("__zap_vma_range")))
		mmdiff_zap_flush(tlb->mm, zapped_until(tlb), true);
	mmdiff_gather_flush();
	tlb_flush_mmu(tlb);
}

static void hook_tlb_finish_mmu(struct mmu_gather *tlb)
{
	if (MMDIFF_BEFORE(6, 16)) {
		if (called_by("zap_page_range_single") && tlb->end)
			mmdiff_gather_finished(tlb->mm, tlb->end);
		else if (called_by("madvise_free_single_vma") || called_by("madvise_dontneed_free") ||
			 called_by("madvise_vma_behavior"))
			mmdiff_madvise_gather_finished(tlb);
	}
	tlb_finish_mmu(tlb);
}

static int hook___mm_populate(unsigned long start, unsigned long len, int ignore_errors)
{
	if (called_by("do_mlock") || called_by("__do_sys_mlock") || called_by("__x64_sys_mlock") ||
	    called_by("__x64_sys_mlock2") || called_by("__do_sys_mlock2"))
		mmdiff_vmas_changed();
	return __mm_populate(start, len, ignore_errors);
}

/* --- walks of the reverse map ------------------------------------------------------------------------ */

/* A split unmaps and maps again by walks of its own, of which only the second is told. */
static bool for_split(void)
{
	return called_by("unmap_folio") || called_by("split_huge_page_to_list_to_order") ||
	       called_by("__folio_split") || called_by("remap_page");
}

static bool hook_page_vma_mapped_walk(struct page_vma_mapped_walk *pvmw)
{
	return mmdiff_page_vma_mapped_walk(pvmw);
}

static void hook_try_to_unmap(struct folio *folio, enum ttu_flags flags)
{
	if (for_split())
		try_to_unmap(folio, flags);
	else
		mmdiff_try_to_unmap(folio, flags);
}

static void hook_try_to_migrate(struct folio *folio, enum ttu_flags flags)
{
	if (for_split())
		try_to_migrate(folio, flags);
	else
		mmdiff_try_to_migrate(folio, flags);
}

#if !MMDIFF_BEFORE(6, 18)
static unsigned int hook_folio_pte_batch(struct folio *folio, pte_t *ptep, pte_t pte, unsigned int max_nr)
{
	unsigned int n = folio_pte_batch(folio, ptep, pte, max_nr);

	return called_by("folio_referenced_one") ? mmdiff_visit_batch(n) : n;
}
#endif

static int hook_folio_referenced(struct folio *folio, int is_locked, struct mem_cgroup *memcg,
				 mmdiff_vm_flags *vm_flags)
{
	return mmdiff_folio_referenced(folio, is_locked, memcg, vm_flags);
}

#if MMDIFF_BEFORE(7, 0)
typedef int remap_flags;
#else
typedef enum ttu_flags remap_flags;
#endif
static void hook_remove_migration_ptes(struct folio *src, struct folio *dst, remap_flags flags)
{
	bool split = for_split();

	if (split)
		mmdiff_remap_begin(src);
	remove_migration_ptes(src, dst, flags);
	if (split)
		mmdiff_remap_end();
}

/* --- reclaim ------------------------------------------------------------------------------------------ */

/* The split by which reclaim, migration and madvise go on with the pieces of a folio. */
#if MMDIFF_BEFORE(6, 18)
static int split(struct folio *folio, struct list_head *list)
{
	return split_huge_page_to_list_to_order(folio_page(folio, 0), list, 0);
}
#else
static int split(struct folio *folio, struct list_head *list)
{
	return split_folio_to_list(folio, list);
}
#endif

static int split_for(struct folio *folio, struct list_head *list)
{
	bool advised = called_by("madvise_cold_or_pageout_pte_range") || called_by("madvise_free_pte_range");
	u8 code = wire->ops[op_index].code;
	bool migrates = code == OP_migrate || code == OP_migrate_begin || code == OP_pin;
	/* The orders of choices.def. */
	int err, order = migrates ? (MMDIFF_BEFORE(6, 18) ? 2 : 3) : (MMDIFF_BEFORE(6, 18) ? 0 : 1);

	if (advised)
		asked_until_split(folio);
	err = split(folio, list);
	if (err && advised)
		asked_not_split();
	if (!err && list && order)
		choose(CHOICE_SplitOrder, order, 0, 0);
	return err;
}

#if MMDIFF_BEFORE(6, 18)
static int hook_split_huge_page_to_list_to_order(struct page *page, struct list_head *list, unsigned int order)
{
	return split_for(page_folio(page), list);
}
#else
static int hook_split_folio_to_list(struct folio *folio, struct list_head *list)
{
	return split_for(folio, list);
}
#endif

#if MMDIFF_BEFORE(6, 16)
static bool hook_add_to_swap(struct folio *folio)
{
	return mmdiff_swap_alloc(folio);
}
#else
static int hook_folio_alloc_swap(struct folio *folio)
{
	return mmdiff_swap_alloc(folio) ? 0 : -ENOMEM;
}
#endif

static unsigned long hook_reclaim_pages(struct list_head *folios)
{
	asked_until_reclaim(folios);
	return reclaim_pages(folios);
}

void shrink_folio_list(void);
void mmdiff_shrink_folio_list(void);

/* --- the table ---------------------------------------------------------------------------------------- */

struct hook {
	const char *name;
	void *from, *to;
	struct ftrace_ops ops;
	bool set;
};
/* A function of ours that is not of the same type as the kernel's is an error. */
#define HOOK(function) { .name = #function, .from = function, .to = (typeof(&function)){ hook_##function } }
static struct hook hooks[] = {
	HOOK(handle_mm_fault), HOOK(migration_entry_wait), HOOK(__folio_lock_or_retry), HOOK(shmem_fault),
#if !MMDIFF_BEFORE(7, 2)
	HOOK(swapin_sync),
#endif
#if !MMDIFF_BEFORE(7, 3)
	HOOK(ksm_might_need_to_copy), HOOK(do_swap_page),
#endif
#if !MMDIFF_BEFORE(6, 18)
	HOOK(folio_pte_batch),
#endif
	HOOK(filemap_map_pages), HOOK(workingset_refault), HOOK(folio_add_anon_rmap_ptes), HOOK(set_pte_range),
	HOOK(folio_isolate_lru), HOOK(migrate_pages),
	HOOK(lru_add_drain), HOOK(tlb_gather_mmu), HOOK(tlb_flush_mmu), HOOK(tlb_finish_mmu), HOOK(__mm_populate),
	HOOK(page_vma_mapped_walk), HOOK(try_to_unmap), HOOK(try_to_migrate), HOOK(folio_referenced),
	HOOK(remove_migration_ptes),
#if MMDIFF_BEFORE(6, 18)
	HOOK(split_huge_page_to_list_to_order),
#else
	HOOK(split_folio_to_list),
#endif
#if MMDIFF_BEFORE(6, 16)
	HOOK(add_to_swap),
#else
	HOOK(folio_alloc_swap),
#endif
	HOOK(reclaim_pages),
	{ .name = "shrink_folio_list", .from = shrink_folio_list, .to = mmdiff_shrink_folio_list },
};

static void notrace send_round(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			       struct ftrace_regs *fregs)
{
	struct hook *hook = container_of(ops, struct hook, ops);

	if (!ours() || within_module(parent_ip, THIS_MODULE))
		return;
	caller_ip = parent_ip;
	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)hook->to);
}

void hooks_begin(void)
{
	caller_ip = 0;
}

int hooks_init(void)
{
	struct hook *hook;
	int err;

	for (hook = hooks; hook < hooks + ARRAY_SIZE(hooks); hook++) {
		hook->ops.func = send_round;
		hook->ops.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_RECURSION | FTRACE_OPS_FL_IPMODIFY;
		err = ftrace_set_filter_ip(&hook->ops, (unsigned long)hook->from, 0, 0) ?:
		      register_ftrace_function(&hook->ops);
		if (err)
			panic("mmdiff: calls of %s cannot be seen: error %d", hook->name, err);
	}
	return 0;
}
