/* SPDX-License-Identifier: GPL-2.0 */
/* What the files with operations share: answers, handles. */
#ifndef MMDIFF_OPS_H
#define MMDIFF_OPS_H

#include "executor.h"

#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(name, result, weight, args, doc) \
	struct op_result op_##name(const struct args_##name *a);
#include "program/ops.def"

static inline struct op_result done(u32 value)
{
	return (struct op_result){ .value = value };
}
static inline struct op_result failed(int errno_positive)
{
	return (struct op_result){ .err = errno_positive };
}
static inline struct op_result unsupported(void)
{
	return (struct op_result){ .unsupported = true };
}
/* The kernel does not say how much it did. */
static inline struct op_result without_value(struct op_result r)
{
	r.value = 0;
	r.value_unknown = true;
	return r;
}
static inline u64 stored_value(u32 place)
{
	return (u64)(op_index + 1) << 32 | place;
}
u64 fold_data(u64 data, u64 value);

struct process *find_process(u32 handle);	/* NULL: none, or spent */

/*
 * The folio that a process maps at vpn, as docs/machine.md says for mark_accessed: 0, or EFAULT (no VMA,
 * the zero page), ENOENT (no present entry). Takes no reference.
 */
int folio_at(struct process *p, u32 vpn, struct folio **folio);

/* Isolation with the counters that the kernel's callers of folio_isolate_lru() keep. */
int isolate(struct folio *folio, struct isolated *iso);	/* 0 or EBUSY; takes a reference */
void isolation_over(const struct isolated *iso);	/* the counters only */
/*
 * The distinct folios with a present entry in a range, in order, isolated onto `list`. `skip` says which
 * are left out; what could not be isolated is counted in *failed. Returns how many were found.
 */
u32 isolate_range(struct process *p, u32 vpn, u32 npages, bool (*skip)(struct folio *),
		  struct list_head *list, u32 *failed);

extern struct isolated isos[MMDIFF_WIRE_OPS];
extern struct migration migrations[MMDIFF_WIRE_OPS];
extern struct pinned pins[MMDIFF_WIRE_OPS];
extern struct zap zaps[MMDIFF_WIRE_OPS];

void processes_reset(void);
void lru_reset(void);
void migrate_reset(void);
void migrate_orphans(void);	/* after an operation: files that only migrations hold */
void gup_reset(void);
void zap_reset(void);

#endif
