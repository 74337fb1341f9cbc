/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#define _GNU_SOURCE
#include "look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors.h"
#include "init.h"
#include "kcore.h"
#include "layout.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
#include "kernel/executor/records.h"

#define TABLE 512
#define MAX_VMAS 4096
#define MAX_FOLIOS 65536

static struct process {
	bool alive, stale;	/* `vmas` is to be read again */
	u32 id;
	u64 mm;			/* address of its mm_struct */
	int smaps;		/* descriptor */
	u32 nvmas;
	struct vma_record *vmas;
} processes[MAX_MMS];

/* Folios of this look, in the order in which they were met. */
static struct folio {
	u64 head;	/* address of the first struct page */
	u32 order;
} *folios;
static u32 nfolios;

/* --- processes -------------------------------------------------------------------------------------------- */

/* The newest tasks are the last of the list. */
static u64 find_mm(pid_t pid)
{
	u64 list = layout.init_task + layout.task_tasks, at = list, task;

	do {
		at = kcore_word(at + 8);	/* list_head::prev */
		task = at - layout.task_tasks;
		if ((u32)kcore_word(task + layout.task_pid) == (u32)pid)
			return kcore_word(task + layout.task_mm);
	} while (at && at != list);
	mmdiff_give_up(0, "process %d is not in the kernel's list", pid);
}

void look_begin(int number, u32 id, pid_t pid)
{
	struct process *p = &processes[number];
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	p->smaps = open(path, O_RDONLY | O_CLOEXEC);
	if (p->smaps < 0)
		mmdiff_give_up(errno, "cannot open %s", path);
	p->alive = p->stale = true;
	p->id = id;
	p->mm = find_mm(pid);
}

void look_end(int number)
{
	if (processes[number].alive)
		close(processes[number].smaps);
	processes[number].alive = false;
}

void look_again(int number)
{
	processes[number].stale = true;
}

/* --- VMAs --------------------------------------------------------------------------------------------------- */

static u32 flags_of(const char *words)
{
	static const struct {
		char name[3];
		u32 flag;
	} known[] = {
		{ "rd", VMA_READ }, { "wr", VMA_WRITE }, { "sh", VMA_SHARED }, { "lo", VMA_LOCKED },
		{ "lf", VMA_ONFAULT }, { "dc", VMA_DONTCOPY }, { "nh", VMA_NOHUGE }, { "ac", VMA_ACCOUNT },
	};
	u32 flags = 0;

	for (; words[0] == ' ' && words[1] && words[1] != '\n'; words += 3)
		for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (!memcmp(words + 1, known[i].name, 2))
				flags |= known[i].flag;
	return flags;
}

static void read_vmas(struct process *p)
{
	static char text[4 << 20];
	size_t used = 0;
	ssize_t n;
	struct vma_record vma = { 0 };
	bool inside = false;

	p->stale = false;
	p->nvmas = 0;
	while ((n = pread(p->smaps, text + used, sizeof(text) - used - 1, used)) > 0)
		used += n;
	text[used] = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		if (!strncmp(line, "VmFlags:", 8)) {
			vma.flags = flags_of(line + 8);
			if (inside && p->nvmas < MAX_VMAS)
				p->vmas[p->nvmas++] = vma;
		} else if ((line[0] >= '0' && line[0] <= '9') || (line[0] >= 'a' && line[0] <= 'f')) {
			char *at;
			u64 from = strtoull(line, &at, 16), to = strtoull(at + 1, NULL, 16);

			inside = from >= ARENA && to <= ARENA + (1ul << 32);
			vma = (struct vma_record){ .mm = p->id, .start = (from - ARENA) / PAGE,
						   .end = (to - ARENA) / PAGE };
		}
	}
}

/* --- records ------------------------------------------------------------------------------------------------ */

static u8 *at, *room_end;
static bool no_room;

static void *take(size_t bytes)
{
	void *here = at;

	if (bytes > (size_t)(room_end - at)) {
		no_room = true;
		return NULL;
	}
	at += bytes;
	return here;
}

static void put(const void *record, size_t bytes, u32 *count)
{
	void *to = take(bytes);

	if (to) {
		memcpy(to, record, bytes);
		++*count;
	}
}

static void align(void)
{
	at = (u8 *)(((uintptr_t)at + 7) & ~7ul);
}

/* --- pages -------------------------------------------------------------------------------------------------- */

static u64 page_at(u64 pfn)
{
	return layout.vmemmap + pfn * layout.page_bytes;
}

/* `info` is what a struct page says of its folio: where the first page is, or since 7.1 which bits to drop. */
static u64 head_of(u64 page, u64 info)
{
	if (!(info & 1))
		return page;
	return info >> 32 == 0xffffffff ? page & info : info - 1;
}

