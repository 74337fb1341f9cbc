// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel decided where it may decide either way (harness/choices.def). mmdiff's reference checks
 * each decision and follows it. Nothing here changes what the kernel does.
 */
#include <linux/sched/signal.h>
#include <asm/tlb.h>
#include <linux/mman.h>
#include "executor.h"
#include "leaf.h"
#include "internal.h"

static u32 first;

static bool merges_told;

void choices_begin(void)
{
	merges_told = false;
	first = wire->choices_used;
	wire->results[op_index].choices_from = first;
}

void choose(enum mmdiff_choice kind, u32 a, u32 b, u32 c)
{
	struct mmdiff_wire_choice *choice;

	if (!in_op || wire->choices_used == MMDIFF_WIRE_CHOICES)
		return;
	choice = &wire->choices[wire->choices_used++];
	*choice = (struct mmdiff_wire_choice){ .kind = kind, .a = a, .b = b, .c = c };
	wire->results[op_index].choices_n = wire->choices_used - first;
}

/* --- write-protection faults -------------------------------------------------------------------- */

/*
 * Is a page of this folio copied before anything is tried? Of a large folio before 6.15 always; since then
 * if more than two processes may have had it, as the kernel no longer knows whose the mappings are. Of a
 * small one since 7.3 if it has references that no drain of the local CPU can explain.
 */
static bool never_reused(struct folio *folio)
{
	if (!folio_test_anon(folio))
		return false;
	if (folio_test_large(folio))
#if MMDIFF_BEFORE(6, 15)
		return true;
#else
		return test_bit(FOLIO_MM_IDS_SHARED_BITNUM, &folio->_mm_ids);
#endif
	return !MMDIFF_BEFORE(7, 3) &&
	       folio_ref_count(folio) > 1 + !folio_test_lru(folio) + folio_test_swapcache(folio);
}

static bool copies_by_policy(struct vm_area_struct *vma, unsigned long addr, unsigned int flags)
{
	pte_t pte = mmu_pte(vma->vm_mm, vpn_of(addr));
	struct page *page;

	if (vma->vm_flags & VM_SHARED || !pte_present(pte) || is_zero_pfn(pte_pfn(pte)) ||
	    !(flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE)))
		return false;
	page = pfn_to_page(pte_pfn(pte));
	return never_reused(page_folio(page)) && !PageAnonExclusive(page);
}

/* --- swap-in -------------------------------------------------------------------------------------- */

struct swap_in {
	bool swapped;		/* the entry was one of swap */
	bool direct;		/* nothing else has its slot, so that the swap cache may be passed by */
	bool exclusive;		/* says the entry */
	struct folio *cached;	/* what caches its slot, to be compared only */
	bool large;		/* that is large */
	swp_entry_t entry;
};

static void swap_in_begin(struct vm_area_struct *vma, unsigned long addr, struct swap_in *s)
{
	pte_t pte = mmu_pte(vma->vm_mm, vpn_of(addr));

	s->swapped = false;
	if (pte_none(pte) || pte_present(pte))
		return;
	s->entry = softleaf_from_pte(pte);
	if (!softleaf_is_swap(s->entry))
		return;
	s->swapped = true;
	s->exclusive = pte_swp_exclusive(pte);
	s->cached = swap_cache_folio(s->entry);
	s->large = s->cached && folio_test_large(s->cached);
#if MMDIFF_BEFORE(6, 18)
	s->direct = swp_swapcount(s->entry) == 1 && !swap_cached(s->entry);
#else
	s->direct = false;
#endif
}

/* The swap cache was passed by; or the folio was left in it, though no entry needs it any more. */
static void swap_in_end(struct vm_area_struct *vma, unsigned long addr, struct swap_in *s)
{
	struct page *page = mmu_page(vma->vm_mm, vpn_of(addr));
	struct folio *folio;
	u32 i;

	if (!s->swapped || !page)
		return;
	if (s->direct) {
		choose(CHOICE_SwapDirect, folio_order(page_folio(page)), vpn_of(addr), 0);
		return;
	}
	folio = swap_cache_folio(s->entry);
	for (i = 0; folio && i < folio_nr_pages(folio); i++)
		if (swp_swapcount(swp_entry(swp_type(folio->swap), swp_offset(folio->swap) + i)))
			folio = NULL;
	if (folio)
		choose(CHOICE_SwapKeep, 0, vpn_of(addr), 0);
	if (MMDIFF_BEFORE(6, 15) && s->large && page_folio(page) != s->cached)
		choose(CHOICE_WpReuse, 0, vpn_of(addr), 0);
}

