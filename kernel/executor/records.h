/* SPDX-License-Identifier: GPL-2.0 */
/* The records of state/state.h as C, and their share of the digest as in state/digest.h. */
#ifndef MMDIFF_RECORDS_H
#define MMDIFF_RECORDS_H

#include <linux/types.h>

#define NO_FOLIO 0xffffffffu
#define NO_SLOT 0xffffffffu

struct mm_record {
	u32 id, rss_anon, rss_file, rss_shmem, rss_swap, locked_vm, total_vm, map_count, has_pinned,
		tlb_flush_pending;
};
enum { VMA_READ = 1, VMA_WRITE = 2, VMA_SHARED = 4, VMA_LOCKED = 8, VMA_ONFAULT = 16, VMA_DONTCOPY = 32,
       VMA_NOHUGE = 64, VMA_ACCOUNT = 128 };
struct vma_record {
	u32 mm, start, end, flags, file, pgoff, anon_vma;
};
enum { PTE_KIND_NONE, PTE_KIND_PRESENT, PTE_KIND_ZERO, PTE_KIND_SWAP, PTE_KIND_MIGRATION };
enum { PTE_BIT_WRITE = 1, PTE_BIT_DIRTY = 2, PTE_BIT_YOUNG = 4, PTE_BIT_PROTNONE = 8, PTE_BIT_EXCLUSIVE = 16 };
struct pte_record {
	u32 mm, vpn;
	u8 kind, bits;
	u16 offset;
	u32 folio, slot;
};
enum { FOLIO_LOCKED = 1, FOLIO_REFERENCED = 2, FOLIO_DIRTY = 4, FOLIO_LRU_FLAG = 8, FOLIO_ACTIVE = 16,
       FOLIO_UNEVICTABLE = 32, FOLIO_MLOCKED = 64, FOLIO_SWAPBACKED = 128, FOLIO_SWAPCACHE = 256,
       FOLIO_ANON = 512, FOLIO_PARTIALLY_MAPPED = 1024, FOLIO_DEFERRED = 2048,
       FOLIO_RECLAIM = 4096 };
struct folio_record {
	u32 id, flags, refcount, mapcount, pincount, mlock_count, file, index, slot;
	u8 order, node, zone, lru;
};
struct page_record {
	u32 folio, offset, mapcount, anon_exclusive;
	u64 content;
};
struct swap_record {
	u32 slot, count, cached;
	u64 content;
};
struct batch_record {
	u32 cpu;
	u8 kind, tag;
	u32 position, folio;
};
struct tlb_record {
	u32 cpu, mm, vpn, folio, offset, write, dirty;
};
struct stat_record {
	u32 nr_anon_mapped, nr_file_mapped, nr_mlock, nr_isolated_anon, nr_isolated_file, nr_inactive_anon,
		nr_active_anon, nr_inactive_file, nr_active_file, nr_unevictable, nr_allocated;
};

static inline u64 mix(u64 h, u64 v)
{
	const unsigned __int128 p =
		(unsigned __int128)(h ^ v ^ 0x9e3779b97f4a7c15ull) * 0xd6e8feb86659fd93ull;

	return (u64)p ^ (u64)(p >> 64);
}
static inline u64 two(u32 hi, u32 lo)
{
	return (u64)hi << 32 | lo;
}
static inline u64 mm_fact(const struct mm_record *f)
{
	u64 h = mix(1, two(f->id, f->rss_anon));

	h = mix(h, two(f->rss_file, f->rss_shmem));
	h = mix(h, two(f->rss_swap, f->locked_vm));
	h = mix(h, two(f->total_vm, f->map_count));
	return mix(h, two(f->has_pinned, f->tlb_flush_pending));
}
static inline u64 vma_fact(const struct vma_record *f)
{
	u64 h = mix(2, two(f->mm, f->start));

	h = mix(h, two(f->end, f->flags));
	h = mix(h, two(f->file, f->pgoff));
	return mix(h, f->anon_vma);
}
static inline u64 pte_fact(const struct pte_record *f)
{
	u64 h = mix(3, two(f->mm, f->vpn));

	h = mix(h, two(f->folio, f->slot));
	return mix(h, (u64)f->kind << 32 | (u64)f->bits << 16 | f->offset);
}
static inline u64 folio_fact(const struct folio_record *f)
{
	u64 h = mix(4, two(f->id, f->flags));

	h = mix(h, two(f->refcount, f->mapcount));
	h = mix(h, two(f->pincount, f->mlock_count));
	h = mix(h, two(f->file, f->index));
	return mix(h, (u64)f->slot << 32 | (u64)f->order << 24 | (u64)f->node << 16 | (u64)f->zone << 8 | f->lru);
}
static inline u64 page_fact(const struct page_record *f)
{
	u64 h = mix(5, two(f->folio, f->offset));

	h = mix(h, two(f->mapcount, f->anon_exclusive));
	return mix(h, f->content);
}
static inline u64 swap_fact(const struct swap_record *f)
{
	return mix(mix(mix(6, two(f->slot, f->count)), f->cached), f->content);
}
static inline u64 batch_fact(const struct batch_record *f)
{
	return mix(mix(7, two(f->cpu, f->position)), (u64)f->kind << 40 | (u64)f->tag << 32 | f->folio);
}
static inline u64 tlb_fact(const struct tlb_record *f)
{
	u64 h = mix(8, two(f->cpu, f->mm));

	h = mix(h, two(f->vpn, f->folio));
	return mix(h, (u64)f->offset << 2 | f->write << 1 | f->dirty);
}
static inline u64 stat_fact(const struct stat_record *f)
{
	u64 h = mix(9, two(f->nr_anon_mapped, f->nr_file_mapped));

	h = mix(h, two(f->nr_mlock, f->nr_allocated));
	h = mix(h, two(f->nr_isolated_anon, f->nr_isolated_file));
	h = mix(h, two(f->nr_inactive_anon, f->nr_active_anon));
	h = mix(h, two(f->nr_inactive_file, f->nr_active_file));
	return mix(h, f->nr_unevictable);
}

#endif
