/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Page-table entries of User Mode Linux as x86-64 has them: our own arch/um/include/asm/pgtable.h for
 * Linux 6.12 to 7.3.
 *
 * The kernel's own header lacks what mm/ does on x86-64: special and PMD-leaf bits, THP, room for the
 * young and dirty bits in migration entries. Emulated here, bit for bit as the generic code expects it.
 * Two hooks are ours: every change of a user entry is reported (the observer looks at changed tables
 * only), and every TLB flush of a user mm reaches the TLB of the software MMU.
 */
#ifndef __UM_PGTABLE_H
#define __UM_PGTABLE_H

#include <linux/version.h>
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define MMDIFF_OLD_UM 1		/* three levels, newpage and newprot instead of needsync */
#include <asm/fixmap.h>
#else
#include <asm/page.h>
#include <linux/mm_types.h>
#endif
#include <asm/sparsemem.h>	/* MAX_PHYSMEM_BITS: room for young and dirty in migration entries */

#define _PAGE_PRESENT	0x001
#define _PAGE_NEEDSYNC	0x002	/* the host mapping of a kernel page is stale */
#define _PAGE_NEWPAGE	_PAGE_NEEDSYNC
#define _PAGE_PROTNONE	0x010
#define _PAGE_RW	0x020
#define _PAGE_USER	0x040
#define _PAGE_ACCESSED	0x080
#define _PAGE_DIRTY	0x100
#define _PAGE_SPECIAL	0x200
#define _PAGE_SWP_EXCLUSIVE 0x400
#define _PAGE_PSE	0x800	/* a PMD that maps a huge page; 0 in swap entries */

#ifdef MMDIFF_OLD_UM
#include <asm/pgtable-3level.h>
#else
#include <asm/pgtable-4level.h>
#endif

extern pgd_t swapper_pg_dir[PTRS_PER_PGD];

#define VMALLOC_OFFSET	(__va_space)
#ifdef MMDIFF_OLD_UM
extern unsigned long *empty_zero_page;
extern unsigned long end_iomem;
#define VMALLOC_START	((end_iomem + VMALLOC_OFFSET) & ~(VMALLOC_OFFSET - 1))
#define PKMAP_BASE	((FIXADDR_START - LAST_PKMAP * PAGE_SIZE) & PMD_MASK)
#define VMALLOC_END	(FIXADDR_START - 2 * PAGE_SIZE)
#define MODULES_LEN	(MODULES_VADDR - MODULES_END)
#define ZERO_PAGE(vaddr) virt_to_page(empty_zero_page)
#else
#ifndef COMPILE_OFFSETS
#include <as-layout.h>
#endif
#define VMALLOC_START	((high_physmem + VMALLOC_OFFSET) & ~(VMALLOC_OFFSET - 1))
#define VMALLOC_END	(TASK_SIZE - 2 * PAGE_SIZE)
#endif
#define MODULES_VADDR	VMALLOC_START
#define MODULES_END	VMALLOC_END

#define _KERNPG_TABLE	(_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED | _PAGE_DIRTY)
#define _PAGE_TABLE	(_KERNPG_TABLE | _PAGE_USER)
#define _PAGE_CHG_MASK	(PAGE_MASK | _PAGE_ACCESSED | _PAGE_DIRTY | _PAGE_SPECIAL)
#define _HPAGE_CHG_MASK	(_PAGE_CHG_MASK | _PAGE_PSE)
#define __PAGE_KERNEL_EXEC _KERNPG_TABLE
#define PAGE_NONE	__pgprot(_PAGE_PROTNONE | _PAGE_ACCESSED)
#define PAGE_READONLY	__pgprot(_PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED)
#define PAGE_COPY	PAGE_READONLY
#define PAGE_SHARED	__pgprot(_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED)
#define PAGE_KERNEL	__pgprot(_KERNPG_TABLE)
#define PAGE_KERNEL_EXEC PAGE_KERNEL

/* Ours: tells the observer that the table of this entry has changed. */
extern unsigned long mmdiff_last_table;
void mmdiff_table_changed(unsigned long table);
static inline void mmdiff_note_entry(void *entry)
{
	unsigned long table = (unsigned long)entry & PAGE_MASK;

	if (table != mmdiff_last_table)
		mmdiff_table_changed(table);
}
/* Ours: drops the translations of a user mm in [start, end) from every CPU. */
struct mm_struct;
void mmdiff_tlb_flush(struct mm_struct *mm, unsigned long start, unsigned long end);

/* --- single entries ------------------------------------------------------------------------- */

