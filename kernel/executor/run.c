// SPDX-License-Identifier: GPL-2.0
/* A program from its beginning to its end. One thread of the kernel directs everything. */
#include <linux/memcontrol.h>
#include "ops.h"

struct mmdiff_wire *wire;
u32 op_index;
bool in_op;

enum {
#define MMDIFF_ARG_KIND(Name, text, doc) KIND_##Name,
#include "program/arg_kinds.def"
	KIND_None,
	KINDS
};
static const u8 result_kind[] = {
#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(name, result, weight, args, doc) KIND_##result,
#include "program/ops.def"
};
static const u8 arg_kinds[][7] = {
#define MMDIFF_ARG(kind, name) KIND_##kind,
#define MMDIFF_OP(name, result, weight, args, doc) { args KIND_None },
#include "program/ops.def"
};

void give_back(void)
{
	int nid;

	zap_reset();
	gup_reset();
	migrate_reset();
	lru_reset();
	processes_reset();
	swapdev_release();
	files_reset();
	machine_settle();
	lru_add_drain_all();
	machine_settle();
	lru_add_drain_all();
	/* GUP marks the zero page accessed, and every second time that is an activation. */
	folio_clear_referenced(page_folio(ZERO_PAGE(0)));
	folio_clear_active(page_folio(ZERO_PAGE(0)));
	/* What the kernel remembers of evictions would tell programs apart. */
	for_each_online_node(nid)
		atomic_long_set(&mem_cgroup_lruvec(NULL, NODE_DATA(nid))->nonresident_age, 0);
}

static bool changes_vmas(u8 code)
{
	return code == OP_map || code == OP_protect || code == OP_lock || code == OP_lock_onfault ||
	       code == OP_unlock || code == OP_dontfork || code == OP_dofork;
}

struct process *process_of_op(const struct mmdiff_wire_op *op)
{
	return op->code < MMDIFF_OPCODES && arg_kinds[op->code][0] == KIND_Mm ? find_process(op->arg[0]) : NULL;
}

struct op_result perform(const struct mmdiff_wire_op *op)
{
	struct op_result r = run_op(op);
	struct process *p;

	choices_end();
	p = process_of_op(op);
	if (changes_vmas(op->code) && p) {
		choices_of_merges(p);
		if (r.err)
			choices_of_failed_merge(p, op);
	}
	return r;
}

/* Translations that the world's CPUs do not keep from one operation to the next. */
static void forget_translations(void)
{
	u32 i;

	for (i = 0; !wire->world.tlb && i < processes_end; i++) {
		if (!processes[i])
			continue;
		tlb_reset(processes[i]);
		processes[i]->flush_pending = false;
	}
}

void run_program(void)
{
	u32 next_handle[KINDS] = { 0 };
	bool fits = machine_fits();
	u64 begin, performed;
	const char *leak;
	u32 i;

	wire->run_ns = wire->observe_ns = wire->end_ns = 0;
	wire->choices_used = wire->state_bytes_used = wire->ops_run = 0;
	wire->fate = MMDIFF_WIRE_OK;
	set_cpu(0);
	if (fits)
		machine_set_world();
	observe_reset();
	coverage_begin();
	for (i = 0; i < wire->nops; i++) {
		const struct mmdiff_wire_op *op = &wire->ops[i];
		struct mmdiff_wire_result *to = &wire->results[i];
		struct op_result r;

		begin = machine_now();
		wire->op_index = op_index = i;
		*to = (struct mmdiff_wire_result){ .state_at = MMDIFF_WIRE_IDLE };
		choices_begin();
		if (fits)
			set_cpu(op->cpu);
		result_handle = next_handle[op->code < MMDIFF_OPCODES ? result_kind[op->code] : KIND_None]++;
		would_wait = false;
		in_op = true;
		r = fits ? machine_perform(op) : (struct op_result){ .unsupported = true };
		migrate_orphans();
		machine_settle();
		in_op = false;
		forget_translations();
		to->err = r.err;
		to->value = r.value;
		to->data = r.data;
		to->value_unknown = r.value_unknown;
		to->unsupported = r.unsupported;
		wire->ops_run = i + 1;
		performed = machine_now();
		wire->run_ns += performed - begin;
		if (r.unsupported)
			break;
		to->digest = observe_digest();
		if (i >= wire->snap_from)
			to->state_at = observe_state();
		wire->observe_ns += machine_now() - performed;
	}
	begin = machine_now();
	coverage_end();
	wire->op_index = MMDIFF_WIRE_IDLE;
	set_cpu(0);
	give_back();
	leak = observe_leaks();
	if (leak) {
		wire->fate = MMDIFF_WIRE_LEAK;
		wire->fate_op = wire->ops_run ? wire->ops_run - 1 : 0;
		strscpy(wire->text, leak, sizeof(wire->text));
	}
	folios_reset();
	swapdev_reset();
	cpus_reset();
	wire->end_ns = machine_now() - begin;
}
