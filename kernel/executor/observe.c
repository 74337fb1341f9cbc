// SPDX-License-Identifier: GPL-2.0
/*
 * What mmdiff sees: the records of state/state.h, read from the kernel's own data.
 *
 * The digest is kept up to date by looking again at what can have changed: page tables whose entries were
 * written since (the page-table code reports them), and the program's folios, batches, translations and
 * counters, which are few. A full state is written only on request.
 */
#include "executor.h"
#include "leaf.h"
#include "internal.h"

#define CHANGED_TABLES 256

unsigned long mmdiff_last_table;
static unsigned long changed[CHANGED_TABLES];
static u32 nchanged;
static bool all_changed;

static u64 folio_facts;		/* sum over the folios and their pages */
static struct stat_record base;	/* counters when the program began */

void mmdiff_table_changed(unsigned long table)
{
	mmdiff_last_table = table;
	if (nchanged < CHANGED_TABLES)
		changed[nchanged++] = table;
	else
		all_changed = true;
}

void all_tables_changed(void)
{
	all_changed = true;
}

static bool table_changed(pte_t *table)
{
	u32 i;

	if (all_changed)
		return true;
	for (i = 0; i < nchanged; i++)
		if (changed[i] == (unsigned long)table)
			return true;
	return false;
}

/* --- records --------------------------------------------------------------------------------------- */

static void see_mm(struct process *p, struct mm_record *r)
{
	struct mm_struct *mm = p->mm;

	*r = (struct mm_record){
		.id = p->id,
		.rss_anon = machine_rss(mm, MM_ANONPAGES),
		.rss_file = machine_rss(mm, MM_FILEPAGES),
		.rss_shmem = machine_rss(mm, MM_SHMEMPAGES),
		.rss_swap = machine_rss(mm, MM_SWAPENTS),
		.locked_vm = mm->locked_vm,
		.total_vm = mm->total_vm - MMDIFF_OWN_PAGES,
		.map_count = mm->map_count - MMDIFF_OWN_VMAS,
#if MMDIFF_BEFORE(6, 18)
		.has_pinned = test_bit(MMF_HAS_PINNED, &mm->flags),
#else
		.has_pinned = mm_flags_test(MMF_HAS_PINNED, mm),
#endif
		.tlb_flush_pending = p->flush_pending,
	};
}

static void see_vma(struct process *p, struct vm_area_struct *vma, struct vma_record *r)
{
	unsigned long f = vma->vm_flags;

	*r = (struct vma_record){
		.mm = p->id,
		.start = vpn_of(vma->vm_start),
		.end = vpn_of(vma->vm_end),
		.flags = (f & (VM_READ | VM_EXEC) ? VMA_READ : 0) | (f & VM_WRITE ? VMA_WRITE : 0) |
			 (f & VM_SHARED ? VMA_SHARED : 0) | (f & VM_LOCKED ? VMA_LOCKED : 0) |
			 (f & VM_LOCKONFAULT ? VMA_ONFAULT : 0) | (f & VM_DONTCOPY ? VMA_DONTCOPY : 0) |
			 (f & VM_NOHUGEPAGE ? VMA_NOHUGE : 0) | (f & VM_ACCOUNT ? VMA_ACCOUNT : 0),
		.file = vma->vm_file ? file_number(vma->vm_file->f_mapping) : NO_FILE,
		.pgoff = vma->vm_file ? vma->vm_pgoff : vma->vm_pgoff - (MMDIFF_ARENA >> PAGE_SHIFT),
		.anon_vma = vma->anon_vma != NULL,
	};
}

