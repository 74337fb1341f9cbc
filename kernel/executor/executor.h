/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The executor: runs mmdiff's programs on the mm/ around it, inside the same kernel. That kernel is one that
 * was built around it (kernel/uml) or a prebuilt one whose module it is (kernel/guest/module). What differs
 * between the two is behind the functions of a machine, below; each has files of its own for them.
 *
 *   run.c      a program from its beginning to its end
 *   processes.c  the processes of a program
 *   walk.c     page tables
 *   ops*.c     one function for each operation of ops.def, calling the kernel's own
 *   files.c    own: a file system whose files have known contents
 *   swapdev.c  own: a swap device in memory, and names for swap slots
 *   choices.c  the decisions of the kernel, for mmdiff's reference to check and to follow
 *   folios.c   which folios a program has, and their numbers
 *   observe.c  the digest and the full state
 */
#ifndef MMDIFF_EXECUTOR_H
#define MMDIFF_EXECUTOR_H

#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/swap.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 2, 0)
#include <linux/folio_batch.h>
#else
#include <linux/pagevec.h>
#endif
#include "wire.h"
#include "windows.h"
#include "records.h"

#define MMDIFF_ARENA 0x4000000000ul	/* where page 0 of a process's arena is */
#define MMDIFF_CPUS 8
#define MMDIFF_MMS 64			/* processes alive at once; mmdiff's worlds have 8 by default */
#define MMDIFF_ARENA_PAGES (1u << 16)
#define MMDIFF_TABLES (MMDIFF_ARENA_PAGES / PTRS_PER_PTE)

#if MMDIFF_BEFORE(6, 18)
#define FOLIO_FLAGS(folio) ((folio)->flags)
#else
#define FOLIO_FLAGS(folio) ((folio)->flags.f)
#endif

enum mmdiff_opcode {
#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(name, result, weight, args, doc) OP_##name,
#include "program/ops.def"
	MMDIFF_OPCODES
};
#define MMDIFF_ARG(kind, name) u32 name;
#define MMDIFF_OP(op, result, weight, arglist, doc) struct args_##op { arglist u32 unused; };
#include "program/ops.def"

enum mmdiff_choice {
#define MMDIFF_CHOICE(Name, doc) CHOICE_##Name,
#include "harness/choices.def"
};
/* Values of program/program.h. */
enum {
	MAP_READ = 1, MAP_WRITE = 2, MAP_IS_SHARED = 4, MAP_DO_POPULATE = 8, MAP_DO_LOCK = 16,
	MAP_IS_FIXED = 32, MAP_NOHUGE = 64,
	GUP_WRITE = 1, GUP_LONGTERM = 2, GUP_GET = 4, GUP_FAST = 8,
	TTU_NO_MLOCK = 1, TTU_BATCH = 2,
	NO_FILE = 0xffff, SHMEM_FILE = 0x10000,
};

/* --- a program ------------------------------------------------------------------------------- */

struct tlb_entry {
	struct page *page;	/* NULL: no translation */
	u8 write, dirty, zero;
	u8 listed;		/* is in tlb.used */
};
struct tlb {
	struct tlb_entry *part[MMDIFF_TABLES];	/* one for each page table; from a pool at first use */
	u32 *used;			/* vpns that may have an entry */
	u32 nused, room, nparts;
};
struct table_shadow {
	pte_t *table;			/* as last looked at; NULL: there was none */
	u64 *pte;			/* raw entries */
	u64 *fact;			/* their shares of the digest */
	u32 nused;
};
struct process {
	struct mm_struct *mm;		/* NULL: has ended */
	u32 id;				/* handle */
	u32 slot;			/* in processes[] */
	u32 cpus;			/* CPUs that ever accessed it */
	void *task;			/* the machine's */
	u32 open_zaps;
	bool flush_pending;
	struct tlb tlb[MMDIFF_CPUS];
	struct table_shadow tables[MMDIFF_TABLES];
	u64 facts;			/* share of the digest of its page tables */
};
struct isolated {
	struct folio *folio;	/* NULL: spent or never bound */
	u32 pages, lru, nid;	/* as counted in NR_ISOLATED_* */
};
struct migration {
	struct folio *src, *dst;
	struct isolated iso;
	struct file *file;	/* of shared memory: held while its folio is locked, else NULL */
	bool orphan;		/* nobody else has the file any more */
};
struct pinned {
	struct page **page;	/* zero pages among them */
	u32 npages;
	bool get, open;
};
struct zap {
	struct process *process;
	struct mmu_gather *tlb;
};

extern struct mmdiff_wire *wire;
extern struct process *processes[MMDIFF_MMS];
extern u32 processes_end;	/* all that are alive are below */
extern u32 cpu;			/* of the operation that runs */
extern u32 op_index;
extern bool would_wait;
extern bool in_op;		/* an operation runs: allocations are the program's */

struct op_result {
	int err;		/* positive errno */
	u32 value;
	u64 data;
	bool value_unknown;	/* the kernel does not say how much it did */
	bool unsupported;
};
struct op_result run_op(const struct mmdiff_wire_op *op);
struct process *process_new(u32 id);	/* NULL: no memory, or MMDIFF_MMS are alive */
void process_end(struct process *p);
struct process *process_of(struct mm_struct *mm);
extern u32 result_handle;

/* cpus.c */
void set_cpu(u32 to);
void cpus_reset(void);
struct folio_batch *batch_of(u32 on_cpu, enum mmdiff_batch_kind kind);

