// Large folios: the deferred split queue and split_folio. The kernel's huge_memory.c.
#ifndef MMDIFF_MODEL_HUGE_MEMORY_H_
#define MMDIFF_MODEL_HUGE_MEMORY_H_

#include <vector>

#include "model/folio.h"

MMDIFF_MODEL_BEGIN

// Splits a large folio, on which the caller has one reference, into small ones: 0, or EAGAIN
// (locked, or references that nothing explains) with nothing changed. The pieces, in order, in
// *pieces if not null: then the caller has a reference on each, else only on the first still.
int split_folio(Task& t, Folio& folio, std::vector<Folio*>* pieces);
// The same for a folio that the caller has locked and that stays locked, as its own first piece.
int split_locked_folio(Task& t, Folio& folio, std::vector<Folio*>* pieces);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_HUGE_MEMORY_H_