static u32 fault_vpn;
static struct swap_in *swap_in;	/* of the fault that is going on */

/* A large folio is mapped as a whole: before 6.18 a locked VMA leaves it to reclaim to mlock it. */
static void maps_whole(struct folio *folio, int nr, struct vm_area_struct *vma, unsigned long addr)
{
	if (MMDIFF_BEFORE(6, 18) && nr > 1 && nr == folio_nr_pages(folio) && vma->vm_flags & VM_LOCKED)
		choose(CHOICE_NoMlock, 0, vpn_of(addr), 0);
}

void mmdiff_swap_in_maps(struct folio *folio, int nr, struct vm_area_struct *vma, unsigned long addr,
			 bool exclusive)
{
	if (exclusive && !swap_in->exclusive)
		choose(CHOICE_SwapExclusive, 0, fault_vpn, 0);
	maps_whole(folio, nr, vma, addr);
}

bool mmdiff_around_whole(struct folio *folio, unsigned long addr, pte_t *ptep, unsigned long start,
			 unsigned long nr)
{
	unsigned long i;

	if ((addr & PMD_MASK) != ((addr + folio_size(folio) - 1) & PMD_MASK))
		return true;
	for (i = 0; i < folio_nr_pages(folio); i++) {
		if ((i < start || i >= start + nr) && pte_none(ptep_get(ptep + i))) {
			choose(CHOICE_AroundWhole, 0, vpn_of(addr), 0);
			break;
		}
	}
	return true;
}

void mmdiff_undrained(struct vm_fault *vmf, struct folio *folio)
{
	if (vmf->flags & FAULT_FLAG_WRITE && !folio_test_lru(folio))
		choose(CHOICE_NoDrain, 0, fault_vpn, 0);
}

struct folio *mmdiff_swapped_in(struct folio *folio)
{
	if (!IS_ERR_OR_NULL(folio) && folio_test_large(folio)) {
		choose(CHOICE_SwapLarge, folio_order(folio), fault_vpn, 0);
		swapdev_read(folio);
	}
	return folio;
}

void mmdiff_file_maps(struct vm_fault *vmf, struct folio *folio, int nr, unsigned long addr, pte_t entry,
		      bool read)
{
	/* Fault-around has no page of the fault's own yet. */
	if (vmf->page && nr > 1)
		choose(CHOICE_MapWhole, 0, vpn_of(addr), 0);
	if (read && pte_dirty(entry))
		choose(CHOICE_ReadDirty, 0, vpn_of(addr), nr);
	maps_whole(folio, nr, vmf->vma, addr);
}

/* --- protection ----------------------------------------------------------------------------------- */

void mmdiff_protects(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, unsigned int nr)
{
	unsigned int i;

	for (i = 1; i < nr; i++) {
		pte_t a = ptep_get(ptep), b = ptep_get(ptep + i);

		if (pte_young(a) != pte_young(b) || pte_dirty(a) != pte_dirty(b)) {
			choose(CHOICE_ProtectBatch, 0, vpn_of(addr), nr);
			return;
		}
	}
}

void mmdiff_refault(struct folio *folio, void *shadow)
{
	bool active = folio_test_active(folio);

	workingset_refault(folio, shadow);
	if (!active && folio_test_active(folio))
		choose(CHOICE_Refault, 0, fault_vpn, 0);
}

vm_fault_t mmdiff_handle_mm_fault(struct vm_area_struct *vma, unsigned long addr, unsigned int flags,
				  struct pt_regs *regs)
{
	vm_fault_t ret;
	struct swap_in here;

