// Advice. The kernel's madvise.c. mmap_lock is held for read (dontfork and dofork: write).
#ifndef MMDIFF_MODEL_MADVISE_H_
#define MMDIFF_MODEL_MADVISE_H_

#include <algorithm>

#include "model/mm.h"

MMDIFF_MODEL_BEGIN

// End of [vpn, vpn + npages) for a walk over VMAs: what lies above the arena is a hole, one page of
// which is as good as all.
inline uint32_t madvise_end(const World& world, uint32_t vpn, uint32_t npages) {
  return static_cast<uint32_t>(
      std::min<uint64_t>(uint64_t{vpn} + npages, uint64_t{world.arena()} + 1));
}

// Calls fn(Vma&, start, end) for each VMA part of [start, end), in order, until it answers an
// errno. At the end ENOMEM if there was a hole, else 0.
template <typename Fn>
int madvise_walk_vmas(const Mm& mm, uint32_t start, uint32_t end, Fn&& fn) {
  bool hole = false;
  while (start < end) {
    Vma* vma = find_vma(mm, start);
    if (vma == nullptr || vma->start >= end) {
      hole = true;
      break;
    }
    if (vma->start > start) {
      hole = true;
      start = vma->start;
    }
    const uint32_t stop = vma->end < end ? vma->end : end;
    if (const int err = fn(*vma, start, stop); err != 0) return err;
    start = stop;
  }
  return hole ? kENOMEM : 0;
}

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_MADVISE_H_
