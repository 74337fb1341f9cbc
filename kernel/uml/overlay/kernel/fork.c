// SPDX-License-Identifier: GPL-2.0
/* The tree's file, and a door to dup_mm() or dup_mmap(): fork of an mm without a task. */
#include "fork.tree.c"
#include "../mmdiff/windows.h"

struct mm_struct *mmdiff_dup_mm(struct mm_struct *oldmm)
{
	return dup_mm(current, oldmm);
}
