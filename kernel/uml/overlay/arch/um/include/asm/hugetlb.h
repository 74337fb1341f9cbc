/* SPDX-License-Identifier: GPL-2.0 */
/* Our own arch/um/include/asm/hugetlb.h: nothing but the generic one. */
#ifndef __UM_HUGETLB_H
#define __UM_HUGETLB_H
#include <asm/page.h>
#include <asm-generic/hugetlb.h>
#endif
