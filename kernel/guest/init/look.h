/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Look: puts together the state of a program's processes from what /proc tells: VMAs from smaps, page tables,
 * pages and counters from kcore. What cannot be seen is left out (kernel/guest/public_grade.cc names it). It
 * changes nothing: it drains no batch and touches no page.
 *
 * A look costs some ten system calls and two for each page that is mapped.
 */
#ifndef MMDIFF_KERNEL_GUEST_INIT_LOOK_H_
#define MMDIFF_KERNEL_GUEST_INIT_LOOK_H_

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/wire.h"

/* Learns where this kernel has what. Needs the template (actors.h). */
void look_open(void);

/* A process of the program, `id` being its handle; from when it is forked until it has exited. */
void look_begin(int number, uint32_t id, pid_t pid);
void look_end(int number);
/* Its VMAs may have changed. */
void look_again(int number);

/* Writes the state to wire->states; its offset, or MMDIFF_WIRE_IDLE if there is no room. */
uint32_t look(struct mmdiff_wire *wire);

#endif