/* mmu.c */
struct access {
	int err;
	u64 value;
};
struct access mmu_access(struct process *p, u32 vpn, bool write, u64 value);
void tlb_reset(struct process *p);
static inline struct tlb_entry *tlb_entry(const struct tlb *tlb, u32 vpn)	/* of a vpn in used[] */
{
	return &tlb->part[vpn / PTRS_PER_PTE][vpn % PTRS_PER_PTE];
}

/* walk.c */
pmd_t *mmu_pmd(struct mm_struct *mm, unsigned long addr);
pte_t *mmu_pte_at(struct mm_struct *mm, unsigned long addr);	/* NULL: there is no table */
pte_t mmu_pte(struct mm_struct *mm, u32 vpn);	/* 0 if there is none */
struct page *mmu_page(struct mm_struct *mm, u32 vpn);	/* of a present entry that is not the zero page */
static inline unsigned long addr_of(u32 vpn)
{
	return MMDIFF_ARENA + ((unsigned long)vpn << PAGE_SHIFT);
}
static inline u32 vpn_of(unsigned long addr)
{
	return (addr - MMDIFF_ARENA) >> PAGE_SHIFT;
}
static inline u64 *content_of(struct page *page)
{
	return page_address(page);
}

/* choices.c */
void choices_begin(void);
void choices_end(void);
void choices_of_merges(struct process *p);	/* after an operation that changes VMAs */
/* After one that failed: where, at the limit of VMAs, it did not merge and had to split. */
void choices_of_failed_merge(struct process *p, const struct mmdiff_wire_op *op);
void choose(enum mmdiff_choice kind, u32 a, u32 b, u32 c);

/* files.c */
int filesystem_init(void);
int file_create(u32 npages, u32 order, struct file **out);
u32 file_number(struct address_space *mapping);	/* handle, SHMEM_FILE + n, or NO_FILE */
void files_note_shmem(struct file *file);
void files_reset(void);
void files_bind(u32 handle, struct file *file);
struct file *file_of(u32 handle);

/* swapdev.c */
int swapdev_init(dev_t *dev);		/* makes the device; to be given to swapon() */
void swapdev_reset(void);
void swapdev_release(void);
struct folio *swap_cache_folio(swp_entry_t entry);
bool swap_cached(swp_entry_t entry);
u32 swap_slot_of(swp_entry_t entry);	/* the name of a slot */
u32 swap_slots(void);			/* names in use are below this */
bool swap_slot_state(u32 slot, struct swap_record *out);
void swapdev_read(struct folio *folio);	/* a large folio, into the swap cache */
void swapdev_collect(void);		/* gives back the names of slots that are free */

/* folios.c */
int folios_init(void);
void folios_reset(void);
u32 folio_number(struct folio *folio);	/* kNoFolio if it is none of the program's */
extern u32 nfolios;
extern unsigned long pages_freed;	/* of the program's folios, since boot */
struct tracked {
	unsigned long pfn;
	u32 id;
	u32 order;
	u64 fact;
};
extern struct tracked *tracked;		/* sorted by nothing; nfolios of them */
bool folio_unchanged(const struct tracked *t);	/* since folio_remember(); false if never */
void folio_remember(const struct tracked *t);
void folios_settle(void);		/* after an operation: what was split, what is new */

/* observe.c */
void all_tables_changed(void);	/* entries are to be looked at again, though nothing wrote them */
void observe_reset(void);
u64 observe_digest(void);
u32 observe_state(void);		/* writes a state to wire->states; its offset, or IDLE if there is no room */
void observe_forget(struct tracked *t);
void observe_forget_process(struct process *p);
const char *observe_leaks(void);	/* what the end of the program left behind; NULL: nothing */

/* run.c */
void run_program(void);			/* the one in `wire` */
void give_back(void);			/* what a program may have left */
struct op_result perform(const struct mmdiff_wire_op *op);
struct process *process_of_op(const struct mmdiff_wire_op *op);	/* that it names first; NULL: none */

/* --- the machine ------------------------------------------------------------------------------- */

/* Calls perform() in the context in which the operation is to run. */
struct op_result machine_perform(const struct mmdiff_wire_op *op);
int machine_new(struct process *p);	/* gives it an empty mm; else a negative errno */
int machine_fork(struct process *parent, struct process *child);
void machine_end(struct process *p);
void use_process(struct process *p);	/* calls to the kernel are now in its name */
void machine_set_world(void);		/* limits and sizes of wire->world */
bool machine_fits(void);		/* can it be wire->world? */
void machine_settle(void);		/* what the kernel has put off is done: fput() and the like */
u64 machine_now(void);			/* ns; 0 where time does not advance by itself */
long machine_rss(struct mm_struct *mm, int member);
unsigned long machine_node_stat(enum node_stat_item item);
unsigned long machine_zone_stat(enum zone_stat_item item);
/* Pages and VMAs that each mm has outside of its arena. */
#ifndef MMDIFF_OWN_PAGES
#define MMDIFF_OWN_PAGES 0
#define MMDIFF_OWN_VMAS 0
#endif
/* mmu.c, cpus.c: accesses, TLBs, CPUs; see above */

/* The compiler's counters of the edges of mm/. */
u32 coverage_bytes(void);	/* 0: built without */
void coverage_begin(void);
void coverage_end(void);

#endif
