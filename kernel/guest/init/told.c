/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#include "told.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "actors.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
#include "kernel/executor/records.h"

enum choice {
#define MMDIFF_CHOICE(Name, doc) CHOICE_##Name,
#include "harness/choices.def"
};

static u32 version;	/* major << 16 | minor << 8 | patch */
#define VERSION(major, minor, patch) ((major) << 16 | (minor) << 8 | (patch))

void told_open(const char *release)
{
	unsigned major = 0, minor = 0, patch = 0;

	sscanf(release, "%u.%u.%u", &major, &minor, &patch);
	version = VERSION(major, minor, patch);
}

/* --- states ------------------------------------------------------------------------------------------------- */

struct view {
	u32 nvmas, nptes, nfolios, npages;
	const struct vma_record *vmas;
	const struct pte_record *ptes;
	const struct folio_record *folios;
};

static const void *next(const u8 **at, size_t bytes)
{
	const void *here = *at;

	*at += (bytes + 7) & ~7ul;
	return here;
}

static struct view view_of(const struct mmdiff_wire *wire, u32 offset)
{
	const struct mmdiff_wire_state *s = (const void *)(wire->states + offset);
	const u8 *at = (const u8 *)(s + 1);
	struct view v = { 0 };

	if (offset == MMDIFF_WIRE_IDLE)
		return v;
	v = (struct view){ .nvmas = s->vmas, .nptes = s->ptes, .nfolios = s->folios };
	next(&at, s->mms * sizeof(struct mm_record));
	v.vmas = next(&at, s->vmas * sizeof(struct vma_record));
	v.ptes = next(&at, s->ptes * sizeof(struct pte_record));
	v.folios = next(&at, s->folios * sizeof(struct folio_record));
	return v;
}

/* The first entry of a process at or after vpn; NULL: there is none. */
static const struct pte_record *entry_from(const struct view *v, u32 mm, u32 vpn)
{
	for (u32 i = 0; i < v->nptes; i++)
		if (v->ptes[i].mm == mm && v->ptes[i].vpn >= vpn)
			return &v->ptes[i];
	return NULL;
}

static const struct pte_record *entry_at(const struct view *v, u32 mm, u32 vpn)
{
	const struct pte_record *e = entry_from(v, mm, vpn);

	return e && e->vpn == vpn ? e : NULL;
}

static const struct vma_record *vma_at(const struct view *v, u32 mm, u32 vpn)
{
	for (u32 i = 0; i < v->nvmas; i++)
		if (v->vmas[i].mm == mm && v->vmas[i].start <= vpn && vpn < v->vmas[i].end)
			return &v->vmas[i];
	return NULL;
}

/* How many entries from `e` on map consecutive pages of one folio, below `end` and inside the table. */
static u32 run_of(const struct view *v, const struct pte_record *e, u32 end)
{
	const struct pte_record *stop = v->ptes + v->nptes;
	u32 n = 1;

	if (end > (e->vpn | 511) + 1)
		end = (e->vpn | 511) + 1;
	while (e + n < stop && e[n].mm == e->mm && e[n].vpn == e->vpn + n && e[n].vpn < end &&
	       e[n].kind == PTE_KIND_PRESENT && e[n].folio == e->folio && e[n].offset == e->offset + n)
		n++;
	return n;
}

/* --- the choices -------------------------------------------------------------------------------------------- */

struct telling {
	struct mmdiff_wire *wire;
	struct mmdiff_wire_result *result;
	struct view before, after;
	u32 mm, from, to;	/* what the operation names */
};

static void tell(struct telling *t, enum choice kind, u32 a, u32 b, u32 c)
{
	if (t->wire->choices_used == MMDIFF_WIRE_CHOICES)
		return;
	t->wire->choices[t->wire->choices_used++] = (struct mmdiff_wire_choice){ .kind = kind, .a = a, .b = b, .c = c };
	t->result->choices_n++;
}

/*
 * Written to: a page of a large folio that was copied. The kernel copies, without trying, what more than two
 * processes may have mapped at some time.
 */
static void tell_copies(struct telling *t)
{
	for (u32 vpn = t->from; vpn < t->to; vpn++) {
		const struct pte_record *old = entry_at(&t->before, t->mm, vpn), *now = entry_at(&t->after, t->mm, vpn);

		if (!old || !now || old->kind != PTE_KIND_PRESENT || now->kind != PTE_KIND_PRESENT ||
		    old->bits & PTE_BIT_WRITE || !t->before.folios[old->folio].order)
			continue;
		if (!t->after.folios[now->folio].order)
			tell(t, CHOICE_WpReuse, 0, vpn, 0);
	}
}

/* What was mapped of shared memory is dirty though it was only read. */
static void tell_dirty_reads(struct telling *t)
{
	for (const struct pte_record *e = t->after.ptes; e < t->after.ptes + t->after.nptes; e++) {
		const struct vma_record *vma = vma_at(&t->after, e->mm, e->vpn);

		if (e->mm == t->mm && e->kind == PTE_KIND_PRESENT && e->bits & PTE_BIT_DIRTY && vma &&
		    vma->flags & VMA_SHARED && !entry_at(&t->before, e->mm, e->vpn))
			tell(t, CHOICE_ReadDirty, 0, e->vpn, 1);
	}
}

