// SPDX-License-Identifier: GPL-2.0
/* The tree's file. What it is told of a large folio's sharers is noted, with the address it asks for. */
#include <linux/mm.h>
#include <linux/mman.h>
#include "../mmdiff/windows.h"
#if MMDIFF_BEFORE(6, 16)
#include <asm/tlb.h>
/* MADV_FREE finishes a gather for each VMA. */
#define tlb_finish_mmu(tlb) do {						\
	mmdiff_madvise_gather_finished(tlb);					\
	(tlb_finish_mmu)(tlb);							\
} while (0)
#endif
#if MMDIFF_BEFORE(6, 15)
#define folio_likely_mapped_shared(folio) \
	mmdiff_mapped_shared(folio, addr, folio_likely_mapped_shared(folio))
#else
#define folio_maybe_mapped_shared(folio) \
	mmdiff_mapped_shared(folio, addr, folio_maybe_mapped_shared(folio))
#endif
#include "madvise.tree.c"
