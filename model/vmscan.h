// Reclaim of folios. The kernel's vmscan.c.
#ifndef MMDIFF_MODEL_VMSCAN_H_
#define MMDIFF_MODEL_VMSCAN_H_

#include <vector>

#include "model/rmap.h"
#include "model/swap.h"

MMDIFF_MODEL_BEGIN

// The folio of the present entry at vpn, with a reference: 0, EFAULT (no VMA, zero page) or ENOENT.
int get_mapped_folio(Task& t, const Mm& mm, uint32_t vpn, Folio** folio);
// Takes the folio off the LRU with a reference of its own; false if it is not on it.
bool folio_isolate_lru(Task& t, Folio& folio);
void folio_putback_lru(Task& t, Folio& folio);
// Pages isolated, by the folio's present type; sign is 1 or -1.
void mod_isolated(Task& t, const Folio& folio, int32_t sign);
// Drops the cache and frees an unmapped, isolated and locked folio: 0, or EBUSY and it is locked
// still.
int remove_mapping(Task& t, Folio& folio);
// Reclaims isolated folios in order; what stays is put back; empties the list, flushes what
// unmapping put off. The number of pages freed.
uint32_t reclaim_folio_list(Task& t, std::vector<Folio*>& folios, bool ignore_references);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_VMSCAN_H_