/* False for an entry that is none. */
static bool see_pte(struct process *p, u32 vpn, pte_t pte, struct pte_record *r)
{
	*r = (struct pte_record){ .mm = p->id, .vpn = vpn, .folio = NO_FOLIO, .slot = NO_SLOT };
	pte = pte_mkuptodate(pte);
	if (pte_none(pte))
		return false;
	if (pte_present(pte)) {
		struct page *page = pfn_to_page(pte_pfn(pte));

		r->bits = (pte_write(pte) ? PTE_BIT_WRITE : 0) | (pte_dirty(pte) ? PTE_BIT_DIRTY : 0) |
			  (pte_young(pte) ? PTE_BIT_YOUNG : 0) |
			  (pte_val(pte) & _PAGE_PROTNONE ? PTE_BIT_PROTNONE : 0);
		r->kind = PTE_KIND_ZERO;
		if (!is_zero_pfn(pte_pfn(pte))) {
			struct folio *folio = page_folio(page);

			r->kind = PTE_KIND_PRESENT;
			r->folio = folio_number(folio);
			r->offset = folio_page_idx(folio, page);
		}
		return true;
	}
	{
		swp_entry_t entry = softleaf_from_pte(pte);

		if (softleaf_is_migration(entry)) {
			struct page *page = softleaf_to_page(entry);
			struct folio *folio = page_folio(page);

			r->kind = PTE_KIND_MIGRATION;
			r->folio = folio_number(folio);
			r->offset = folio_page_idx(folio, page);
			r->bits = (softleaf_is_migration_write(entry) ? PTE_BIT_WRITE : 0) |
				  (softleaf_is_migration_read_exclusive(entry) ? PTE_BIT_EXCLUSIVE : 0) |
				  (softleaf_is_migration_young(entry) ? PTE_BIT_YOUNG : 0) |
				  (softleaf_is_migration_dirty(entry) ? PTE_BIT_DIRTY : 0);
		} else if (softleaf_is_swap(entry)) {
			r->kind = PTE_KIND_SWAP;
			r->slot = swap_slot_of(entry);
			r->bits = pte_swp_exclusive(pte) ? PTE_BIT_EXCLUSIVE : 0;
		} else {
			r->kind = PTE_KIND_SWAP;	/* a marker of none of our operations: shows as no slot */
		}
	}
	return true;
}

static u8 see_lru(struct folio *folio)
{
	/* LruList of state/state.h */
	if (!folio_test_lru(folio))
		return 0;
	if (folio_test_unevictable(folio))
		return 5;
	return 1 + folio_is_file_lru(folio) * 2 + folio_test_active(folio);
}

static void see_folio(const struct tracked *t, struct folio_record *r)
{
	struct folio *folio = pfn_folio(t->pfn);
	struct address_space *mapping = folio_test_anon(folio) ? NULL : folio->mapping;
	bool large = folio_test_large(folio);
	bool swapcache = folio_test_swapcache(folio);

	*r = (struct folio_record){
		.id = t->id,
		.flags = (folio_test_locked(folio) ? FOLIO_LOCKED : 0) |
			 (folio_test_referenced(folio) ? FOLIO_REFERENCED : 0) |
			 (folio_test_dirty(folio) ? FOLIO_DIRTY : 0) |
			 (folio_test_lru(folio) ? FOLIO_LRU_FLAG : 0) |
			 (folio_test_active(folio) ? FOLIO_ACTIVE : 0) |
			 (folio_test_unevictable(folio) ? FOLIO_UNEVICTABLE : 0) |
			 (folio_test_mlocked(folio) ? FOLIO_MLOCKED : 0) |
			 (folio_test_swapbacked(folio) ? FOLIO_SWAPBACKED : 0) |
			 (swapcache ? FOLIO_SWAPCACHE : 0) |
			 (folio_test_anon(folio) ? FOLIO_ANON : 0) |
			 (mapping && !swapcache && !folio_test_swapbacked(folio) && folio_test_reclaim(folio) ?
			  FOLIO_RECLAIM : 0),
		.refcount = folio_ref_count(folio),
		.mapcount = folio_mapcount(folio),
		.pincount = large ? atomic_read(&folio->_pincount) : 0,
		.file = NO_FILE,
		.slot = swapcache ? swap_slot_of(folio->swap) : NO_SLOT,
		.order = folio_order(folio),
		.node = folio_nid(folio),
		.zone = folio_zonenum(folio) == ZONE_MOVABLE,
		.lru = see_lru(folio),
	};
	if (folio_test_lru(folio) && folio_test_unevictable(folio))
		r->mlock_count = folio->mlock_count;
	if (mapping && !swapcache) {
		r->file = file_number(mapping);
		r->index = r->file == NO_FILE ? 0 : folio->index;
	}
	if (large && folio_order(folio) > 1) {
		if (folio_test_partially_mapped(folio))
			r->flags |= FOLIO_PARTIALLY_MAPPED;
		if (!list_empty(&folio->_deferred_list))
			r->flags |= FOLIO_DEFERRED;
	}
}

static void see_page(const struct tracked *t, u32 offset, struct page_record *r)
{
	struct page *page = pfn_to_page(t->pfn + offset);
	struct folio *folio = page_folio(page);

	*r = (struct page_record){
		.folio = t->id,
		.offset = offset,
		.mapcount = atomic_read(&page->_mapcount) + 1,
		.anon_exclusive = folio_test_anon(folio) && PageAnonExclusive(page),
		.content = *content_of(page),
	};
}

