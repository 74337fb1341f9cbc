// SPDX-License-Identifier: GPL-2.0
/*
 * Own: a swap device in memory, synchronous like zram, and names for its slots.
 *
 * The kernel picks slots by clusters; mmdiff's reference takes the lowest free run. What matters is which
 * entries share a slot, so slots are compared by name: a slot gets the lowest free name (a folio's slots
 * an aligned run) when it is allocated, and gives it back when the kernel has freed it.
 */
#include <linux/blkdev.h>
#include <linux/fs.h>
#include "executor.h"
#include <linux/swapops.h>
#include "internal.h"
#include "swap.h"
#if !MMDIFF_BEFORE(7, 1)
#include "swap_table.h"
#endif

#define SWAP_PAGES 32768u

static u64 content[SWAP_PAGES];
static u8 header[PAGE_SIZE];		/* the first page of the device */
static u32 name_of[SWAP_PAGES];		/* by offset; NO_SLOT: none */
static u32 offset_of[SWAP_PAGES];	/* by name; 0: the name is free (offset 0 is the header) */
static u32 names_end;			/* names in use are below */
static bool used = true;		/* since mmdiff_swap_forget_place() */

/* Of a page only its first word is kept: programs see no more of it, and the rest is zero. */
static void swapdev_submit_bio(struct bio *bio)
{
	struct bio_vec bvec;
	struct bvec_iter iter;

	bio_for_each_segment(bvec, bio, iter) {
		u64 at = (u64)iter.bi_sector << SECTOR_SHIFT;
		u8 *data = page_address(bvec.bv_page) + bvec.bv_offset;
		u64 *word = &content[at >> PAGE_SHIFT];

		if (at < PAGE_SIZE) {
			if (!op_is_write(bio_op(bio)))
				memcpy(data, header + at, min_t(u64, bvec.bv_len, PAGE_SIZE - at));
		} else if (op_is_write(bio_op(bio))) {
			if (offset_in_page(at) == 0)
				*word = *(u64 *)data;
		} else {
			memset(data, 0, bvec.bv_len);
			if (offset_in_page(at) == 0)
				*(u64 *)data = *word;
		}
	}
	bio_endio(bio);
}

static const struct block_device_operations swapdev_fops = {
	.owner = THIS_MODULE,
	.submit_bio = swapdev_submit_bio,
};

int swapdev_init(dev_t *dev)
{
	struct queue_limits limits = {
		.physical_block_size = PAGE_SIZE,
		.logical_block_size = PAGE_SIZE,
		.features = BLK_FEAT_SYNCHRONOUS,
	};
	struct gendisk *disk;
	u32 *info = (u32 *)(header + 1024);
	int major, err;

	memset(name_of, 0xff, sizeof(name_of));
	/* The header of a swap area: version 1, the last page, and the magic at the end of the page. */
	info[0] = 1;
	info[1] = SWAP_PAGES - 1;
	memcpy(header + PAGE_SIZE - 10, "SWAPSPACE2", 10);
	major = register_blkdev(0, "mmdiffswap");
	if (major < 0)
		return major;
	disk = blk_alloc_disk(&limits, NUMA_NO_NODE);
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	disk->major = major;
	disk->first_minor = 0;
	disk->minors = 1;
	disk->fops = &swapdev_fops;
	disk->flags |= GENHD_FL_NO_PART;
	strscpy(disk->disk_name, "mmdiffswap", sizeof(disk->disk_name));
	set_capacity(disk, (u64)SWAP_PAGES << (PAGE_SHIFT - SECTOR_SHIFT));
	err = add_disk(disk);
	*dev = MKDEV(major, 0);
	return err;
}

/* The folio that caches a slot, without a reference; NULL: none. */
struct folio *swap_cache_folio(swp_entry_t entry)
{
	struct folio *folio;

#if MMDIFF_BEFORE(6, 18)
	folio = filemap_get_folio(swap_address_space(entry), swap_cache_index(entry));
	if (IS_ERR(folio))
		return NULL;
#else
	folio = swap_cache_get_folio(entry);
	if (!folio)
		return NULL;
#endif
	folio_put(folio);
	return folio;
}

bool swap_cached(swp_entry_t entry)
{
	return swap_cache_folio(entry) != NULL;
}

