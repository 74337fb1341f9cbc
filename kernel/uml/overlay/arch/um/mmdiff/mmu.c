// SPDX-License-Identifier: GPL-2.0
/*
 * Own: what the hardware does on an access. Each CPU has a TLB that holds single pages, never evicts one
 * by itself, and forgets only what the kernel flushes: the harshest case, in which every missing flush is
 * seen as a stale access.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "executor.h"

/*
 * Parts of TLBs that no process has, all zero but for the first word of each, which links them. They are
 * kept: what is mapped and unmapped again costs a system call for each page.
 */
static void *spare_parts;

static struct tlb_entry *part_new(void)
{
	void **part = spare_parts;

	if (!part)
		return kzalloc(sizeof(struct tlb_entry) * PTRS_PER_PTE, GFP_KERNEL);
	spare_parts = *part;
	*part = NULL;
	return (struct tlb_entry *)part;
}

static struct tlb_entry *tlb_slot(struct process *p, u32 on_cpu, u32 vpn)
{
	struct tlb *tlb = &p->tlb[on_cpu];
	struct tlb_entry **part = &tlb->part[vpn / PTRS_PER_PTE];

	if (!*part) {
		*part = part_new();
		if (!*part)
			panic("mmdiff: no memory for a TLB");
		tlb->nparts++;
	}
	return *part + vpn % PTRS_PER_PTE;
}

static void tlb_insert(struct process *p, u32 vpn, pte_t pte)
{
	struct tlb_entry *e = tlb_slot(p, cpu, vpn);
	struct tlb *tlb = &p->tlb[cpu];

	if (!e->listed) {
		if (tlb->nused == tlb->room) {
			tlb->room = max(2 * tlb->room, (u32)PTRS_PER_PTE);
			tlb->used = krealloc_array(tlb->used, tlb->room, sizeof(*tlb->used), GFP_KERNEL);
			if (!tlb->used)
				panic("mmdiff: no memory for a TLB");
		}
		e->listed = 1;
		tlb->used[tlb->nused++] = vpn;
	}
	e->page = pfn_to_page(pte_pfn(pte));
	e->zero = is_zero_pfn(pte_pfn(pte));
	e->write = pte_write(pte);
	e->dirty = pte_dirty(pte);
}

/* For a new process, and after its end. */
void tlb_reset(struct process *p)
{
	int c;
	u32 i;

	for (c = 0; c < MMDIFF_CPUS; c++) {
		struct tlb *tlb = &p->tlb[c];

		for (i = 0; i < tlb->nused; i++)
			*tlb_entry(tlb, tlb->used[i]) = (struct tlb_entry){ 0 };
		tlb->nused = 0;
		for (i = 0; tlb->nparts; i++) {
			if (!tlb->part[i])
				continue;
			tlb->nparts--;
			*(void **)tlb->part[i] = spare_parts;
			spare_parts = tlb->part[i];
			tlb->part[i] = NULL;
		}
	}
}

/* --- flushes, as the kernel asks for them ------------------------------------------------------- */

void mmdiff_tlb_flush(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct process *p = process_of(mm);
	int c;
	u32 i;

	if (!p)
		return;
	if (start == 0 && end == ULONG_MAX)
		p->flush_pending = false;
	for (c = 0; c < MMDIFF_CPUS; c++) {
		struct tlb *tlb = &p->tlb[c];
		u32 kept = 0;

		for (i = 0; i < tlb->nused; i++) {
			u32 vpn = tlb->used[i];

			if (addr_of(vpn) >= start && addr_of(vpn) < end)
				*tlb_entry(tlb, vpn) = (struct tlb_entry){ 0 };
			else
				tlb->used[kept++] = vpn;
		}
		tlb->nused = kept;
	}
}

bool mmdiff_tlb_should_defer(struct mm_struct *mm)
{
	struct process *p = process_of(mm);

	return p && (p->cpus & ~(1u << cpu));
}

void mmdiff_tlb_add_pending(struct mm_struct *mm)
{
	struct process *p = process_of(mm);

	if (p)
		p->flush_pending = true;
}

void mmdiff_tlb_flush_pending(void)
{
	u32 i;

	for (i = 0; i < processes_end; i++)
		if (processes[i] && processes[i]->flush_pending)
			mmdiff_tlb_flush(processes[i]->mm, 0, ULONG_MAX);
}

/* --- accesses ----------------------------------------------------------------------------------- */

static u64 touch(struct tlb_entry *e, bool write, u64 value)
{
	if (e->zero)
		return 0;
	if (write)
		*content_of(e->page) = value;
	return *content_of(e->page);
}

/* A walk of the page table: sets young and dirty and fills the TLB, or says that it takes a fault. */
static bool walk(struct process *p, u32 vpn, bool write)
{
	pte_t *ptep = mmu_pte_at(p->mm, addr_of(vpn)), pte;

	if (!ptep)
		return false;
	pte = pte_mkuptodate(*ptep);
	if (!(pte_val(pte) & _PAGE_PRESENT) || (write && !pte_write(pte)))
		return false;
	pte = pte_mkyoung(pte);
	if (write)
		pte = pte_mkdirty(pte);
	set_pte(ptep, pte);
	tlb_insert(p, vpn, pte);
	return true;
}

static int fault(struct process *p, u32 vpn, bool write)
{
	unsigned int flags = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT | FAULT_FLAG_USER |
			     (write ? FAULT_FLAG_WRITE : 0);
	struct mm_struct *mm = p->mm;
	struct vm_area_struct *vma;
	vm_fault_t ret;

	if (!mmap_read_trylock(mm))
		return EAGAIN;
	vma = vma_lookup(mm, addr_of(vpn));
	if (!vma || !(vma->vm_flags & (write ? VM_WRITE : VM_READ))) {
		mmap_read_unlock(mm);
		return EFAULT;
	}
	would_wait = false;
	ret = mmdiff_handle_mm_fault(vma, addr_of(vpn), flags, NULL);
	if (ret & VM_FAULT_COMPLETED)
		return 0;
	mmap_read_unlock(mm);
	if (would_wait || (ret & VM_FAULT_RETRY))
		return EAGAIN;
	return ret & VM_FAULT_ERROR ? EFAULT : 0;
}

struct access mmu_access(struct process *p, u32 vpn, bool write, u64 value)
{
	struct access a = { 0 };
	int tries;

	for (tries = 0; tries < 16; tries++) {
		struct tlb_entry *e = tlb_slot(p, cpu, vpn);

		if (e->page && write && e->write && !e->dirty) {
			/* The CPU sets the dirty bit in memory, if the entry still says the same. */
			pte_t *ptep = mmu_pte_at(p->mm, addr_of(vpn));
			pte_t pte = ptep ? pte_mkuptodate(*ptep) : __pte(0);

			if ((pte_val(pte) & _PAGE_PRESENT) && pte_write(pte) &&
			    pfn_to_page(pte_pfn(pte)) == e->page) {
				set_pte(ptep, pte_mkyoung(pte_mkdirty(pte)));
				e->dirty = 1;
			} else {
				e->page = NULL;
			}
		} else if (e->page && write && !e->write) {
			e->page = NULL;
		}
		if (e->page || walk(p, vpn, write)) {
			a.value = touch(e, write, value);
			return a;
		}
		a.err = fault(p, vpn, write);
		if (a.err)
			return a;
	}
	panic("mmdiff: access to page %x of process %u never succeeds", vpn, p->id);
}