static void see_stats(struct stat_record *r)
{
	*r = (struct stat_record){
		.nr_anon_mapped = machine_node_stat(NR_ANON_MAPPED),
		.nr_file_mapped = machine_node_stat(NR_FILE_MAPPED),
		.nr_mlock = machine_zone_stat(NR_MLOCK),
		.nr_isolated_anon = machine_node_stat(NR_ISOLATED_ANON),
		.nr_isolated_file = machine_node_stat(NR_ISOLATED_FILE),
		.nr_inactive_anon = machine_node_stat(NR_INACTIVE_ANON),
		.nr_active_anon = machine_node_stat(NR_ACTIVE_ANON),
		.nr_inactive_file = machine_node_stat(NR_INACTIVE_FILE),
		.nr_active_file = machine_node_stat(NR_ACTIVE_FILE),
		.nr_unevictable = machine_node_stat(NR_UNEVICTABLE),
	};
}

static void see_stats_since(struct stat_record *r)
{
	u32 i;

	see_stats(r);
	for (i = 0; i < sizeof(*r) / sizeof(u32); i++)
		((u32 *)r)[i] -= ((u32 *)&base)[i];
	r->nr_allocated = 0;
	for (i = 0; i < nfolios; i++)
		r->nr_allocated += 1u << tracked[i].order;
}

static void see_batch(u32 on_cpu, u32 kind, u32 position, struct batch_record *r)
{
	unsigned long entry = (unsigned long)batch_of(on_cpu, kind)->folios[position];

	*r = (struct batch_record){ .cpu = on_cpu, .kind = kind, .position = position };
	if (kind == MMDIFF_BATCH_MLOCK)
		r->tag = entry & 3;	/* LRU_FOLIO and NEW_FOLIO of mm/mlock.c, in the order of MlockTag */
	r->folio = folio_number((struct folio *)(entry & ~3ul));
}

static void see_tlb(struct process *p, u32 on_cpu, u32 vpn, struct tlb_record *r)
{
	const struct tlb_entry *e = tlb_entry(&p->tlb[on_cpu], vpn);

	*r = (struct tlb_record){
		.cpu = on_cpu, .mm = p->id, .vpn = vpn, .folio = NO_FOLIO, .write = e->write, .dirty = e->dirty,
	};
	if (!e->zero) {
		struct folio *folio = page_folio(e->page);

		r->folio = folio_number(folio);
		r->offset = folio_page_idx(folio, e->page);
	}
}

/* --- the digest ------------------------------------------------------------------------------------ */

void observe_forget(struct tracked *t)
{
	folio_facts -= t->fact;
	t->fact = 0;
}

/* `pmd` points to the table; NULL: there are no tables at all. */
static void look_at_table(struct process *p, u32 index, pmd_t *pmd)
{
	struct table_shadow *s = &p->tables[index];
	pte_t *table = NULL;
	u32 i;

	if (pmd && !pmd_none(*pmd) && !pmd_leaf(*pmd) && pmd_present(*pmd))
		table = (pte_t *)pmd_page_vaddr(*pmd);
	if (!table && !s->nused)
		return;
	if (table && table == s->table && !table_changed(table))
		return;
	if (!s->pte) {
		s->pte = kvzalloc(2 * sizeof(u64) * PTRS_PER_PTE, GFP_KERNEL);
		if (!s->pte)
			panic("mmdiff: no memory to watch a page table");
		s->fact = s->pte + PTRS_PER_PTE;
	}
	s->table = table;
	s->nused = 0;
	for (i = 0; i < PTRS_PER_PTE; i++) {
		u64 raw = table ? pte_val(pte_mkuptodate(table[i])) : 0;
		struct pte_record r;
		u64 fact = 0;

		if (!raw && !s->pte[i])
			continue;
		if (raw && see_pte(p, index * PTRS_PER_PTE + i, __pte(raw), &r)) {
			fact = pte_fact(&r);
			s->nused++;
		}
		p->facts += fact - s->fact[i];
		s->pte[i] = raw;
		s->fact[i] = fact;
	}
}

