// SPDX-License-Identifier: GPL-2.0
/* The processes of a program and their handles. Where an mm comes from and how it ends is the machine's. */
#include <linux/slab.h>
#include "ops.h"

struct process *processes[MMDIFF_MMS];
u32 processes_end;
static struct process *spare[MMDIFF_MMS];	/* kept for their memory */
static struct process *mms[MMDIFF_WIRE_OPS];	/* by handle */
static u32 nmms;

u32 result_handle;

struct process *process_of(struct mm_struct *mm)
{
	u32 i;

	for (i = 0; i < processes_end; i++)
		if (processes[i] && processes[i]->mm == mm)
			return processes[i];
	return NULL;
}

/* A process without an mm yet, in nobody's sight. */
static struct process *process_prepare(u32 id)
{
	struct process *p;
	int i;

	for (i = 0; i < MMDIFF_MMS && processes[i]; i++)
		;
	if (i == MMDIFF_MMS)
		return NULL;
	p = spare[i];
	if (!p)
		p = spare[i] = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return NULL;
	p->id = id;
	p->slot = i;
	p->cpus = 0;
	p->open_zaps = 0;
	p->flush_pending = false;
	return p;
}

static void process_begin(struct process *p)
{
	processes[p->slot] = p;
	processes_end = max_t(u32, processes_end, p->slot + 1);
	tlb_reset(p);
}

struct process *process_new(u32 id)
{
	struct process *p = process_prepare(id);

	if (!p || machine_new(p))
		return NULL;
	process_begin(p);
	return p;
}

void process_end(struct process *p)
{
	/* Accesses by the hardware end with the process; what the kernel forgot to flush shows before. */
	machine_end(p);
	tlb_reset(p);
	observe_forget_process(p);
	processes[p->slot] = NULL;
	while (processes_end && !processes[processes_end - 1])
		processes_end--;
	p->mm = NULL;
}

static u32 alive(void)
{
	u32 i, n = 0;

	for (i = 0; i < MMDIFF_MMS; i++)
		n += processes[i] != NULL;
	return n;
}

struct process *find_process(u32 handle)
{
	return handle < nmms ? mms[handle] : NULL;
}

static void bind_process(struct process *p)
{
	mms[result_handle] = p;
	nmms = max(nmms, result_handle + 1);
}

struct op_result op_mm(const struct args_mm *a)
{
	struct process *p;

	if (alive() >= wire->world.mms)
		return failed(EAGAIN);
	p = process_new(result_handle);
	if (!p)
		return unsupported();
	bind_process(p);
	return done(0);
}

struct op_result op_fork(const struct args_fork *a)
{
	struct process *parent = find_process(a->mm), *p;

	if (!parent)
		return failed(ESRCH);
	if (parent->open_zaps || alive() >= wire->world.mms)
		return failed(EAGAIN);
	p = process_prepare(result_handle);
	if (!p)
		return unsupported();
	use_process(parent);
	if (machine_fork(parent, p))
		return failed(ENOMEM);
	process_begin(p);
	bind_process(p);
	return done(0);
}

struct op_result op_exit(const struct args_exit *a)
{
	struct process *p = find_process(a->mm);

	if (!p)
		return failed(ESRCH);
	if (p->open_zaps)
		return failed(EAGAIN);
	process_end(p);
	mms[a->mm] = NULL;
	return done(0);
}

void processes_reset(void)
{
	u32 i;

	for (i = 0; i < MMDIFF_MMS; i++)
		if (processes[i])
			process_end(processes[i]);
	use_process(NULL);
	memset(mms, 0, sizeof(mms[0]) * nmms);
	nmms = 0;
}
