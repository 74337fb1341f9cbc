// SPDX-License-Identifier: GPL-2.0
/* The tree's file. What a refault decides is noted, and what fault-around maps beyond its window. */
#include <linux/mm.h>
#include <linux/swap.h>
#include "internal.h"
#include "../mmdiff/windows.h"
#define workingset_refault mmdiff_refault
/* filemap_map_folio_range() asks so whether it may map all of a folio, of which addr0 would be the first page. */
#define folio_within_vma(folio, vma)						\
	(folio_within_vma(folio, vma) &&					\
	 mmdiff_around_whole(folio, addr0, vmf->pte - start, start, nr_pages))
#include "filemap.tree.c"
