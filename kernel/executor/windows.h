/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Windows: what the executor reaches inside files of mm/, and what those files ask the executor.
 *
 * A window is a file of ours in place of a file of the tree; it includes the tree's file unchanged, under
 * the name x.tree.c, and adds doors to its static functions. Where it puts a macro over a function's
 * name, that is said in the window.
 */
#ifndef MMDIFF_WINDOWS_H
#define MMDIFF_WINDOWS_H

#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/version.h>

#define MMDIFF_BEFORE(major, minor) (LINUX_VERSION_CODE < KERNEL_VERSION(major, minor, 0))

struct folio_batch;
struct list_head;
struct page_vma_mapped_walk;
struct pt_regs;
struct swap_info_struct;

/* In the order of BatchKind of state/state.h. */
enum mmdiff_batch_kind {
	MMDIFF_BATCH_LRU_ADD,
	MMDIFF_BATCH_ACTIVATE,
	MMDIFF_BATCH_DEACTIVATE,
	MMDIFF_BATCH_LAZYFREE,
	MMDIFF_BATCH_MLOCK,
	MMDIFF_BATCH_KINDS
};

/* mm/swap.c, mm/mlock.c: the batches of the one real CPU. */
struct folio_batch *mmdiff_lru_batch(enum mmdiff_batch_kind kind);
struct folio_batch *mmdiff_mlock_batch(void);
extern unsigned int mmdiff_batch_size;	/* the world's; at most what a folio_batch holds */
#define mmdiff_folio_batch_add(batch, folio) ({					\
	struct folio_batch *__batch = (batch);					\
	__batch->folios[__batch->nr++] = (folio);				\
	__batch->nr < mmdiff_batch_size ? mmdiff_batch_size - __batch->nr : 0;	\
})
void mmdiff_drain_all(void);	/* lru_add_drain_all(), over the emulated CPUs */

/* mm/memory.c */
void mmdiff_set_fault_around(unsigned int pages);
void mmdiff_would_wait(void);	/* the program would sleep on what it holds itself */
struct address_space;
bool mmdiff_held(struct address_space *mapping, pgoff_t index);	/* a fault on this page would sleep so */
struct mmu_gather;
void mmdiff_zap_range(struct mmu_gather *tlb, struct vm_area_struct *vma, unsigned long start,
		      unsigned long end);

/* kernel/fork.c */
struct mm_struct *mmdiff_dup_mm(struct mm_struct *oldmm);

/* mm/vmscan.c: shrink_folio_list() over isolated folios of one node, references counted. */
unsigned int mmdiff_shrink_list(struct list_head *folios, int nid);
void mmdiff_no_readahead(void);	/* mm/swap_state.c */

/* mm/vmscan.c: pageout() of a locked folio; true: it is clean, and locked. */
bool mmdiff_pageout(struct folio *folio);

/* mm/migrate.c: the phases of migrate_pages() for one folio. Errors are negative errnos. */
#define MMDIFF_UNMAPPED 1
int mmdiff_migrate_unmap(struct folio *src, int nid, struct folio **dst);
int mmdiff_migrate_move(struct folio *src, struct folio *dst);
void mmdiff_migrate_undo(struct folio *src, struct folio *dst);

/* mm/swapfile.c */
void mmdiff_swap_forget_place(void);

/* What the kernel decided, see choices.c. */
vm_fault_t mmdiff_handle_mm_fault(struct vm_area_struct *vma, unsigned long addr, unsigned int flags,
				  struct pt_regs *regs);
bool mmdiff_gup_isolate(struct folio *folio);
void mmdiff_gup_migrates(void);
void mmdiff_drain_at_zap(void);
extern unsigned long mmdiff_gathers;	/* opened since boot */
void mmdiff_gather_flush(void);
void mmdiff_drain_at_free(void);
void mmdiff_drain_at_dontneed(void);	/* the same, if the operation is one */
void mmdiff_zap_flush(struct mm_struct *mm, unsigned long addr, bool full);
void mmdiff_gather_finished(struct mm_struct *mm, unsigned long end);
/* split_folio_to_list(); `order` is what comes of it, as SplitOrder says. */
int mmdiff_split_to_list(struct folio *folio, struct list_head *list, int order);
void mmdiff_keep_lazyfree(struct folio *folio);
void mmdiff_refault(struct folio *folio, void *shadow);
void mmdiff_undrained(struct vm_fault *vmf, struct folio *folio);	/* swap-in has the folio, and its lock */
struct folio *mmdiff_swapped_in(struct folio *folio);	/* of swapin_sync() */
/*
 * Fault-around is to map all of the folio from addr on, if it lies in one page table, and not the nr pages
 * from `start` on alone; true.
 */
bool mmdiff_around_whole(struct folio *folio, unsigned long addr, pte_t *ptep, unsigned long start,
			 unsigned long nr);
/* set_pte_range() maps nr pages of a file's folio, from addr on, by `entry`; `read` says what for. */
void mmdiff_file_maps(struct vm_fault *vmf, struct folio *folio, int nr, unsigned long addr, pte_t entry,
		      bool read);
/* change_pte_range() is to treat nr entries as one. */
void mmdiff_protects(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, unsigned int nr);
/* do_swap_page() maps nr pages of the folio from addr on; `exclusive` as it is told the reverse map. */
void mmdiff_swap_in_maps(struct folio *folio, int nr, struct vm_area_struct *vma, unsigned long addr,
			 bool exclusive);
void mmdiff_madvise_gather_finished(struct mmu_gather *tlb);
void mmdiff_vmas_changed(void);	/* mm/mlock.c: what is to be populated has its flags */
bool mmdiff_page_vma_mapped_walk(struct page_vma_mapped_walk *pvmw);
unsigned int mmdiff_visit_batch(unsigned int n);
void mmdiff_try_to_unmap(struct folio *folio, enum ttu_flags flags);
void mmdiff_try_to_migrate(struct folio *folio, enum ttu_flags flags);
void mmdiff_remap_begin(struct folio *folio);	/* mm/huge_memory.c: the entries of a piece are removed */
void mmdiff_remap_end(void);
#if MMDIFF_BEFORE(7, 3)
typedef vm_flags_t mmdiff_vm_flags;
#else
typedef vma_flags_t mmdiff_vm_flags;
#endif
int mmdiff_folio_referenced(struct folio *folio, int is_locked, struct mem_cgroup *memcg,
			    mmdiff_vm_flags *vm_flags);
bool mmdiff_mapped_shared(struct folio *folio, unsigned long addr, bool answer);

/* Slots and the swap cache for a folio, or false; see swapdev.c. */
bool mmdiff_swap_alloc(struct folio *folio);

#endif