static u64 digest_of_process(struct process *p)
{
	u32 i, tables = wire->world.tables * wire->world.table / PTRS_PER_PTE;
	struct mm_record mm;
	struct vm_area_struct *vma;
	pmd_t *pmd;
	u64 sum;
	int c;
	VMA_ITERATOR(vmi, p->mm, MMDIFF_ARENA);

	/* All tables of an arena hang on one page of pmds. */
	BUILD_BUG_ON(MMDIFF_TABLES > PTRS_PER_PMD || MMDIFF_ARENA & ~PUD_MASK);
	pmd = mmu_pmd(p->mm, MMDIFF_ARENA);
	for (i = 0; i < tables; i++)
		look_at_table(p, i, pmd ? pmd + i : NULL);
	see_mm(p, &mm);
	sum = p->facts + mm_fact(&mm);
	for_each_vma(vmi, vma) {
		struct vma_record r;

		see_vma(p, vma, &r);
		sum += vma_fact(&r);
	}
	for (c = 0; c < wire->world.cpus; c++) {
		for (i = 0; i < p->tlb[c].nused; i++) {
			u32 vpn = p->tlb[c].used[i];
			struct tlb_record r;

			if (!tlb_entry(&p->tlb[c], vpn)->page)
				continue;
			see_tlb(p, c, vpn, &r);
			sum += tlb_fact(&r);
		}
	}
	return sum;
}

/* Slots in use, and which of them are cached. */
static u32 see_swaps(struct swap_record *out, u32 room)
{
	static u8 cached[65536];
	u32 slot, i, n = 0, end;

	swapdev_collect();
	end = swap_slots();
	if (!end)
		return 0;
	memset(cached, 0, end);
	for (i = 0; i < nfolios; i++) {
		struct folio *folio = pfn_folio(tracked[i].pfn);
		u32 first, k;

		if (!folio_test_swapcache(folio))
			continue;
		first = swap_slot_of(folio->swap);
		for (k = 0; first != NO_SLOT && k < folio_nr_pages(folio); k++)
			cached[first + k] = 1;
	}
	for (slot = 0; slot < end && n < room; slot++) {
		if (!swap_slot_state(slot, &out[n]))
			continue;
		out[n].cached = cached[slot];
		n++;
	}
	return n;
}

static struct swap_record swap_records[65536];

u64 observe_digest(void)
{
	struct stat_record stats;
	u64 sum = 0;
	u32 i, k, n;
	int c;

	folios_settle();
	for (i = 0; i < processes_end; i++)
		if (processes[i])
			sum += digest_of_process(processes[i]);
	nchanged = 0;
	all_changed = false;
	mmdiff_last_table = 0;

	for (i = 0; i < nfolios; i++) {
		struct tracked *t = &tracked[i];
		struct folio_record r;
		u64 fact;

		if (folio_unchanged(t))
			continue;
		see_folio(t, &r);
		fact = folio_fact(&r);
		for (k = 0; k < 1u << t->order; k++) {
			struct page_record page;

			see_page(t, k, &page);
			fact += page_fact(&page);
		}
		folio_facts += fact - t->fact;
		t->fact = fact;
		folio_remember(t);
	}
	sum += folio_facts;
	n = see_swaps(swap_records, ARRAY_SIZE(swap_records));
	for (i = 0; i < n; i++)
		sum += swap_fact(&swap_records[i]);
	for (c = 0; c < wire->world.cpus; c++) {
		for (k = 0; k < MMDIFF_BATCH_KINDS; k++) {
			n = batch_of(c, k)->nr;
			for (i = 0; i < n; i++) {
				struct batch_record r;

				see_batch(c, k, i, &r);
				sum += batch_fact(&r);
			}
		}
	}
	see_stats_since(&stats);
	return sum + stat_fact(&stats);
}

/* --- full states ----------------------------------------------------------------------------------- */

static u8 *at, *room_end;
static bool no_room;

static void *take(size_t bytes)
{
	void *here = at;

	if (at + bytes > room_end) {
		no_room = true;
		return NULL;
	}
	at += bytes;
	return here;
}
static void align(void)
{
	at = PTR_ALIGN(at, 8);
}
#define PUT(type, count, record) do {				\
	type *__to = take(sizeof(type));			\
	if (__to) { *__to = (record); (count)++; }		\
} while (0)

static void put_tables(struct mmdiff_wire_state *s, struct process *p)
{
	u32 i, k, tables = wire->world.tables * wire->world.table / PTRS_PER_PTE;

	for (i = 0; i < tables; i++) {
		const struct table_shadow *t = &p->tables[i];

		for (k = 0; t->nused && k < PTRS_PER_PTE; k++) {
			struct pte_record r;

			if (t->pte[k] && see_pte(p, i * PTRS_PER_PTE + k, __pte(t->pte[k]), &r))
				PUT(struct pte_record, s->ptes, r);
		}
	}
}