	fault_vpn = vpn_of(addr);
	swap_in = &here;
	swap_in_begin(vma, addr, &here);
	if (copies_by_policy(vma, addr, flags))
		choose(CHOICE_WpReuse, 0, vpn_of(addr), 0);
	ret = handle_mm_fault(vma, addr, flags, regs);
	swap_in_end(vma, addr, &here);
	/* Only GUP would try again and again. */
	if (would_wait && !(ret & VM_FAULT_COMPLETED))
		ret = VM_FAULT_SIGBUS;
	return ret;
}

/* --- long-term pins ------------------------------------------------------------------------------- */

/*
 * Which drains a long-term pin makes is not reported: they are those of the reference's own rule
 * (GupDrain), and a kernel with another rule is told apart by what its batches hold.
 */
static bool isolated_in_pass;

static void stop_retrying(bool stop)
{
	would_wait = stop;
	if (stop) {
		sigaddset(&current->pending.signal, SIGKILL);
		set_tsk_thread_flag(current, TIF_SIGPENDING);
	} else {
		sigdelset(&current->pending.signal, SIGKILL);
		clear_tsk_thread_flag(current, TIF_SIGPENDING);
	}
}

/* A pass that isolates nothing would be repeated for ever: the next one does not begin. */
bool mmdiff_gup_isolate(struct folio *folio)
{
	if (folio_isolate_lru(folio)) {
		if (in_op && !isolated_in_pass)
			stop_retrying(false);
		isolated_in_pass = true;
		return true;
	}
	if (in_op && !isolated_in_pass)
		stop_retrying(true);
	return false;
}

void mmdiff_gup_migrates(void)
{
	isolated_in_pass = false;
}

void choices_end(void)
{
	bool waits = would_wait;

	isolated_in_pass = false;
	if (sigismember(&current->pending.signal, SIGKILL))
		stop_retrying(false);
	would_wait = waits;
}

/* --- merges ---------------------------------------------------------------------------------------- */

/*
 * Before 6.16 a VMA that has an anon_vma does not take in a neighbour that has none, while the other way
 * round it does. Where two VMAs stand side by side after an operation on their flags and could be one but for
 * their anon_vmas, which may have come later, that is told, before the operation's other choices.
 */
#if MMDIFF_BEFORE(6, 16)
static void tell_no_merge(u32 *told, u32 vpn)
{
	struct mmdiff_wire_choice *from = &wire->choices[first + *told];
	u32 n = wire->choices_used - first - *told;

	choose(CHOICE_NoMerge, 0, vpn, 0);
	if (wire->choices_used - first - *told == n)
		return;
	memmove(from + 1, from, n * sizeof(*from));
	*from = (struct mmdiff_wire_choice){ .kind = CHOICE_NoMerge, .b = vpn };
	++*told;
}

/* Has the VMA the flags that the operation gives? */
static bool has_flags(const struct mmdiff_wire_op *op, struct vm_area_struct *vma)
{
	unsigned long f = vma->vm_flags;

	switch (op->code) {
	case OP_dontfork: return f & VM_DONTCOPY;
	case OP_dofork: return !(f & VM_DONTCOPY);
	case OP_lock: return (f & VM_LOCKED_MASK) == VM_LOCKED;
	case OP_lock_onfault: return (f & VM_LOCKED_MASK) == VM_LOCKED_MASK;
	case OP_unlock: return !(f & VM_LOCKED_MASK);
	case OP_protect: return !(f & VM_READ) == !(op->arg[3] & 3) && !(f & VM_WRITE) == !(op->arg[3] & 2);
	}
	return true;
}
#endif

void choices_of_merges(struct process *p)
{
#if MMDIFF_BEFORE(6, 16)
	struct vm_area_struct *vma, *left = NULL;
	u32 told = 0;
	VMA_ITERATOR(vmi, p->mm, MMDIFF_ARENA);

	if (merges_told)
		return;
	merges_told = true;
	for_each_vma(vmi, vma) {
		if (left && left->vm_end == vma->vm_start && left->vm_flags == vma->vm_flags &&
		    left->vm_file == vma->vm_file &&
		    left->vm_pgoff + vma_pages(left) == vma->vm_pgoff && left->anon_vma != vma->anon_vma)
			tell_no_merge(&told, vpn_of(vma->vm_start));
		left = vma;
	}
#endif
}