#define pte_bit(p, bits)	(((p).pte & (bits)) != 0)
static inline pte_t pte_with(pte_t pte, unsigned long bits) { pte.pte |= bits; return pte; }
static inline pte_t pte_without(pte_t pte, unsigned long bits) { pte.pte &= ~bits; return pte; }

static inline int pte_none(pte_t pte) { return !(pte.pte & ~(unsigned long)_PAGE_NEEDSYNC); }
#define pte_present(x)	pte_bit(x, _PAGE_PRESENT | _PAGE_PROTNONE)
static inline int pte_read(pte_t pte) { return !pte_bit(pte, _PAGE_PROTNONE); }
static inline int pte_exec(pte_t pte) { return !pte_bit(pte, _PAGE_PROTNONE); }
static inline int pte_write(pte_t pte) { return pte_bit(pte, _PAGE_RW); }
static inline int pte_dirty(pte_t pte) { return pte_bit(pte, _PAGE_DIRTY); }
static inline int pte_young(pte_t pte) { return pte_bit(pte, _PAGE_ACCESSED); }
static inline int pte_special(pte_t pte) { return pte_bit(pte, _PAGE_SPECIAL); }
static inline int pte_needsync(pte_t pte) { return pte_bit(pte, _PAGE_NEEDSYNC); }

static inline pte_t pte_mkclean(pte_t pte) { return pte_without(pte, _PAGE_DIRTY); }
static inline pte_t pte_mkold(pte_t pte) { return pte_without(pte, _PAGE_ACCESSED); }
static inline pte_t pte_wrprotect(pte_t pte) { return pte_without(pte, _PAGE_RW); }
static inline pte_t pte_mkread(pte_t pte) { return pte_with(pte, _PAGE_USER); }
static inline pte_t pte_mkdirty(pte_t pte) { return pte_with(pte, _PAGE_DIRTY); }
static inline pte_t pte_mkyoung(pte_t pte) { return pte_with(pte, _PAGE_ACCESSED); }
static inline pte_t pte_mkwrite_novma(pte_t pte) { return pte_with(pte, _PAGE_RW); }
static inline pte_t pte_mkspecial(pte_t pte) { return pte_with(pte, _PAGE_SPECIAL); }
static inline pte_t pte_mkuptodate(pte_t pte) { return pte_without(pte, _PAGE_NEEDSYNC); }
static inline pte_t pte_mkneedsync(pte_t pte) { return pte_with(pte, _PAGE_NEEDSYNC); }
#ifdef MMDIFF_OLD_UM
static inline int pte_newpage(pte_t pte) { return pte_needsync(pte); }
static inline int pte_newprot(pte_t pte) { return 0; }	/* newpage covers it */
static inline pte_t pte_mknewpage(pte_t pte) { return pte_mkneedsync(pte); }
static inline pte_t pte_mknewprot(pte_t pte) { return pte; }
#endif

#define PFN_PTE_SHIFT	PAGE_SHIFT

static inline void set_pte(pte_t *ptep, pte_t pte)
{
	*ptep = pte_mkneedsync(pte);
	mmdiff_note_entry(ptep);
}
#define pte_clear(mm, addr, ptep) set_pte(ptep, (pte_t) { 0 })

extern struct mm_struct init_mm;
void mmdiff_kernel_mapping_changed(unsigned long start, unsigned long end);
static inline void um_tlb_mark_sync(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	if (mm == &init_mm)
		mmdiff_kernel_mapping_changed(start, end);
	else
		mmdiff_tlb_flush(mm, start, end);
}

#define set_ptes set_ptes
static inline void set_ptes(struct mm_struct *mm, unsigned long addr, pte_t *ptep, pte_t pte,
			    unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++, pte.pte += 1UL << PFN_PTE_SHIFT)
		set_pte(ptep + i, pte);
	if (mm == &init_mm)
		mmdiff_kernel_mapping_changed(addr, addr + nr * PAGE_SIZE);
}

#define __HAVE_ARCH_PTE_SAME
static inline int pte_same(pte_t a, pte_t b)
{
	return !((a.pte ^ b.pte) & ~(unsigned long)_PAGE_NEEDSYNC);
}

#define pte_page(x) pfn_to_page(pte_pfn(x))
#ifdef MMDIFF_OLD_UM
#define phys_to_page(phys) pfn_to_page(phys_to_pfn(phys))
#define page_to_phys(page) pfn_to_phys(page_to_pfn(page))
#define mk_pte(page, prot) pfn_pte(page_to_pfn(page), prot)
#else
static inline pte_t pfn_pte(unsigned long pfn, pgprot_t prot)
{
	return (pte_t) { pfn_to_phys(pfn) | pgprot_val(prot) };
}
#endif
#define __virt_to_page(virt) phys_to_page(__pa(virt))
#define virt_to_page(addr) __virt_to_page((const unsigned long) addr)

