// SPDX-License-Identifier: GPL-2.0
/*
 * The tree's file. Emulated: shared memory is never swapped out. A fault on a folio that the program itself
 * holds locked would sleep; it is told to the executor instead.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>
#include "../mmdiff/windows.h"
static vm_fault_t shmem_fault(struct vm_fault *vmf);
#define shmem_fault(vmf) tree_shmem_fault(vmf)
#define total_swap_pages 0l
#include "shmem.tree.c"
#undef shmem_fault

static vm_fault_t shmem_fault(struct vm_fault *vmf)
{
	if (mmdiff_held(vmf->vma->vm_file->f_mapping, vmf->pgoff))
		return VM_FAULT_SIGBUS;
	return tree_shmem_fault(vmf);
}
