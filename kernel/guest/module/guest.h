/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine of the executor as a module in a prebuilt kernel.
 *
 *   main.c     the module, its device, the loop over programs
 *   actors.c   processes: each mm of a program is that of a task, in which its operations run
 *   hooks.c    calls inside the kernel that pass through the executor
 *   asked.c    answers that madvise was given
 *   doors.c    reclaim, migration in phases
 *   swap_place.c  where slots are looked for
 *   cpus.c     CPUs, their batches, counters that are kept for each of them
 *   mmu.c      accesses
 */
#ifndef MMDIFF_GUEST_H
#define MMDIFF_GUEST_H

#include "ops.h"
#include "internal.h"

struct task_struct;

/* actors.c */
int actors_init(struct file *device);
void actors_wait(void);
long actor_loop(void);			/* what the task of an actor does; ends with it */
bool ours(void);			/* is this the task that runs the operation? */
void actor_set_limits(unsigned long memlock_pages);
int actors_mmap(struct vm_area_struct *vma);

/* hooks.c */
int hooks_init(void);
void hooks_begin(void);

/* asked.c */
void asked_begin(const struct mmdiff_wire_op *op);
void asked_until_split(struct folio *folio);
void asked_not_split(void);
void asked_until_reclaim(struct list_head *folios);
void asked_end(void);

/* cpus.c */
void move_to_cpu(u32 to);		/* the task that calls */

#endif
