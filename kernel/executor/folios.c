// SPDX-License-Identifier: GPL-2.0
/*
 * Which folios a program has. The kernel's own tracepoints say when pages are allocated and freed; user
 * pages are told from the kernel's by the memory policy bit of their allocation. Folios are numbered in
 * the order of allocation, as mmdiff's reference does; the pieces of a split folio get new numbers, but
 * for the first.
 */
#include <linux/memblock.h>
#include <linux/slab.h>
#include <trace/events/kmem.h>
#include "executor.h"

#define MAX_FOLIOS (1u << 17)

struct tracked *tracked;
u32 nfolios;
static u32 next_id;
static u32 *index_of_pfn;	/* 1 + index in tracked[] of the folio that begins there; 0: none */
static unsigned long max_pfn_seen;
unsigned long pages_freed;

/*
 * Of each page of a folio, what it was like when the folio's share of the digest was made: struct page,
 * and the content in the place of its second word, which is a link of a list or of a large folio. A chunk
 * for so many pages, made when one of them is a folio's.
 */
#define SEEN_WORDS 8
#define SEEN_PAGES (PAGE_SIZE / sizeof(u64) / SEEN_WORDS)
static u64 **seen;

static u64 *seen_of(unsigned long pfn)
{
	u64 **chunk = &seen[pfn / SEEN_PAGES];

	if (!*chunk)
		*chunk = kmalloc(PAGE_SIZE, GFP_KERNEL);
	return *chunk ? *chunk + pfn % SEEN_PAGES * SEEN_WORDS : NULL;
}

bool folio_unchanged(const struct tracked *t)
{
	unsigned long pfn, end = t->pfn + (1ul << t->order);
	u32 i;

	BUILD_BUG_ON(sizeof(struct page) > SEEN_WORDS * sizeof(u64));
	if (!t->fact)
		return false;
	for (pfn = t->pfn; pfn < end; pfn++) {
		const u64 *now = (const u64 *)pfn_to_page(pfn), *then = seen_of(pfn);

		if (!then || then[0] != now[0] || then[1] != *content_of(pfn_to_page(pfn)))
			return false;
		for (i = 2; i < sizeof(struct page) / sizeof(u64); i++)
			if (then[i] != now[i])
				return false;
	}
	return true;
}

void folio_remember(const struct tracked *t)
{
	unsigned long pfn, end = t->pfn + (1ul << t->order);

	for (pfn = t->pfn; pfn < end; pfn++) {
		u64 *then = seen_of(pfn);

		if (!then)
			continue;
		memcpy(then, pfn_to_page(pfn), sizeof(struct page));
		then[1] = *content_of(pfn_to_page(pfn));
	}
}

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
	/* Of linear memory if there is a piece that large: what is mapped costs a system call for each page. */
	tracked = kvmalloc_array(MAX_FOLIOS, sizeof(*tracked), GFP_KERNEL);
	index_of_pfn = kvcalloc(max_pfn_seen, sizeof(*index_of_pfn), GFP_KERNEL);
	seen = kvcalloc(DIV_ROUND_UP(max_pfn_seen, SEEN_PAGES), sizeof(*seen), GFP_KERNEL);
	if (!tracked || !index_of_pfn || !seen)
		return -ENOMEM;
	return register_trace_mm_page_alloc(on_alloc, NULL) ?:
	       register_trace_mm_page_free(on_free, NULL);
}
