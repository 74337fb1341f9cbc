// SPDX-License-Identifier: GPL-2.0
/* The tree's file. That it drains the LRU batches at exit, as kernels before 6.18 do, is noted. */
#include <linux/mm.h>
#include <linux/swap.h>
#include "internal.h"
#include "../mmdiff/windows.h"
#define lru_add_drain() mmdiff_drain_at_zap()
#undef pr_fmt
#include "mmap.tree.c"