static int slot_count(u32 offset)
{
	swp_entry_t entry = swp_entry(0, offset);

#if !MMDIFF_BEFORE(7, 1)
	/* A cluster without a slot in use has no table. */
	if (swp_tb_is_null(swap_table_get(__swap_entry_to_cluster(entry), swp_cluster_offset(entry))))
		return 0;
#else
	/* Of a free slot swp_swapcount() says on the console that it is. */
	if (!__swap_count(entry))
		return 0;
#endif
	return swp_swapcount(entry);
}

static bool slot_free(u32 offset)
{
	return !slot_count(offset) && !swap_cached(swp_entry(0, offset));
}

void swapdev_collect(void)
{
	u32 name;

	for (name = 0; name < names_end; name++) {
		if (offset_of[name] && slot_free(offset_of[name])) {
			name_of[offset_of[name]] = NO_SLOT;
			offset_of[name] = 0;
		}
	}
	while (names_end && !offset_of[names_end - 1])
		names_end--;
}

/* The lowest aligned run of nr free names, or NO_SLOT. */
static u32 free_run(u32 nr)
{
	u32 first, i;

	for (first = 0; first + nr <= wire->world.swap; first += nr) {
		for (i = 0; i < nr && !offset_of[first + i]; i++)
			;
		if (i == nr)
			return first;
	}
	return NO_SLOT;
}

/*
 * Slots for a folio, in place of the kernel's own call in shrink_folio_list(): the kernel's, unless the
 * world's number of slots is used up.
 */
bool mmdiff_swap_alloc(struct folio *folio)
{
	u32 nr = folio_nr_pages(folio), first, offset, i;

	swapdev_collect();
	used = true;
	first = free_run(nr);
	if (first == NO_SLOT)
		return false;
#if MMDIFF_BEFORE(6, 16)
	if (!add_to_swap(folio))
		return false;
#else
	if (folio_alloc_swap(folio))
		return false;
#endif
	offset = swp_offset(folio->swap);
	for (i = 0; i < nr; i++) {
		name_of[offset + i] = first + i;
		offset_of[first + i] = offset + i;
		/* What is not written yet reads as nothing. */
		content[offset + i] = 0;
	}
	names_end = max(names_end, first + nr);
	return true;
}

static bool name_cached(u32 name, struct folio *but)
{
	struct folio *folio = offset_of[name] ? swap_cache_folio(swp_entry(0, offset_of[name])) : NULL;

	return folio && folio != but;
}

static void exchange_names(u32 a, u32 b)
{
	swap(offset_of[a], offset_of[b]);
	if (offset_of[a])
		name_of[offset_of[a]] = a;
	if (offset_of[b])
		name_of[offset_of[b]] = b;
}

/*
 * A folio that was read from slots of several allocations: their names become an aligned run, the lowest in
 * which no slot is cached, as in the reference.
 */
void swapdev_read(struct folio *folio)
{
	u32 offset = swp_offset(folio->swap), nr = folio_nr_pages(folio), first, i;

	for (i = 0; i < nr && name_of[offset + i] == name_of[offset] + i; i++)
		;
	if (i == nr && name_of[offset] % nr == 0)
		return;
	for (first = 0; first + nr <= wire->world.swap; first += nr) {
		for (i = 0; i < nr && !name_cached(first + i, folio); i++)
			;
		if (i == nr)
			break;
	}
	if (first + nr > wire->world.swap)
		return;
	for (i = 0; i < nr; i++)
		exchange_names(name_of[offset + i], first + i);
	names_end = max(names_end, first + nr);
	all_tables_changed();
}

u32 swap_slot_of(swp_entry_t entry)
{
	return swp_offset(entry) < SWAP_PAGES ? name_of[swp_offset(entry)] : NO_SLOT;
}

u32 swap_slots(void)
{
	return names_end;
}

/* Count and content; who caches the slot is known from the folios. */
bool swap_slot_state(u32 slot, struct swap_record *out)
{
	u32 offset = offset_of[slot];

	if (!offset)
		return false;
	out->slot = slot;
	out->count = slot_count(offset);
	out->cached = 0;
	out->content = content[offset];
	return true;
}

void swapdev_reset(void)
{
	swapdev_collect();
	if (used)
		mmdiff_swap_forget_place();
	used = false;
}

/* At the end of a program: folios that are in the swap cache though nobody needs their slots. */
void swapdev_release(void)
{
	u32 i;

	for (i = nfolios; i--;) {
		struct folio *folio = pfn_folio(tracked[i].pfn);

		if (!folio_test_swapcache(folio) || !folio_try_get(folio))
			continue;
		if (folio_trylock(folio)) {
			folio_free_swap(folio);
			folio_unlock(folio);
		}
		folio_put(folio);
	}
}
