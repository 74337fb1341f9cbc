/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tree's file, with pages cleared by one instruction: the memset() that User Mode Linux takes from
 * x86 is that of processors without fast string instructions, for nothing patches it at boot here.
 */
#ifndef MMDIFF_UM_PAGE_H
#define MMDIFF_UM_PAGE_H

#include "page.tree.h"

#ifndef __ASSEMBLY__
#ifndef __ASSEMBLER__
static inline void mmdiff_clear(void *to, unsigned long bytes)
{
	asm volatile("rep stosb" : "+D" (to), "+c" (bytes) : "a" (0) : "memory");
}
#undef clear_page
#define clear_page(page) mmdiff_clear((void *)(page), PAGE_SIZE)
#endif
#endif

#endif