void choices_of_failed_merge(struct process *p, const struct mmdiff_wire_op *op)
{
#if MMDIFF_BEFORE(6, 16)
	unsigned long start = addr_of(op->arg[1]), end = start + ((unsigned long)op->arg[2] << PAGE_SHIFT);
	struct vm_area_struct *vma;
	u32 told = 0;
	VMA_ITERATOR(vmi, p->mm, start);

	if (p->mm->map_count < sysctl_max_map_count)
		return;
	for_each_vma_range(vmi, vma, end) {
		if (has_flags(op, vma))
			continue;
		/* This is the one that had to be split, since neither of its ends merges. */
		tell_no_merge(&told, vpn_of(max(start, vma->vm_start)));
		tell_no_merge(&told, vpn_of(min(end, vma->vm_end)));
		return;
	}
#endif
}

void mmdiff_vmas_changed(void)
{
	struct process *p = process_of(current->mm);

	if (in_op && p)
		choices_of_merges(p);
}

/* --- zaps ------------------------------------------------------------------------------------------ */

void mmdiff_drain_at_zap(void)
{
	choose(CHOICE_LruDrain, 0, 0, 0);
	lru_add_drain();
}

unsigned long mmdiff_gathers;
static bool drained_since_flush;

void mmdiff_gather_flush(void)
{
	drained_since_flush = false;
}

/* Called for each batch of pages that a gather frees; told once for a flush. */
void mmdiff_drain_at_free(void)
{
	if (!drained_since_flush)
		choose(CHOICE_LruDrain, 1, 0, 0);
	drained_since_flush = true;
	lru_add_drain();
}

void mmdiff_drain_at_dontneed(void)
{
	if (in_op && (wire->ops[op_index].code == OP_dontneed || wire->ops[op_index].code == OP_zap_begin))
		choose(CHOICE_LruDrain, 0, 0, 0);
	lru_add_drain();
}

void mmdiff_madvise_gather_finished(struct mmu_gather *tlb)
{
	if (in_op && wire->ops[op_index].code == OP_free && tlb->end)
		mmdiff_gather_finished(tlb->mm, tlb->end);
}

/* zap_pte_range() ran out of memory for its gather in mid-table, at addr. */
void mmdiff_zap_flush(struct mm_struct *mm, unsigned long addr, bool full)
{
	if (full)
		mmdiff_gather_finished(mm, addr);
}

void mmdiff_gather_finished(struct mm_struct *mm, unsigned long end)
{
	struct process *p = process_of(mm);

	if (p)
		choose(CHOICE_GatherFlush, p->id, vpn_of(end) - 1, 0);
}

/* --- walks of the reverse map ------------------------------------------------------------------- */

/*
 * A walk that may stop early reports each visit when it moves on or ends: only then is it known how many
 * entries of a batch it handled. mm/rmap.c calls page_vma_mapped_walk() through here.
 */
enum walk_kind { WALK_NONE, WALK_UNMAP, WALK_MIGRATE, WALK_REMAP, WALK_REFERENCED };
static struct {
	enum walk_kind kind;
	struct folio *folio;
	bool heeds_mlock;
	struct vm_area_struct *locked;	/* the locked VMA that has been reported */
	struct process *process;	/* of the visit that is not reported yet */
	u32 vpn, n;
	bool lazyfree;	/* when it began */
} walk;

static void visit_end(void)
{
	if (walk.process) {
		choose(CHOICE_Visit, walk.process->id, walk.vpn, walk.n);
		if (MMDIFF_BEFORE(6, 18) && walk.kind == WALK_UNMAP && walk.locked && folio_test_large(walk.folio))
			choose(CHOICE_NoMlock, 0, walk.vpn, 0);
	}
	walk.process = NULL;
}

/* Is all of the folio mapped here, by one VMA in one page table? */
static bool whole(struct page_vma_mapped_walk *pvmw)
{
	struct vm_area_struct *vma = pvmw->vma;
	u32 vpn = vpn_of(pvmw->address), i, n = folio_nr_pages(walk.folio);
	struct page *page = mmu_page(vma->vm_mm, vpn);
	u32 first;

	if (!page)
		return false;
	first = vpn - folio_page_idx(walk.folio, page);
	if (first / PTRS_PER_PTE != (first + n - 1) / PTRS_PER_PTE || addr_of(first) < vma->vm_start ||
	    addr_of(first + n) > vma->vm_end)
		return false;
	for (i = 0; i < n; i++)
		if (mmu_page(vma->vm_mm, first + i) != folio_page(walk.folio, i))
			return false;
	return true;
}

