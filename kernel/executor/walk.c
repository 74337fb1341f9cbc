// SPDX-License-Identifier: GPL-2.0
/* Page tables as they are, and what a program would sleep on. */
#include "executor.h"

bool would_wait;

pmd_t *mmu_pmd(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;

	if (pgd_none(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d))
		return NULL;
	pud = pud_offset(p4d, addr);
	return pud_none(*pud) ? NULL : pmd_offset(pud, addr);
}

pte_t *mmu_pte_at(struct mm_struct *mm, unsigned long addr)
{
	pmd_t *pmd = mmu_pmd(mm, addr);

	if (!pmd || pmd_none(*pmd) || pmd_leaf(*pmd) || !pmd_present(*pmd))
		return NULL;
	return (pte_t *)pmd_page_vaddr(*pmd) + pte_index(addr);
}

pte_t mmu_pte(struct mm_struct *mm, u32 vpn)
{
	pte_t *ptep = mmu_pte_at(mm, addr_of(vpn));

	return ptep ? pte_mkuptodate(*ptep) : __pte(0);
}

struct page *mmu_page(struct mm_struct *mm, u32 vpn)
{
	pte_t pte = mmu_pte(mm, vpn);

	if (!pte_present(pte) || is_zero_pfn(pte_pfn(pte)))
		return NULL;
	return pfn_to_page(pte_pfn(pte));
}

void mmdiff_would_wait(void)
{
	would_wait = true;
}

/* Only a migration of the program holds a folio locked. */
bool mmdiff_held(struct address_space *mapping, pgoff_t index)
{
	struct folio *folio;

	if (!in_op)
		return false;
	folio = filemap_get_folio(mapping, index);
	if (IS_ERR(folio))
		return false;
	if (folio_test_locked(folio))
		would_wait = true;
	folio_put(folio);
	return would_wait;
}
