/* SPDX-License-Identifier: GPL-2.0 */
/* Our own arch/um/include/asm/tlbbatch.h: a batch of put-off flushes needs no memory, see tlbflush.h. */
#ifndef __UM_TLBBATCH_H
#define __UM_TLBBATCH_H
struct arch_tlbflush_unmap_batch {
};
#endif