/* After observe_digest() for the same operation. */
u32 observe_state(void)
{
	struct mmdiff_wire_state *s;
	struct stat_record stats;
	u32 i, k, c, n, offset = wire->state_bytes_used;

	at = wire->states + offset;
	room_end = wire->states + MMDIFF_WIRE_STATE_BYTES;
	no_room = false;
	s = take(sizeof(*s));
	if (!s)
		return MMDIFF_WIRE_IDLE;
	memset(s, 0, sizeof(*s));
	for (i = 0; i < processes_end; i++) {
		if (processes[i]) {
			struct mm_record r;

			see_mm(processes[i], &r);
			PUT(struct mm_record, s->mms, r);
		}
	}
	align();
	for (i = 0; i < processes_end; i++) {
		if (processes[i]) {
			struct vm_area_struct *vma;
			VMA_ITERATOR(vmi, processes[i]->mm, MMDIFF_ARENA);

			for_each_vma(vmi, vma) {
				struct vma_record r;

				see_vma(processes[i], vma, &r);
				PUT(struct vma_record, s->vmas, r);
			}
		}
	}
	align();
	for (i = 0; i < processes_end; i++)
		if (processes[i])
			put_tables(s, processes[i]);
	align();
	for (i = 0; i < nfolios; i++) {
		struct folio_record r;

		see_folio(&tracked[i], &r);
		PUT(struct folio_record, s->folios, r);
	}
	align();
	for (i = 0; i < nfolios; i++) {
		for (k = 0; k < 1u << tracked[i].order; k++) {
			struct page_record r;

			see_page(&tracked[i], k, &r);
			PUT(struct page_record, s->pages, r);
		}
	}
	align();
	n = see_swaps(swap_records, ARRAY_SIZE(swap_records));
	for (i = 0; i < n; i++)
		PUT(struct swap_record, s->swaps, swap_records[i]);
	align();
	for (c = 0; c < wire->world.cpus; c++) {
		for (k = 0; k < MMDIFF_BATCH_KINDS; k++) {
			for (i = 0; i < batch_of(c, k)->nr; i++) {
				struct batch_record r;

				see_batch(c, k, i, &r);
				PUT(struct batch_record, s->batches, r);
			}
		}
	}
	align();
	for (i = 0; i < processes_end; i++) {
		for (c = 0; processes[i] && c < wire->world.cpus; c++) {
			struct tlb *tlb = &processes[i]->tlb[c];

			for (k = 0; k < tlb->nused; k++) {
				struct tlb_record r;

				if (!tlb_entry(tlb, tlb->used[k])->page)
					continue;
				see_tlb(processes[i], c, tlb->used[k], &r);
				PUT(struct tlb_record, s->tlbs, r);
			}
		}
	}
	align();
	see_stats_since(&stats);
	memcpy(s->stats, &stats, sizeof(stats));
	if (no_room)
		return MMDIFF_WIRE_IDLE;
	s->bytes = at - (u8 *)s;
	wire->state_bytes_used = offset + s->bytes;
	return offset;
}

/* --- the beginning and the end of a program --------------------------------------------------------- */

void observe_reset(void)
{
	nchanged = 0;
	all_changed = false;
	mmdiff_last_table = 0;
	folio_facts = 0;
	see_stats(&base);
}

void observe_forget_process(struct process *p)
{
	u32 i;

	for (i = 0; i < MMDIFF_TABLES; i++) {
		struct table_shadow *s = &p->tables[i];

		if (s->nused)
			mmdiff_clear(s->pte, 2 * sizeof(u64) * PTRS_PER_PTE);
		s->nused = 0;
		s->table = NULL;
	}
	p->facts = 0;
}

const char *observe_leaks(void)
{
	static char text[256];
	struct stat_record stats;

	see_stats_since(&stats);
	if (!memchr_inv(&stats, 0, sizeof(stats)))
		return NULL;
	snprintf(text, sizeof(text),
		 "leak: after the end of the program %d folios are left; counters: anon_mapped %d file_mapped %d mlock %d isolated %d %d lru %d %d %d %d %d",
		 nfolios, stats.nr_anon_mapped, stats.nr_file_mapped, stats.nr_mlock, stats.nr_isolated_anon,
		 stats.nr_isolated_file, stats.nr_inactive_anon, stats.nr_active_anon, stats.nr_inactive_file,
		 stats.nr_active_file, stats.nr_unevictable);
	return text;
}
