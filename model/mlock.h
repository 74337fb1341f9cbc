// mlock: the walk of the system calls and the per-CPU mlock batch. The kernel's mlock.c.
#ifndef MMDIFF_MODEL_MLOCK_H_
#define MMDIFF_MODEL_MLOCK_H_

#include "model/mm.h"
#include "model/swap.h"

MMDIFF_MODEL_BEGIN

void mlock_folio(Task& t, Folio& folio);
void mlock_new_folio(Task& t, Folio& folio);
void munlock_folio(Task& t, Folio& folio);
void mlock_drain_local(Task& t);
// Does the list work of a batch, in order, and drops its references. The batch's lock is held.
void mlock_folio_batch(Task& t, FolioBatch& batch);
// rmap add of `nr` pages in `vma`: mlock_folio if the VMA is locked and the folio is small or added
// whole.
void mlock_vma_folio(Task& t, Folio& folio, const Vma& vma, uint32_t nr);
// rmap removal in `vma`: munlock_folio if the VMA is locked and the folio is mlocked.
void munlock_vma_folio(Task& t, Folio& folio, const Vma& vma);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_MLOCK_H_
