// GUP: references and pins on user pages. The kernel's gup.c.
#ifndef MMDIFF_MODEL_GUP_H_
#define MMDIFF_MODEL_GUP_H_

#include <vector>

#include "model/mm.h"

MMDIFF_MODEL_BEGIN

// Pages held by a pin handle; nullptr is the zero page.
struct PinnedPages {
  uint32_t flags = 0;  // GupFlagBits
  std::vector<Page*> pages;
};

// Populates [start, end) (MAP_POPULATE, mlock): 0, or EFAULT or EAGAIN of the first page that
// failed, at which it stops. Holes are skipped. Drains the task's CPU after each VMA. mmap_lock is
// held.
int mm_populate(Task& t, Mm& mm, uint32_t start, uint32_t end);
// Whether a call without write must make the page exclusive first; `flags` are GupFlagBits.
// GUP-fast knows no VMA (nullptr) and has to assume that the mapping is private.
bool gup_must_unshare(const Vma* vma, const Folio& folio, const Page& page, uint32_t flags);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_GUP_H_
