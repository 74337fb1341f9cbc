// SPDX-License-Identifier: GPL-2.0
/* The tree's file; sections of memory are set up before the zones where that is the architecture's work. */
#include <linux/version.h>
#include <linux/mmzone.h>
#include <linux/mm.h>
#include <kern_util.h>
#if defined(CONFIG_SPARSEMEM) && LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define paging_init tree_paging_init
static void tree_paging_init(void);
#include "mem.tree.c"
#undef paging_init

void __init paging_init(void)
{
	sparse_init();
	tree_paging_init();
}
#else
#include "mem.tree.c"
#endif
