// VMAs: ranges of an address space, their splits and merges. The kernel's vma.h and vma.c.
//
// All of it under the mm's mmap_lock for write, look-ups for read. A look-up is O(log n).
#ifndef MMDIFF_MODEL_VMA_H_
#define MMDIFF_MODEL_VMA_H_

#include <vector>

#include "model/rmap.h"
#include "model/task.h"
#include "state/state.h"

MMDIFF_MODEL_BEGIN

struct Vma {
  Mm* mm = nullptr;  // nullptr: in the pool
  uint32_t start = 0, end = 0;
  sync::Word flags = 0;  // VmaFlags; rmap walks read it while mmap_lock's holder changes it
  uint32_t pgoff = 0;
  FileObject* file = nullptr;
  sync::Ptr<AnonVma> anon_vma = nullptr;
  std::vector<AnonVmaChain*> anon_vma_chain;  // in the order of linking, the oldest first
  Tracked tracked;

  uint32_t pages() const { return end - start; }
  bool has(uint32_t flag) const { return (flags & flag) != 0; }
  // Private memory whose pages are copied on write; every private VMA here.
  bool is_cow() const { return !has(kVmShared); }
  bool is_anonymous() const { return file == nullptr; }  // private anonymous
  uint32_t pgoff_of(uint32_t vpn) const { return pgoff + (vpn - start); }
  // Interval in the file's i_mmap.
  uint32_t interval_start() const { return pgoff; }
  uint32_t interval_last() const { return pgoff + (end - start) - 1; }
};

void touch_vma(Task& t, Vma& vma);

// The VMA that contains vpn, or nullptr.
Vma* vma_lookup(const Mm& mm, uint32_t vpn);
// The first VMA that ends after vpn, or nullptr; its position in Mm::vmas in *pos if not null.
Vma* find_vma(const Mm& mm, uint32_t vpn, size_t* pos = nullptr);
// Flags may be changed over [start, end) of `vma`: merges with the neighbours or splits. The VMA
// that now covers exactly what is to change (or more, if it was merged), or nullptr: a split would
// exceed max_map_count, nothing changed. The new flags are set.
Vma* vma_modify_flags(Task& t, Vma& vma, uint32_t start, uint32_t end, uint32_t new_flags);
// Splits at vpn, which lies inside: the lower part keeps the object. Answers the upper part. Does
// not look at max_map_count.
Vma* split_vma(Task& t, Vma& vma, uint32_t vpn);
// A new mapping of [start, end): merged into its neighbours where it can be, else a VMA of its own.
Vma* vma_map(Task& t, Mm& mm, uint32_t start, uint32_t end, uint32_t flags, FileObject* file,
             uint32_t pgoff);
// Takes the VMAs at positions [first, last) out of the mm and of their rmap structures and frees
// them; page tables are the caller's.
void remove_vmas(Task& t, Mm& mm, size_t first, size_t last);
// A copy of `src` for a fork, without anon_vma and not yet in any list.
Vma* vma_dup(Task& t, Mm& mm, const Vma& src);
// Puts a VMA that lies above all others into the mm's list, and into the file's i_mmap.
void vma_link_last(Task& t, Vma& vma);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_VMA_H_
