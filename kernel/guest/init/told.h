/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Told: what the kernel decided where it may decide either way (harness/choices.def), as far as the states before
 * and after an operation show it, or as far as it follows from the state before and from the kernel's version.
 *
 * Nobody tells the rest: the reference then takes its default, and what depends on it is not comparable
 * (docs/guest.md). What is told and not asked for is no difference either. Costs a pass over the entries.
 */
#ifndef MMDIFF_KERNEL_GUEST_INIT_TOLD_H_
#define MMDIFF_KERNEL_GUEST_INIT_TOLD_H_

#include <stdint.h>

#include "kernel/wire.h"

/* `release` is what uname says: "6.18.15+deb13-cloud-amd64". */
void told_open(const char *release);

/* How many pages from vpn on lie in VMAs that may be written, `npages` at most. */
uint32_t told_writable(const struct mmdiff_wire *wire, uint32_t state, uint32_t mm, uint32_t vpn, uint32_t npages);

/* Of operation `i`, between the states at these offsets of wire->states; MMDIFF_WIRE_IDLE: an empty one. */
void told(struct mmdiff_wire *wire, uint32_t i, uint32_t before, uint32_t after);

#endif