/* Entries of a large folio that were treated as one, so that all are what one was. */
static void tell_protected_batches(struct telling *t)
{
	const struct pte_record *e = entry_from(&t->before, t->mm, t->from), *stop = t->before.ptes + t->before.nptes;

	while (e && e < stop && e->mm == t->mm && e->vpn < t->to) {
		const struct vma_record *vma = vma_at(&t->before, e->mm, e->vpn);
		u32 n = 1, run, told_n = 0;

		if (e->kind != PTE_KIND_PRESENT || !vma) {
			e++;
			continue;
		}
		run = run_of(&t->before, e, vma->end < t->to ? vma->end : t->to);
		while (n < run && !((e[n].bits ^ e->bits) & PTE_BIT_WRITE))
			n++;
		for (u32 i = 0; i < n; i++) {
			const struct pte_record *now = entry_at(&t->after, e->mm, e->vpn + i);

			if (now && now->bits & ~e[i].bits & (PTE_BIT_YOUNG | PTE_BIT_DIRTY))
				told_n = n;
		}
		if (told_n)
			tell(t, CHOICE_ProtectBatch, 0, e->vpn, told_n);
		e += n;
	}
}

/*
 * A lazyfree folio that is paged out: its entries are taken in runs that agree in their write bit, up to the first
 * run that has to stay, for something has written to it or refers to the folio.
 */
static void tell_visits(struct telling *t)
{
	const struct pte_record *e = entry_from(&t->before, t->mm, t->from), *stop = t->before.ptes + t->before.nptes;

	for (; e && e < stop && e->mm == t->mm && e->vpn < t->to; e++) {
		const struct folio_record *f = &t->before.folios[e->folio];
		const struct vma_record *vma = vma_at(&t->before, e->mm, e->vpn);
		u32 pages, from = 0;
		bool stays;

		if (e->kind != PTE_KIND_PRESENT || e->offset || !vma || vma->flags & VMA_LOCKED ||
		    f->flags & FOLIO_SWAPBACKED || !(f->flags & FOLIO_ANON))
			continue;
		pages = 1u << f->order;
		if (f->mapcount != pages ||
		    run_of(&t->before, e, vma->end < t->to ? vma->end : t->to) < pages)
			continue;
		stays = f->flags & FOLIO_DIRTY || f->refcount != f->mapcount;
		while (from < pages) {
			u32 n = 0, dirty = 0;

			for (; from + n < pages && !((e[from + n].bits ^ e[from].bits) & PTE_BIT_WRITE); n++)
				dirty |= e[from + n].bits & PTE_BIT_DIRTY;
			tell(t, CHOICE_Visit, t->mm, e->vpn + from, n);
			if (stays || dirty)
				break;
			from += n;
		}
		e += pages - 1;
	}
}

/*
 * From 6.16.12 to 7.1 the drains of a long-term pin do not account for its own reference to a small folio: the
 * condition to leave them out never holds.
 */
static void tell_drains(struct telling *t)
{
	if (version < VERSION(6, 16, 12) || version >= VERSION(7, 2, 0))
		return;
	for (u32 i = 0; i < 2 * (t->to - t->from); i++)
		tell(t, CHOICE_GupDrain, 2, 0, 0);
}

u32 told_writable(const struct mmdiff_wire *wire, u32 state, u32 mm, u32 vpn, u32 npages)
{
	const struct view v = view_of(wire, state);
	u32 n = 0;

	while (n < npages) {
		const struct vma_record *vma = vma_at(&v, mm, vpn + n);

		if (!vma || !(vma->flags & VMA_WRITE))
			break;
		n = vma->end - vpn;
	}
	return n < npages ? n : npages;
}

void told(struct mmdiff_wire *wire, uint32_t i, uint32_t before, uint32_t after)
{
	const struct mmdiff_wire_op *op = &wire->ops[i];
	struct telling t = {
		.wire = wire,
		.result = &wire->results[i],
		.before = view_of(wire, before),
		.after = view_of(wire, after),
		.mm = op->arg[0],
		.from = op->arg[1],
		.to = op->arg[1] + op->arg[2],
	};

	t.result->choices_from = wire->choices_used;
	t.result->choices_n = 0;
	if (t.to > wire->world.table * wire->world.tables)
		t.to = wire->world.table * wire->world.tables;
	switch (op->code) {
	case OP_write:
	case OP_lock:
	case OP_pin:
		tell_dirty_reads(&t);
		tell_copies(&t);
		if (op->code == OP_pin)
			tell_drains(&t);
		break;
	case OP_read:
	case OP_map:
	case OP_lock_onfault:
		tell_dirty_reads(&t);
		break;
	case OP_protect:
		tell_protected_batches(&t);
		break;
	case OP_pageout:
		tell_visits(&t);
		break;
	}
}