static u32 order_of(u64 head)
{
	if (!(kcore_word(head + layout.page_flags) >> layout.head & 1))
		return 0;
	return kcore_word(head + layout.folio_order) & 0xff;
}

static u32 folio_number(u64 head)
{
	for (u32 i = nfolios; i-- > 0;)
		if (folios[i].head == head)
			return i;
	if (nfolios == MAX_FOLIOS)
		mmdiff_give_up(0, "there are more than %d folios", MAX_FOLIOS);
	folios[nfolios] = (struct folio){ head, order_of(head) };
	return nfolios++;
}

/* Bits of x86-64's entries. */
enum { P_PRESENT = 1, P_WRITE = 2, P_YOUNG = 32, P_DIRTY = 64, P_PROTNONE = 256 };
#define P_SAVED_DIRTY (1ull << 58)	/* of one that may not be written */
#define NO_FILE 0xffffu			/* kNoFile of program/program.h */
#define P_FRAME 0x000ffffffffff000ull

static struct pte_record pte_of(const struct process *p, u32 vpn, u64 raw)
{
	struct pte_record r = { .mm = p->id, .vpn = vpn, .folio = NO_FOLIO, .slot = NO_SLOT };

	if (raw & (P_PRESENT | P_PROTNONE)) {
		/* An entry without rights has its frame's bits inverted. */
		u64 frame = raw & P_PRESENT ? raw : ~raw, page[8];

		frame = (frame & P_FRAME) >> 12;
		r.bits = (raw & P_WRITE ? PTE_BIT_WRITE : 0) | (raw & (P_DIRTY | P_SAVED_DIRTY) ? PTE_BIT_DIRTY : 0) |
			 (raw & P_YOUNG ? PTE_BIT_YOUNG : 0) | (raw & P_PRESENT ? 0 : PTE_BIT_PROTNONE);
		r.kind = PTE_KIND_ZERO;
		if (frame != layout.zero_pfn && kcore_read(page_at(frame), page, sizeof(page))) {
			u64 head = page[layout.page_head / 8];

			head = head_of(page_at(frame), head);
			r.kind = PTE_KIND_PRESENT;
			r.folio = folio_number(head);
			r.offset = (page_at(frame) - head) / layout.page_bytes;
		}
	} else {
		r.kind = PTE_KIND_SWAP;
	}
	return r;
}

static void look_at_tables(const struct process *p, u32 arena, u32 *count)
{
	const u64 frame = P_FRAME, base = layout.direct_map;
	u64 pgd = kcore_word(p->mm + layout.mm_pgd), p4d, pud, pmd[TABLE], pte[TABLE];

	p4d = kcore_word(pgd + (ARENA >> 39 & 511) * 8);
	if (!(p4d & P_PRESENT))
		return;
	pud = kcore_word(base + (p4d & frame) + (ARENA >> 30 & 511) * 8);
	if (!(pud & P_PRESENT) || !kcore_read(base + (pud & frame), pmd, sizeof(pmd)))
		return;
	for (u32 t = 0; t < arena / TABLE; t++) {
		if (!(pmd[t] & P_PRESENT) || !kcore_read(base + (pmd[t] & frame), pte, sizeof(pte)))
			continue;
		for (u32 i = 0; i < TABLE; i++) {
			struct pte_record r;

			if (!pte[i])
				continue;
			r = pte_of(p, t * TABLE + i, pte[i]);
			put(&r, sizeof(r), count);
		}
	}
}

static u32 word32(const u8 *page, u32 offset)
{
	u32 word;

	memcpy(&word, page + offset, sizeof(word));
	return word;
}

static u64 word64(const u8 *page, u32 offset)
{
	u64 word;

	memcpy(&word, page + offset, sizeof(word));
	return word;
}

