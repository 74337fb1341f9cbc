// SPDX-License-Identifier: GPL-2.0
/* Boot, and the loop over programs. One kernel thread does everything; time never advances by itself. */
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs_struct.h>
#include <linux/init.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/mempolicy.h>
#include <linux/mman.h>
#include <linux/reboot.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>
#include <generated/utsrelease.h>
#include "ops.h"
#include "internal.h"
#include "swap.h"

struct mmdiff_wire *wire;
u32 op_index;
bool in_op;

static int shared_fd = -1;

static int __init parse_fd(char *arg)
{
	return kstrtoint(arg, 0, &shared_fd);
}
early_param("mmdiff", parse_fd);

/* --- a program ------------------------------------------------------------------------------------------ */

static const u8 result_kind[] = {
#define MMDIFF_ARG_KIND(Name, text, doc)
#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(name, result, weight, args, doc) KIND_##result,
#define KIND_None 0
#define KIND_Mm 1
#define KIND_File 2
#define KIND_Iso 3
#define KIND_Mig 4
#define KIND_Pin 5
#define KIND_Zap 6
#include "program/ops.def"
};

static void give_back(void)
{
	int nid;

	zap_reset();
	gup_reset();
	migrate_reset();
	lru_reset();
	processes_reset();
	swapdev_release();
	files_reset();
	flush_delayed_fput();	/* kernel threads put off fput() */
	lru_add_drain_all();
	/* RCU callbacks free VMAs and page tables. */
	schedule();
	local_bh_disable();
	local_bh_enable();
	flush_delayed_fput();
	lru_add_drain_all();
	/* GUP marks the zero page accessed, and every second time that is an activation. */
	folio_clear_referenced(page_folio(ZERO_PAGE(0)));
	folio_clear_active(page_folio(ZERO_PAGE(0)));
	/* What the kernel remembers of evictions would tell programs apart. */
	for_each_online_node(nid)
		atomic_long_set(&mem_cgroup_lruvec(NULL, NODE_DATA(nid))->nonresident_age, 0);
}

static void set_world(void)
{
	const struct mmdiff_wire_world *w = &wire->world;
	struct rlimit *rlim = current->signal->rlim;

	mmdiff_batch_size = w->batch;
	mmdiff_set_fault_around(w->faultaround);
	rlim[RLIMIT_MEMLOCK].rlim_cur = rlim[RLIMIT_MEMLOCK].rlim_max = (unsigned long)w->memlock << PAGE_SHIFT;
	sysctl_max_map_count = w->maps;
	huge_anon_orders_always = w->orders & ~1u;
}

/* Of the worlds, those that this kernel can be: x86-64's tables, two nodes, no order it has no folios of. */
static bool world_fits(void)
{
	const struct mmdiff_wire_world *w = &wire->world;

	return w->table == PTRS_PER_PTE && w->tables <= MMDIFF_TABLES && w->cpus <= MMDIFF_CPUS &&
	       w->nodes <= 2 && w->mms <= MMDIFF_MMS && !(w->orders & 2) && w->orders < 1u << PMD_ORDER;
}

static bool changes_vmas(u8 code)
{
	return code == OP_map || code == OP_protect || code == OP_lock || code == OP_lock_onfault ||
	       code == OP_unlock || code == OP_dontfork || code == OP_dofork;
}

/* Of an operation whose first argument is a process. */
static struct process *process_of_op(const struct mmdiff_wire_op *op)
{
	return find_process(op->arg[0]);
}

static void run_program(void)
{
	u32 next_handle[7] = { 0 };
	const char *leak;
	u32 i;

	wire->choices_used = wire->state_bytes_used = wire->ops_run = 0;
	wire->fate = MMDIFF_WIRE_OK;
	set_cpu(0);
	set_world();
	observe_reset();
	coverage_begin();
	for (i = 0; i < wire->nops; i++) {
		const struct mmdiff_wire_op *op = &wire->ops[i];
		struct mmdiff_wire_result *to = &wire->results[i];
		struct op_result r;
		u32 *next = &next_handle[op->code < MMDIFF_OPCODES ? result_kind[op->code] : 0];

		wire->op_index = op_index = i;
		*to = (struct mmdiff_wire_result){ .state_at = MMDIFF_WIRE_IDLE };
		choices_begin();
		set_cpu(op->cpu);
		result_handle = (*next)++;
		would_wait = false;
		in_op = true;
		r = world_fits() ? run_op(op) : (struct op_result){ .unsupported = true };
		choices_end();
		if (changes_vmas(op->code) && process_of_op(op))
			choices_of_merges(process_of_op(op));
		if (r.err && changes_vmas(op->code) && process_of_op(op))
			choices_of_failed_merge(process_of_op(op), op);
		migrate_orphans();
		flush_delayed_fput();
		in_op = false;
		to->err = r.err;
		to->value = r.value;
		to->data = r.data;
		to->value_unknown = r.value_unknown;
		to->unsupported = r.unsupported;
		wire->ops_run = i + 1;
		if (r.unsupported)
			break;
		to->digest = observe_digest();
		if (i >= wire->snap_from)
			to->state_at = observe_state();
	}
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
}

/* --- boot ------------------------------------------------------------------------------------------------- */

static DECLARE_COMPLETION(never);

static int executor(void *unused)
{
	struct cred *cred = prepare_creds();
	u32 request = 0;
	int err;

	/* RLIMIT_MEMLOCK is to count, also for root. */
	cap_lower(cred->cap_effective, CAP_IPC_LOCK);
	commit_creds(cred);
	mmdiff_no_readahead();
	sysctl_overcommit_memory = OVERCOMMIT_ALWAYS;
	wire->world = (struct mmdiff_wire_world){
#define MMDIFF_WORLD(name, dflt, min, max, doc) .name = dflt,
#include "program/world.def"
	};
	err = folios_init() ?: filesystem_init();
#if !MMDIFF_BEFORE(7, 3)
	/* Kernel threads have no root directory of their own any more. */
	scoped_with_init_fs()
#endif
	err = err ?: swapdev_init();
	if (err)
		panic("mmdiff: the executor cannot start: error %d", err);
	give_back();
	swapdev_reset();
	strscpy(wire->release, UTS_RELEASE, sizeof(wire->release));
	snprintf(wire->features, sizeof(wire->features), "%s%s%s", IS_ENABLED(CONFIG_DEBUG_VM) ? "debug_vm " : "",
		 IS_ENABLED(CONFIG_KASAN) ? "kasan " : "", coverage_bytes() ? "coverage " : "");
	wire->coverage_bytes = coverage_bytes();
	wire->op_index = MMDIFF_WIRE_IDLE;
	wire->booted = 1;
	host_wake(&wire->booted);
	for (;;) {
		host_wait(&wire->request, request);
		request = wire->request;
		run_program();
		wire->reply = request;
		host_wake(&wire->reply);
	}
}

static int __init mmdiff_init(void)
{
	if (shared_fd < 0)
		panic("mmdiff: this kernel is started by mmdiff, with mmdiff=FD");
	wire = host_map_shared(shared_fd, sizeof(*wire));
	if (!wire || wire->magic != MMDIFF_WIRE_MAGIC || wire->version != MMDIFF_WIRE_VERSION)
		panic("mmdiff: the shared memory is not that of this mmdiff; build the kernel again");
	if (IS_ERR(kthread_run(executor, NULL, "mmdiff")))
		panic("mmdiff: no thread");
	wait_for_completion(&never);
	return 0;
}
late_initcall(mmdiff_init);