static inline pte_t pte_modify(pte_t pte, pgprot_t prot)
{
	return (pte_t) { (pte.pte & _PAGE_CHG_MASK) | (pgprot_val(prot) & ~_PAGE_CHG_MASK) };
}
#define pte_pgprot(p) __pgprot((p).pte & ~PAGE_MASK & ~(unsigned long)_PAGE_NEEDSYNC)

#define pte_access_permitted pte_access_permitted
static inline bool pte_access_permitted(pte_t pte, bool write)
{
	return pte_bit(pte, _PAGE_PRESENT) && (!write || pte_write(pte));
}

/* As x86: what no CPU can have in its TLB needs no flush. */
#define pte_accessible(mm, p) \
	(pte_bit(p, _PAGE_PRESENT) || (pte_bit(p, _PAGE_PROTNONE) && atomic_read(&(mm)->tlb_flush_pending)))

/* As x86: a young bit is cleared without a flush. */
#define __HAVE_ARCH_PTEP_CLEAR_YOUNG_FLUSH
#define ptep_clear_flush_young(vma, addr, ptep) ptep_test_and_clear_young(vma, addr, ptep)

/* As x86: what gives more rights is not flushed, and the hardware sets the young bit. */
#define flush_tlb_fix_spurious_fault(vma, address, ptep) do {} while (0)
#define __HAVE_ARCH_PTEP_SET_ACCESS_FLAGS
#define ptep_set_access_flags(vma, address, ptep, entry, dirty) ({	\
	int __changed = !pte_same(*(ptep), entry);			\
	if (__changed && (dirty))					\
		set_pte(ptep, entry);					\
	__changed;							\
})

#define update_mmu_cache(vma, address, ptep) do {} while (0)
#define update_mmu_cache_range(vmf, vma, address, ptep, nr) do {} while (0)
extern pte_t *virt_to_pte(struct mm_struct *mm, unsigned long addr);

/* --- swap entries: type in bits 5-9, offset from bit 12 -------------------------------------- */

/* The offset is inverted, as on x86-64: of no slot, not even the first, is the entry 0, that is none. */
#define __swp_type(x)		(((x).val >> 5) & 0x1f)
#define __swp_offset(x)		(~(x).val >> 12)
#define __swp_entry(type, offset) \
	((swp_entry_t) { (((type) & 0x1fUL) << 5) | (~(unsigned long)(offset) << 12) })
#define __pte_to_swp_entry(p)	((swp_entry_t) { pte_mkuptodate(p).pte })
#define __swp_entry_to_pte(x)	((pte_t) { (x).val })
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
static inline int pte_swp_exclusive(pte_t pte) { return pte_bit(pte, _PAGE_SWP_EXCLUSIVE); }
#else
static inline bool pte_swp_exclusive(pte_t pte) { return pte_bit(pte, _PAGE_SWP_EXCLUSIVE); }
#endif
static inline pte_t pte_swp_mkexclusive(pte_t pte) { return pte_with(pte, _PAGE_SWP_EXCLUSIVE); }
static inline pte_t pte_swp_clear_exclusive(pte_t pte)
{
	return pte_without(pte, _PAGE_SWP_EXCLUSIVE);
}

/* --- PMDs ------------------------------------------------------------------------------------- */

#define pmd_bit(pmd, bits)	((pmd_val(pmd) & (bits)) != 0)
#define pmd_none(x)		(!(pmd_val(x) & ~(unsigned long)_PAGE_NEEDSYNC))
#define pmd_bad(x)		((pmd_val(x) & ~PAGE_MASK & ~(unsigned long)_PAGE_USER) != _KERNPG_TABLE)
#define pmd_present(x)		pmd_bit(x, _PAGE_PRESENT | _PAGE_PROTNONE | _PAGE_PSE)
#define pmd_clear(pmdp)		do { pmd_val(*(pmdp)) = _PAGE_NEEDSYNC; } while (0)
#define pmd_needsync(x)		(pmd_val(x) & _PAGE_NEEDSYNC)
#define pmd_mkuptodate(x)	(pmd_val(x) &= ~(unsigned long)_PAGE_NEEDSYNC)
#define pud_needsync(x)		(pud_val(x) & _PAGE_NEEDSYNC)
#define pud_mkuptodate(x)	(pud_val(x) &= ~(unsigned long)_PAGE_NEEDSYNC)
#define p4d_needsync(x)		(p4d_val(x) & _PAGE_NEEDSYNC)
#define p4d_mkuptodate(x)	(p4d_val(x) &= ~(unsigned long)_PAGE_NEEDSYNC)
#ifdef MMDIFF_OLD_UM
#define pmd_newpage(x)		pmd_needsync(x)
#define pud_newpage(x)		pud_needsync(x)
#define p4d_newpage(x)		p4d_needsync(x)
#endif
#define pmd_pfn(pmd)		(pmd_val(pmd) >> PAGE_SHIFT)
#define pmd_page(pmd)		phys_to_page(pmd_val(pmd) & PAGE_MASK)
#define pmd_page_vaddr(pmd)	((unsigned long) __va(pmd_val(pmd) & PAGE_MASK))
#define pmd_leaf(x)		pmd_bit(x, _PAGE_PSE)
#define pmd_pgprot(pmd)		__pgprot(pmd_val(pmd) & ~PAGE_MASK & ~(unsigned long)_PAGE_NEEDSYNC)
#define pmd_access_permitted pmd_access_permitted
static inline bool pmd_access_permitted(pmd_t pmd, bool write)
{
	return pmd_bit(pmd, _PAGE_PRESENT) && (!write || pmd_bit(pmd, _PAGE_RW));
}

