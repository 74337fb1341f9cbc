/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Actors: the processes of a program, for the public grade. An actor waits for what the director (public.c)
 * wants done in its name and does it by system calls (perform.c), one thing at a time, on the CPU it is told.
 *
 * All are forked from a template whose own memory is shared with all of them, so that an actor has no anonymous
 * memory but its arena: forking one copies nothing, and nothing of its own ever waits in a batch. They share the
 * template's descriptors too, so that what is pinned outlives the process it was pinned in.
 *
 * Handing something over costs two wake-ups, some 60 us in a guest.
 */
#ifndef MMDIFF_KERNEL_GUEST_INIT_ACTORS_H_
#define MMDIFF_KERNEL_GUEST_INIT_ACTORS_H_

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/wire.h"

#define ARENA 0x4000000000ul	/* where page 0 of an arena is */
#define PAGE 4096ul
#define MAX_MMS 64
#define TEMPLATE MAX_MMS	/* the number of the template among the actors */
#define MAX_PINS 64		/* at once */

enum opcode {
#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(name, result, weight, args, doc) OP_##name,
#include "program/ops.def"
	OPCODES
};

struct answer {
	int32_t err;		/* positive errno */
	uint32_t value;
	uint64_t data;
	bool value_unknown, unsupported;
};

/* What an actor is told. */
struct order {
	struct mmdiff_wire_op op;
	uint32_t op_index, arena;	/* the arena's pages */
	int argument;			/* fork: the number of the child; pin, unpin: the ring */
};

/* Starts the template; before anything else, while init's own memory is small. */
void actors_start(void);

/* Has actor `number` carry out an order, and waits for it. */
struct answer actor_do(int number, const struct order *order);

/* A new actor `number`, forked in actor `parent` on a CPU. An errno, or 0. */
int actor_fork(int parent, int number, uint32_t cpu);
/* It exits on a CPU; its memory is gone when this returns. */
void actor_exit(int number, uint32_t cpu);

pid_t actor_pid(int number);

/* RLIMIT_MEMLOCK of all actors forked from now on, in pages. */
void actors_set_memlock(uint32_t pages);

/* What an actor has outside of its arena. */
extern uint32_t actor_own_vmas, actor_own_pages;

/* perform.c: in the actor itself. */
struct answer perform(const struct order *order);

/* pins.c: rings that pins are made with. `rings_open` before the template starts. */
void rings_open(void);
int ring_pin(int ring, uint64_t address, uint32_t pages);	/* pages that are pinned now, or a negative errno */
int ring_unpin(int ring);					/* 0 or a negative errno */

#endif
