// Write-protection faults: reuse or copy. The do_wp_page half of the kernel's memory.c.
#ifndef MMDIFF_MODEL_MEMORY_WP_H_
#define MMDIFF_MODEL_MEMORY_WP_H_

#include "model/memory.h"

MMDIFF_MODEL_BEGIN

// A write or unshare fault on an entry that is present (or the zero page) and not writable. O(1)
// but for a drain of the CPU's batches.
int do_wp_page(Task& t, Vma& vma, PageTable& table, uint32_t vpn, uint32_t flags);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_MEMORY_WP_H_