/* `data` are the struct pages of the folio, the first four of them at least if it is large. */
static struct folio_record folio_of(u32 id, u32 order, const u8 *data)
{
	static const struct {
		const u32 *bit;
		u32 flag;
	} known[] = {
		{ &layout.locked, FOLIO_LOCKED }, { &layout.referenced, FOLIO_REFERENCED },
		{ &layout.dirty, FOLIO_DIRTY }, { &layout.lru, FOLIO_LRU_FLAG }, { &layout.active, FOLIO_ACTIVE },
		{ &layout.unevictable, FOLIO_UNEVICTABLE }, { &layout.mlocked, FOLIO_MLOCKED },
		{ &layout.swapbacked, FOLIO_SWAPBACKED },
	};
	const u64 flags = word64(data, layout.page_flags);
	struct folio_record r = { .id = id, .order = order, .file = NO_FILE, .slot = NO_SLOT };

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (flags >> *known[i].bit & 1)
			r.flags |= known[i].flag;
	if (flags >> layout.swapbacked & flags >> layout.swapcache & 1)
		r.flags |= FOLIO_SWAPCACHE;
	if (word64(data, layout.page_mapping) & 1)
		r.flags |= FOLIO_ANON;
	if (order > 1 && word64(data + layout.page_bytes, layout.page_flags) >> layout.partially_mapped & 1)
		r.flags |= FOLIO_PARTIALLY_MAPPED;
	r.refcount = word32(data, layout.page_refcount);
	r.mapcount = word32(data, order ? layout.folio_large_mapcount : layout.page_mapcount) + 1;
	r.pincount = order ? word32(data, layout.folio_pincount) : 0;
	if (r.flags & FOLIO_LRU_FLAG && r.flags & FOLIO_UNEVICTABLE)
		r.mlock_count = word32(data, layout.folio_mlock_count);
	r.node = flags >> layout.node_shift;
	r.zone = (flags >> layout.zone_shift & 7) == layout.zone_movable;
	return r;
}

static u8 pages[TABLE * 64];	/* the struct pages of a folio */

static bool read_folio(u32 id)
{
	return kcore_read(folios[id].head, pages, (size_t)layout.page_bytes << folios[id].order);
}

static void put_folio(u32 id, u32 *count)
{
	struct folio_record r;

	if (!read_folio(id))
		return;
	r = folio_of(id, folios[id].order, pages);
	put(&r, sizeof(r), count);
}

static void put_pages(u32 id, u32 *count)
{
	const u64 pfn = (folios[id].head - layout.vmemmap) / layout.page_bytes;

	if (!read_folio(id))
		return;
	for (u32 i = 0; i < 1u << folios[id].order; i++) {
		const u8 *page = pages + i * layout.page_bytes;
		struct page_record r = {
			.folio = id,
			.offset = i,
			.mapcount = word32(page, layout.page_mapcount) + 1,
			.anon_exclusive = word64(pages, layout.page_mapping) & word64(page, layout.page_flags) >>
					  layout.anon_exclusive & 1,
			.content = kcore_word(layout.direct_map + (pfn + i) * PAGE),
		};

		put(&r, sizeof(r), count);
	}
}

/* --- all of it ---------------------------------------------------------------------------------------------- */

static struct mm_record mm_of(const struct process *p)
{
	return (struct mm_record){
		.id = p->id,
		.locked_vm = kcore_word(p->mm + layout.mm_locked_vm),
		.total_vm = kcore_word(p->mm + layout.mm_total_vm) - actor_own_pages,
		.map_count = (u32)kcore_word(p->mm + layout.mm_map_count) - actor_own_vmas,
	};
}

u32 look(struct mmdiff_wire *wire)
{
	const u32 arena = wire->world.table * wire->world.tables, offset = wire->state_bytes_used;
	struct mmdiff_wire_state *s;

	at = wire->states + offset;
	room_end = wire->states + MMDIFF_WIRE_STATE_BYTES;
	no_room = false;
	nfolios = 0;
	s = take(sizeof(*s));
	if (!s)
		return MMDIFF_WIRE_IDLE;
	memset(s, 0, sizeof(*s));
	for (int i = 0; i < MAX_MMS; i++) {
		if (processes[i].alive) {
			const struct mm_record r = mm_of(&processes[i]);

			put(&r, sizeof(r), &s->mms);
		}
	}
	align();
	for (int i = 0; i < MAX_MMS; i++) {
		struct process *p = &processes[i];

		if (p->alive && p->stale)
			read_vmas(p);
		for (u32 k = 0; p->alive && k < p->nvmas; k++)
			put(&p->vmas[k], sizeof(p->vmas[k]), &s->vmas);
	}
	align();
	for (int i = 0; i < MAX_MMS; i++)
		if (processes[i].alive)
			look_at_tables(&processes[i], arena, &s->ptes);
	align();
	for (u32 i = 0; i < nfolios; i++)
		put_folio(i, &s->folios);
	align();
	for (u32 i = 0; i < nfolios; i++)
		put_pages(i, &s->pages);
	align();
	if (no_room || at > room_end)
		return MMDIFF_WIRE_IDLE;
	s->bytes = at - (wire->states + offset);
	wire->state_bytes_used = offset + s->bytes;
	return offset;
}

void look_open(void)
{
	folios = calloc(MAX_FOLIOS, sizeof(*folios));
	for (int i = 0; i < MAX_MMS; i++) {
		processes[i].vmas = malloc(MAX_VMAS * sizeof(struct vma_record));
		if (!processes[i].vmas || !folios)
			mmdiff_give_up(errno, "no memory to look at states");
	}
	layout_learn();
}
