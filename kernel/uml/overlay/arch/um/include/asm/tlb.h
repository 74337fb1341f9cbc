/* SPDX-License-Identifier: GPL-2.0 */
/* Our own arch/um/include/asm/tlb.h: mmu_gather as it is built for several CPUs (delayed rmap removal). */
#ifndef __UM_TLB_H
#define __UM_TLB_H
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/hugetlb_inline.h>
#include <asm/tlbflush.h>
#include <asm/cacheflush.h>
#ifdef CONFIG_SMP
#include <asm-generic/tlb.h>
#else
#define CONFIG_SMP 1
#include <asm-generic/tlb.h>
#undef CONFIG_SMP
#endif
#endif
