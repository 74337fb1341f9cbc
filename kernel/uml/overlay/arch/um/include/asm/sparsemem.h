/* SPDX-License-Identifier: GPL-2.0 */
/* Our own arch/um/include/asm/sparsemem.h: sections of 128 MiB, physical addresses as wide as x86-64's. */
#ifndef __UM_SPARSEMEM_H
#define __UM_SPARSEMEM_H
#define SECTION_SIZE_BITS 27
#define MAX_PHYSMEM_BITS 46
#endif
