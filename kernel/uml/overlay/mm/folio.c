// SPDX-License-Identifier: GPL-2.0
/* What mm/swap.c is called since 7.3: the same window. Earlier trees do not compile it. */
#define MMDIFF_TREE_FILE "folio.tree.c"
#include "swap.c"