bool mmdiff_page_vma_mapped_walk(struct page_vma_mapped_walk *pvmw)
{
	bool found = page_vma_mapped_walk(pvmw);

	visit_end();
	if (walk.kind == WALK_NONE || !found || !pvmw->pte)
		return found;
	if (walk.heeds_mlock && (pvmw->vma->vm_flags & VM_LOCKED)) {
		/* The walk ends here: at once when it unmaps, else if the folio is locked as a whole. */
		if (walk.locked == pvmw->vma || (walk.kind == WALK_REFERENCED && !whole(pvmw)))
			return found;
		walk.locked = pvmw->vma;
	}
	walk.process = process_of(pvmw->vma->vm_mm);
	walk.vpn = vpn_of(pvmw->address);
	walk.n = 1;
	return found;
}

/* mm/rmap.c: the visit that is going on is of a batch. */
unsigned int mmdiff_visit_batch(unsigned int n)
{
	walk.n = n;
	return n;
}

static void walk_begin(enum walk_kind kind, struct folio *folio, bool heeds_mlock)
{
	walk.kind = kind;
	walk.folio = folio;
	walk.heeds_mlock = heeds_mlock;
	walk.locked = NULL;
	walk.process = NULL;
	walk.lazyfree = folio_test_anon(folio) && !folio_test_swapbacked(folio);
}

static void walk_end(void)
{
	visit_end();
#ifdef MMDIFF_LAZYFREE_SEEN_LATE
	if (walk.kind == WALK_UNMAP && walk.lazyfree && folio_test_swapbacked(walk.folio) &&
	    !folio_test_dirty(walk.folio))
		choose(CHOICE_LazyfreeKeep, 0, walk.vpn, 0);
#endif
	walk.kind = WALK_NONE;
}

int mmdiff_split_to_list(struct folio *folio, struct list_head *list, int order)
{
	int err = split_folio_to_list(folio, list);

	if (!err && order)
		choose(CHOICE_SplitOrder, order, 0, 0);
	return err;
}

void mmdiff_keep_lazyfree(struct folio *folio)
{
	if (walk.kind == WALK_UNMAP && !folio_test_swapbacked(folio) && !folio_test_dirty(folio)) {
		u32 vpn = walk.vpn;

		visit_end();
		choose(CHOICE_LazyfreeKeep, 0, vpn, 0);
	}
	folio_set_swapbacked(folio);
}

void mmdiff_try_to_unmap(struct folio *folio, enum ttu_flags flags)
{
	walk_begin(WALK_UNMAP, folio, !(flags & TTU_IGNORE_MLOCK));
	try_to_unmap(folio, flags);
	walk_end();
}

void mmdiff_try_to_migrate(struct folio *folio, enum ttu_flags flags)
{
	walk_begin(WALK_MIGRATE, folio, false);
	try_to_migrate(folio, flags);
	walk_end();
}

void mmdiff_remap_begin(struct folio *folio)
{
	walk_begin(WALK_REMAP, folio, false);
}

void mmdiff_remap_end(void)
{
	walk_end();
}

int mmdiff_folio_referenced(struct folio *folio, int is_locked, struct mem_cgroup *memcg,
			    mmdiff_vm_flags *vm_flags)
{
	int n;

	walk_begin(WALK_REFERENCED, folio, true);
	n = folio_referenced(folio, is_locked, memcg, vm_flags);
	walk_end();
#if MMDIFF_BEFORE(6, 18)
	if ((*vm_flags & VM_LOCKED) && folio_test_referenced(folio) &&
	    wire->ops[op_index].code != OP_referenced)
		choose(CHOICE_LockedForgotten, 0, 0, 0);
#endif
	return n;
}

bool mmdiff_mapped_shared(struct folio *folio, unsigned long addr, bool answer)
{
	if (folio_test_large(folio))
		choose(CHOICE_MaybeShared, answer, vpn_of(addr), MMDIFF_BEFORE(6, 15));
	return answer;
}