#define HPAGE_SHIFT	PMD_SHIFT
#define HPAGE_SIZE	(1UL << HPAGE_SHIFT)
#define HPAGE_MASK	(~(HPAGE_SIZE - 1))
#define HUGETLB_PAGE_ORDER (HPAGE_SHIFT - PAGE_SHIFT)

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
#ifdef MMDIFF_OLD_UM
#define mk_pmd(page, prot) pfn_pmd(page_to_pfn(page), prot)
#endif
static inline pmd_t pmd_with(pmd_t pmd, unsigned long bits) { return __pmd(pmd_val(pmd) | bits); }
static inline pmd_t pmd_without(pmd_t pmd, unsigned long bits) { return __pmd(pmd_val(pmd) & ~bits); }
static inline int pmd_trans_huge(pmd_t pmd) { return pmd_leaf(pmd); }
#define pmd_write pmd_write
static inline int pmd_write(pmd_t pmd) { return pmd_bit(pmd, _PAGE_RW); }
#define pmd_young pmd_young
static inline int pmd_young(pmd_t pmd) { return pmd_bit(pmd, _PAGE_ACCESSED); }
#define pmd_dirty pmd_dirty
static inline int pmd_dirty(pmd_t pmd) { return pmd_bit(pmd, _PAGE_DIRTY); }
static inline pmd_t pmd_mkold(pmd_t pmd) { return pmd_without(pmd, _PAGE_ACCESSED); }
static inline pmd_t pmd_mkyoung(pmd_t pmd) { return pmd_with(pmd, _PAGE_ACCESSED); }
static inline pmd_t pmd_mkclean(pmd_t pmd) { return pmd_without(pmd, _PAGE_DIRTY); }
static inline pmd_t pmd_mkdirty(pmd_t pmd) { return pmd_with(pmd, _PAGE_DIRTY); }
static inline pmd_t pmd_wrprotect(pmd_t pmd) { return pmd_without(pmd, _PAGE_RW); }
static inline pmd_t pmd_mkwrite_novma(pmd_t pmd) { return pmd_with(pmd, _PAGE_RW); }
static inline pmd_t pmd_mkhuge(pmd_t pmd) { return pmd_with(pmd, _PAGE_PSE); }
static inline pmd_t pmd_mkinvalid(pmd_t pmd)
{
	return pmd_without(pmd, _PAGE_PRESENT | _PAGE_PROTNONE);
}
static inline pmd_t pmd_modify(pmd_t pmd, pgprot_t prot)
{
	return __pmd((pmd_val(pmd) & _HPAGE_CHG_MASK) | (pgprot_val(prot) & ~_HPAGE_CHG_MASK));
}
#define pmd_pte(pmd) __pte(pmd_val(pmd))
#define update_mmu_cache_pmd(vma, addr, pmd) do { } while (0)
static inline void set_pmd_at(struct mm_struct *mm, unsigned long addr, pmd_t *pmdp, pmd_t pmd)
{
	*pmdp = pmd_with(pmd, _PAGE_NEEDSYNC);
}
#define pmdp_establish generic_pmdp_establish
#define __pmd_to_swp_entry(p)	((swp_entry_t) { pmd_val(p) & ~(unsigned long)_PAGE_NEEDSYNC })
#define __swp_entry_to_pmd(x)	((pmd_t) { (x).val })
#endif /* CONFIG_TRANSPARENT_HUGEPAGE */

#endif /* __UM_PGTABLE_H */
