// SPDX-License-Identifier: GPL-2.0
/*
 * Coverage: the counters that the compiler put into mm/ (build.sh --coverage). One byte for each edge; the
 * linker gathers them in one section, and beside it, in another, what edge each belongs to.
 */
#include "executor.h"

extern u8 __start___sancov_cntrs[] __weak, __stop___sancov_cntrs[] __weak;

/* What each counted file calls when the program starts; the section is known without. */
void __sanitizer_cov_8bit_counters_init(u8 *start, u8 *stop);
void __sanitizer_cov_pcs_init(const unsigned long *start, const unsigned long *stop);
void __sanitizer_cov_8bit_counters_init(u8 *start, u8 *stop) {}
void __sanitizer_cov_pcs_init(const unsigned long *start, const unsigned long *stop) {}

u32 coverage_bytes(void)
{
	unsigned long bytes = __stop___sancov_cntrs - __start___sancov_cntrs;

	if (bytes > MMDIFF_WIRE_COVERAGE)
		panic("mmdiff: %lu edges, and room for %u in the shared memory", bytes, MMDIFF_WIRE_COVERAGE);
	return bytes;
}

void coverage_begin(void)
{
	if (wire->coverage_bytes)
		mmdiff_clear(__start___sancov_cntrs, wire->coverage_bytes);
}

void coverage_end(void)
{
	if (wire->coverage_bytes)
		memcpy(wire->coverage, __start___sancov_cntrs, wire->coverage_bytes);
}
