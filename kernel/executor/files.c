// SPDX-License-Identifier: GPL-2.0
/*
 * Own: a file system of files in memory, whose pages have known contents before anybody writes them. The
 * page cache, its faults and its reclaim are the kernel's; what is ours is that there is no readahead, and
 * that a miss reads one folio of the highest order that the file allows.
 */
#include <linux/fs.h>
#include <linux/file.h>
#include <linux/pseudo_fs.h>
#include <linux/mount.h>
#include "executor.h"

#define FILES 4096

static struct vfsmount *mount;
static struct file *files[FILES];	/* by handle */
static u32 nfiles;
static struct address_space *shmem[FILES];	/* in order of creation; dead ones stay as names */
static u32 nshmem;

struct file_size {
	u32 npages, order;
};

static u64 file_value(u32 file, u32 index)
{
	return 0xF000000000000000ull | (u64)file << 32 | index;
}

static u32 number_of_inode(struct inode *inode)
{
	return (u32)(unsigned long)inode->i_private & 0xffff;
}

static void fill(struct folio *folio)
{
	u32 file = number_of_inode(folio->mapping->host);
	long i;

	for (i = 0; i < folio_nr_pages(folio); i++) {
		struct page *page = folio_page(folio, i);

		clear_page(page_address(page));
		*content_of(page) = file_value(file, folio->index + i);
	}
}

static int mmdiff_read_folio(struct file *file, struct folio *folio)
{
	fill(folio);
	folio_mark_uptodate(folio);
	folio_unlock(folio);
	return 0;
}

static const struct address_space_operations mmdiff_aops = {
	.read_folio = mmdiff_read_folio,
	.dirty_folio = noop_dirty_folio,
	.migrate_folio = filemap_migrate_folio,
};

/* Is a folio there? Shadows of evicted ones do not count. */
static bool cached_in(struct address_space *mapping, pgoff_t start, pgoff_t n)
{
	pgoff_t at;

	for (at = start; at < start + n; at++) {
		void *entry = xa_load(&mapping->i_pages, at);

		if (entry && !xa_is_value(entry))
			return true;
	}
	return false;
}

/* A folio of the highest order up to the file's whose aligned block lies inside it and is uncached. */
static void read_around(struct address_space *mapping, pgoff_t index)
{
	u32 order = (unsigned long)mapping->host->i_private >> 16 & 0xff;
	u32 npages = i_size_read(mapping->host) >> PAGE_SHIFT;
	struct folio *folio;

	folio = filemap_get_folio(mapping, index);
	if (!IS_ERR(folio)) {
		folio_put(folio);
		return;
	}
	for (;; order--) {
		pgoff_t start = round_down(index, 1ul << order);

		if (order && (order == 1 || !(wire->world.orders & (1u << order)) ||
			      start + (1ul << order) > npages || cached_in(mapping, start, 1ul << order)))
			continue;
		folio = filemap_alloc_folio(mapping_gfp_mask(mapping), order
#if !MMDIFF_BEFORE(6, 18)
					    , NULL
#endif
					    );
		if (!folio)
			return;
		if (filemap_add_folio(mapping, folio, start, mapping_gfp_mask(mapping)) == 0)
			mmdiff_read_folio(NULL, folio);
		folio_put(folio);
		return;
	}
}

static vm_fault_t mmdiff_fault(struct vm_fault *vmf)
{
	struct file *file = vmf->vma->vm_file;

	if (mmdiff_held(file->f_mapping, vmf->pgoff))
		return VM_FAULT_SIGBUS;
	if (vmf->pgoff < i_size_read(file_inode(file)) >> PAGE_SHIFT)
		read_around(file->f_mapping, vmf->pgoff);
	return filemap_fault(vmf);
}

static vm_fault_t mmdiff_page_mkwrite(struct vm_fault *vmf)
{
	struct folio *folio = page_folio(vmf->page);

	folio_lock(folio);
	folio_mark_dirty(folio);
	return VM_FAULT_LOCKED;
}

static const struct vm_operations_struct mmdiff_vm_ops = {
	.fault = mmdiff_fault,
	.map_pages = filemap_map_pages,
	.page_mkwrite = mmdiff_page_mkwrite,
};

static int mmdiff_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &mmdiff_vm_ops;
	return 0;
}

static const struct file_operations mmdiff_file_ops = {
	.mmap = mmdiff_mmap,
};

static int mmdiff_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, 0x6d6d6466) ? 0 : -ENOMEM;
}

static struct file_system_type mmdiff_fs = {
	.name = "mmdiff",
	.init_fs_context = mmdiff_init_fs_context,
	.kill_sb = kill_anon_super,
};

int filesystem_init(void)
{
	mount = kern_mount(&mmdiff_fs);
	return PTR_ERR_OR_ZERO(mount);
}

int file_create(u32 npages, u32 order, struct file **out)
{
	struct inode *inode = alloc_anon_inode(mount->mnt_sb);
	struct file *file;

	if (IS_ERR(inode))
		return ENOMEM;
	inode->i_flags &= ~S_PRIVATE;
	inode->i_mode = S_IFREG | 0600;
	inode->i_mapping->a_ops = &mmdiff_aops;
	inode->i_size = (loff_t)npages << PAGE_SHIFT;
	inode->i_private = (void *)(unsigned long)(order << 16);
	mapping_set_gfp_mask(inode->i_mapping, GFP_HIGHUSER_MOVABLE);
	if (order)
		mapping_set_large_folios(inode->i_mapping);
	file = alloc_file_pseudo(inode, mount, "mmdiff", O_RDWR, &mmdiff_file_ops);
	if (IS_ERR(file)) {
		iput(inode);
		return ENOMEM;
	}
	file->f_ra.ra_pages = 0;
	file->f_mode |= FMODE_RANDOM;
	*out = file;
	return 0;
}

void files_bind(u32 handle, struct file *file)
{
	struct inode *inode = file_inode(file);

	inode->i_private = (void *)((unsigned long)inode->i_private | handle);
	files[handle] = file;
	nfiles = max(nfiles, handle + 1);
}

struct file *file_of(u32 handle)
{
	return handle < nfiles ? files[handle] : NULL;
}

void files_note_shmem(struct file *file)
{
	if (nshmem < FILES)
		shmem[nshmem++] = file->f_mapping;
}

u32 file_number(struct address_space *mapping)
{
	u32 i;

	if (!mapping)
		return NO_FILE;
	if (mapping->a_ops == &mmdiff_aops)
		return number_of_inode(mapping->host);
	/* A mapping may be freed and its memory be used again: the youngest is the one that lives. */
	for (i = nshmem; i--;)
		if (shmem[i] == mapping)
			return SHMEM_FILE + i;
	return NO_FILE;
}

void files_reset(void)
{
	u32 i;

	for (i = 0; i < nfiles; i++) {
		if (files[i])
			fput(files[i]);
		files[i] = NULL;
	}
	nfiles = nshmem = 0;
}
