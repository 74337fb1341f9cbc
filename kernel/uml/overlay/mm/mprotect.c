// SPDX-License-Identifier: GPL-2.0
/* The tree's file. Which entries it treats as one is noted. */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include "../mmdiff/windows.h"
#define modify_prot_start_ptes(vma, addr, ptep, nr)				\
	(mmdiff_protects(vma, addr, ptep, nr), modify_prot_start_ptes(vma, addr, ptep, nr))
#include "mprotect.tree.c"
