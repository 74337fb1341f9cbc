// Page faults and zapping. The kernel's memory.c.
//
// A fault costs O(1) plus the pages it maps; a zap O(entries) with runs of a large folio as one.
#ifndef MMDIFF_MODEL_MEMORY_H_
#define MMDIFF_MODEL_MEMORY_H_

#include "model/filemap.h"
#include "model/mm.h"
#include "model/mmu_gather.h"

MMDIFF_MODEL_BEGIN

enum FaultFlags : uint32_t { kFaultRead = 0, kFaultWrite = 1, kFaultUnshare = 2 };

// Handles one fault at vpn, of a VMA that permits it. 0 (the caller looks at the entry again), or
// EAGAIN (would wait) or EFAULT (beyond the end of the file). mmap_lock is held for read.
int handle_mm_fault(Task& t, Vma& vma, uint32_t vpn, uint32_t flags);

// Clears [start, end) of `vma` into the gather; the number of entries cleared.
uint32_t zap_vma_range(Task& t, MmuGather& tlb, Vma& vma, uint32_t start, uint32_t end);

// fork: copies the entries of `src` (which has an anon_vma) to `dst`.
void copy_page_range(Task& t, Vma& dst, Vma& src);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_MEMORY_H_
