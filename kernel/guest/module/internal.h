/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions of mm/ and of the kernel around it that modules are not offered. The guest's init gives the
 * module their addresses (kernel/guest/init/link.c); what a kernel lacks is an error there, unless it is
 * declared weak here, and then it is NULL.
 */
#ifndef MMDIFF_INTERNAL_H
#define MMDIFF_INTERNAL_H

#include <linux/ftrace.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/swap.h>

/* asm/tlbflush.h does not show these to modules. */
void flush_tlb_mm_range(struct mm_struct *mm, unsigned long start, unsigned long end, unsigned int stride_shift,
			bool freed_tables);
#define flush_tlb_mm(mm) flush_tlb_mm_range(mm, 0, -1ul, 0, true)

#include <asm/tlb.h>
#include "windows.h"

/* mm/internal.h, mm/swap.h */
#if !MMDIFF_BEFORE(7, 3)
void lru_add_drain(void);
void lru_cache_disable(void);
extern atomic_t lru_disable_count;
static inline void lru_cache_enable(void)
{
	atomic_dec(&lru_disable_count);
}
void workingset_refault(struct folio *folio, void *shadow);
#endif
extern int sysctl_max_map_count;
struct migration_target_control {
	int nid;
	nodemask_t *nmask;
	gfp_t gfp_mask;
	enum migrate_reason reason;
};
bool folio_isolate_lru(struct folio *folio);
void folio_putback_lru(struct folio *folio);
unsigned long reclaim_pages(struct list_head *folios);
void try_to_unmap_flush(void);
#if MMDIFF_BEFORE(7, 1)
void unmap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma, unsigned long addr, unsigned long end,
		      struct zap_details *details);
#else
void zap_vma_range_batched(struct mmu_gather *tlb, struct vm_area_struct *vma, unsigned long addr,
			   unsigned long size, struct zap_details *details);
#endif
#if MMDIFF_BEFORE(6, 16)
bool add_to_swap(struct folio *folio);
#else
int folio_alloc_swap(struct folio *folio);
#endif
#if MMDIFF_BEFORE(6, 18)
extern struct address_space *swapper_spaces[];
/* As many slots share a tree of the swap cache. */
#define MMDIFF_SWAP_SPACE_SHIFT 14
#define swap_address_space(entry) (&swapper_spaces[swp_type(entry)][swp_offset(entry) >> MMDIFF_SWAP_SPACE_SHIFT])
#define swap_cache_index(entry) (swp_offset(entry) & ((1ul << MMDIFF_SWAP_SPACE_SHIFT) - 1))
#else
struct folio *swap_cache_get_folio(swp_entry_t entry);
#endif

/* The executor's own calls of what hooks.c watches. */
#define tlb_finish_mmu(tlb) (mmdiff_gather_flush(), (tlb_finish_mmu)(tlb))
/* try_to_unmap() makes a lazyfree folio swapbacked again without a call: it is seen afterwards. */
#define MMDIFF_LAZYFREE_SEEN_LATE

/* System calls, by their handlers. */
long __x64_sys_mprotect(const struct pt_regs *regs);
long __x64_sys_mlock(const struct pt_regs *regs);
long __x64_sys_mlock2(const struct pt_regs *regs);
long __x64_sys_munlock(const struct pt_regs *regs);
#define mmdiff_syscall(name, ...) __x64_sys_##name(&(struct pt_regs){ __VA_ARGS__ })
#define sys_mprotect(start, len, prot) mmdiff_syscall(mprotect, .di = (start), .si = (len), .dx = (prot))
#define sys_mlock(start, len) mmdiff_syscall(mlock, .di = (start), .si = (len))
#define sys_mlock2(start, len, flags) mmdiff_syscall(mlock2, .di = (start), .si = (len), .dx = (flags))
#define sys_munlock(start, len) mmdiff_syscall(munlock, .di = (start), .si = (len))

/* The page tables of real hardware are always up to date. */
#define pte_mkuptodate(pte) (pte)

void mmdiff_table_changed(unsigned long table);	/* nobody calls it here: all tables are looked at */

static inline void mmdiff_clear(void *to, unsigned long bytes)
{
	memset(to, 0, bytes);
}

#endif
