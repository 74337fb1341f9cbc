// SPDX-License-Identifier: GPL-2.0
/*
 * Which folios a program has. The kernel's own tracepoints say when pages are allocated and freed; user
 * pages are told from the kernel's by the memory policy bit of their allocation. Folios are numbered in
 * the order of allocation, as mmdiff's reference does; the pieces of a split folio get new numbers, but
 * for the first.
 */
#include <linux/memblock.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <trace/events/kmem.h>
#include "executor.h"

#define MAX_FOLIOS (1u << 17)

struct tracked *tracked;
u32 nfolios;
static u32 next_id;
static u32 *index_of_pfn;	/* 1 + index in tracked[] of the folio that begins there; 0: none */
static unsigned long max_pfn_seen;
unsigned long pages_freed;

static void track(unsigned long pfn, u32 order)
{
	if (nfolios == MAX_FOLIOS || pfn >= max_pfn_seen)
		panic("mmdiff: too many folios");
	tracked[nfolios] = (struct tracked){ .pfn = pfn, .id = next_id++, .order = order };
	index_of_pfn[pfn] = ++nfolios;
}

static void untrack(u32 index)
{
	index_of_pfn[tracked[index].pfn] = 0;
	observe_forget(&tracked[index]);
	if (index != --nfolios) {
		tracked[index] = tracked[nfolios];
		index_of_pfn[tracked[index].pfn] = index + 1;
	}
}

static void on_alloc(void *data, struct page *page, unsigned int order, gfp_t gfp, int migratetype)
{
	u32 i;

	if (!in_op || !page || !(gfp & __GFP_HARDWALL))
		return;
	track(page_to_pfn(page), order);
	/* Contents are compared from the beginning, also before the kernel fills the page. */
	for (i = 0; i < 1u << order; i++)
		*content_of(page + i) = 0;
}

static void settle_split(u32 index);

static void on_free(void *data, struct page *page, unsigned int order)
{
	unsigned long pfn = page_to_pfn(page);
	u32 index;

	if (pfn >= max_pfn_seen)
		return;
	index = index_of_pfn[pfn];
	if (!index) {
		/* A piece of a folio that was split in this operation and is not numbered yet. */
		unsigned long at;
		int o;

		for (o = 1; o <= 9; o++) {
			at = round_down(pfn, 1ul << o);
			index = index_of_pfn[at];
			if (index && tracked[index - 1].order >= o)
				break;
			index = 0;
		}
		if (!index)
			return;
		settle_split(index - 1);
		index = index_of_pfn[pfn];
		if (!index)
			return;
	} else if (tracked[index - 1].order > order) {
		settle_split(index - 1);
	}
	pages_freed += 1u << order;
	untrack(index - 1);
}

/* The folio at `index` has been split: its pieces get numbers of their own. */
static void settle_split(u32 index)
{
	struct tracked *t = &tracked[index];
	unsigned long pfn = t->pfn, end = pfn + (1ul << t->order);

	observe_forget(t);
	t->order = 0;
	for (pfn++; pfn < end; pfn++)
		track(pfn, 0);
}

void folios_settle(void)
{
	u32 i, n = nfolios;

	for (i = 0; i < n; i++) {
		if (tracked[i].order && folio_order(pfn_folio(tracked[i].pfn)) != tracked[i].order)
			settle_split(i);
	}
}

u32 folio_number(struct folio *folio)
{
	unsigned long pfn = folio_pfn(folio);
	u32 index = pfn < max_pfn_seen ? index_of_pfn[pfn] : 0;

	return index ? tracked[index - 1].id : NO_FOLIO;
}

void folios_reset(void)
{
	while (nfolios)
		untrack(nfolios - 1);
	next_id = 0;
}

int folios_init(void)
{
	max_pfn_seen = max_pfn;
	tracked = vmalloc(sizeof(*tracked) * MAX_FOLIOS);
	index_of_pfn = vzalloc(sizeof(*index_of_pfn) * max_pfn_seen);
	if (!tracked || !index_of_pfn)
		return -ENOMEM;
	return register_trace_mm_page_alloc(on_alloc, NULL) ?:
	       register_trace_mm_page_free(on_free, NULL);
}
