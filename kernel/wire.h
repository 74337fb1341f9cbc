/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Wire: how mmdiff and a kernel that runs in another process talk, as plain C that both sides compile.
 *
 * One piece of shared memory, one program at a time; in a virtual machine it is the BAR 2 of a PCI
 * device (ivshmem, MMDIFF_WIRE_PCI_*). mmdiff writes the program and raises
 * `request`; the kernel runs all of it, writes for each operation its answer, its choices and the
 * digest of the state after it, and raises `reply`. Full states are written only for the operations
 * from `snap_from` on, until the room for them is used up: programs are deterministic, so mmdiff
 * runs a program again when it wants to see a state. Nothing here is kept between programs.
 *
 * The records mirror those of state/state.h, harness/choice.h and program/program.h; kernel/worker.cc
 * asserts that the layouts are the same.
 */
#ifndef MMDIFF_KERNEL_WIRE_H_
#define MMDIFF_KERNEL_WIRE_H_

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

#define MMDIFF_WIRE_MAGIC 0x6d6d6477u
#define MMDIFF_WIRE_VERSION 2u /* both sides must have the same */

#define MMDIFF_WIRE_OPS 16384u
#define MMDIFF_WIRE_CHOICES 262144u
#define MMDIFF_WIRE_STATE_BYTES (32u << 20)
#define MMDIFF_WIRE_TEXT 4096u
#define MMDIFF_WIRE_COVERAGE (128u << 10)
#define MMDIFF_WIRE_IDLE 0xffffffffu

/* The device, and the size of its BAR: the power of two above sizeof(struct mmdiff_wire). */
#define MMDIFF_WIRE_PCI_VENDOR 0x1af4u
#define MMDIFF_WIRE_PCI_DEVICE 0x1110u
#define MMDIFF_WIRE_PCI_BYTES (64u << 20)

/* Same layout as mmdiff::World: the fields of world.def in order, then the orders. */
struct mmdiff_wire_world {
#define MMDIFF_WORLD(name, dflt, min, max, doc) uint32_t name;
#include "program/world.def"
	uint32_t orders;
};

/* Same layout as mmdiff::Op. */
struct mmdiff_wire_op {
	uint8_t code, thread, cpu, reserved;
	uint32_t arg[6];
};

/* Same layout as mmdiff::Choice. */
struct mmdiff_wire_choice {
	uint8_t kind, pad;
	uint16_t a, c, pad2;
	uint32_t b;
};

struct mmdiff_wire_result {
	int32_t err;
	uint32_t value;
	uint64_t data;
	uint64_t digest;	/* of the state after the operation */
	uint32_t choices_from;	/* the operation's choices are choices[choices_from, + choices_n) */
	uint32_t choices_n;
	uint32_t state_at;	/* offset in states[] of its mmdiff_wire_state, or MMDIFF_WIRE_IDLE */
	uint8_t unsupported;	/* the operation has no counterpart here; the run ends before it */
	uint8_t value_unknown;	/* the kernel does not say how much it did: `value` says nothing */
	uint8_t pad[2];
};

/*
 * A state: this header, then the arrays of records in the order of the counts, each aligned to 8
 * bytes and with the layout of the record of that name in state/state.h; then `text_bytes` of text,
 * the broken invariant if there is one ("refcount: folio 3 ...").
 */
struct mmdiff_wire_state {
	uint32_t bytes;	/* of all, this header included */
	uint32_t mms, vmas, ptes, folios, pages, swaps, batches, tlbs;
	uint32_t stats[11];	/* StatState */
	uint32_t text_bytes;
	uint32_t pad;
};

enum mmdiff_wire_flags {
	MMDIFF_WIRE_INVARIANTS = 1,	/* with each state: check invariants, append what is broken */
};

/* What became of the kernel; anything but OK ends the process soon after. */
enum mmdiff_wire_fate {
	MMDIFF_WIRE_OK,
	MMDIFF_WIRE_LEAK,	/* the program's end left something behind; `text` says what */
	MMDIFF_WIRE_REPORT,	/* the kernel warned or died; the console says why */
};

/* How much the kernel tells. */
enum mmdiff_wire_grade {
	MMDIFF_WIRE_EXACT,	/* all of a state */
	MMDIFF_WIRE_PUBLIC,	/* what user programs are told: the rest is unknown */
};

struct mmdiff_wire {
	/* Set by mmdiff when the memory is made. */
	uint32_t magic, version;
	/* Set by the kernel when it has booted, before its first reply. */
	char release[64];	/* "6.12.117" */
	char features[192];	/* words: "kasan debug_vm coverage" */
	uint32_t booted;	/* 1; a futex, as those below */
	uint32_t coverage_bytes;	/* used of coverage[]; 0: built without coverage */
	uint32_t grade;	/* an mmdiff_wire_grade */

	/* Futexes, but for a virtual machine, which both sides poll. mmdiff raises request; the kernel raises reply to the same value when it is done. */
	uint32_t request, reply;

	/* The request. */
	struct mmdiff_wire_world world;
	uint32_t nops, snap_from, flags;

	/* Progress and outcome. */
	uint32_t op_index;	/* being run now, for whoever watches; IDLE between programs */
	uint32_t fate, fate_op;	/* an mmdiff_wire_fate, and the operation it is put down to */
	uint32_t ops_run;
	uint32_t choices_used, state_bytes_used;
	/* Of the last program, in ns of a guest's clock (0: there is none): operations, looking, and its end. */
	uint64_t run_ns, observe_ns, end_ns;
	char text[MMDIFF_WIRE_TEXT];

	struct mmdiff_wire_op ops[MMDIFF_WIRE_OPS];
	struct mmdiff_wire_result results[MMDIFF_WIRE_OPS];
	struct mmdiff_wire_choice choices[MMDIFF_WIRE_CHOICES];
	/* Hits of each edge of the kernel's mm/ in the last program, saturating. */
	uint8_t coverage[MMDIFF_WIRE_COVERAGE] __attribute__((aligned(64)));
	uint8_t states[MMDIFF_WIRE_STATE_BYTES] __attribute__((aligned(64)));
};

#endif /* MMDIFF_KERNEL_WIRE_H_ */
