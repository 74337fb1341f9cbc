// SPDX-License-Identifier: GPL-2.0
/* The tree's file. What a refault decides is noted. */
#include <linux/mm.h>
#include <linux/swap.h>
#include "../mmdiff/windows.h"
#define workingset_refault mmdiff_refault
#include "filemap.tree.c"
