// SPDX-License-Identifier: GPL-2.0
/*
 * The machine of the executor inside User Mode Linux, and its boot. One kernel thread does everything, for
 * all processes, which are mms without a task; time never advances by itself.
 */
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs_struct.h>
#include <linux/init.h>
#include <linux/init_syscalls.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/mmu_context.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>
#include <linux/syscalls.h>
#include <generated/utsrelease.h>
#include "ops.h"
#include "machine.h"
#include "internal.h"
#include "swap.h"

static int shared_fd = -1;

static int __init parse_fd(char *arg)
{
	return kstrtoint(arg, 0, &shared_fd);
}
early_param("mmdiff", parse_fd);

/* --- processes ------------------------------------------------------------------------------------- */

static struct mm_struct *in_use;

void use_process(struct process *p)
{
	struct mm_struct *mm = p ? p->mm : NULL;

	if (mm == in_use)
		return;
	if (in_use)
		kthread_unuse_mm(in_use);
	in_use = mm;
	if (mm)
		kthread_use_mm(mm);
}

int machine_new(struct process *p)
{
	p->mm = mm_alloc();
	if (!p->mm)
		return -ENOMEM;
	p->mm->task_size = TASK_SIZE;
	arch_pick_mmap_layout(p->mm, &current->signal->rlim[RLIMIT_STACK]);
	return 0;
}

int machine_fork(struct process *parent, struct process *child)
{
	child->mm = mmdiff_dup_mm(parent->mm);
	return child->mm ? 0 : -ENOMEM;
}

void machine_end(struct process *p)
{
	use_process(NULL);
	mmput(p->mm);
}

struct op_result machine_perform(const struct mmdiff_wire_op *op)
{
	return perform(op);
}

/* --- the world ------------------------------------------------------------------------------------- */

/* Of the worlds, those that this kernel can be: x86-64's tables, two nodes, no order it has no folios of. */
bool machine_fits(void)
{
	const struct mmdiff_wire_world *w = &wire->world;

	return w->table == PTRS_PER_PTE && w->tables <= MMDIFF_TABLES && w->cpus <= MMDIFF_CPUS &&
	       w->nodes <= 2 && w->mms <= MMDIFF_MMS && !(w->orders & 2) && w->orders < 1u << PMD_ORDER;
}

void machine_set_world(void)
{
	const struct mmdiff_wire_world *w = &wire->world;
	struct rlimit *rlim = current->signal->rlim;

	mmdiff_batch_size = w->batch;
	mmdiff_set_fault_around(w->faultaround);
	rlim[RLIMIT_MEMLOCK].rlim_cur = rlim[RLIMIT_MEMLOCK].rlim_max = (unsigned long)w->memlock << PAGE_SHIFT;
	sysctl_max_map_count = w->maps;
	huge_anon_orders_always = w->orders & ~1u;
}

void machine_settle(void)
{
	flush_delayed_fput();	/* kernel threads put off fput() */
	if (in_op)
		return;
	/* RCU callbacks free VMAs and page tables. */
	schedule();
	local_bh_disable();
	local_bh_enable();
	flush_delayed_fput();
}

u64 machine_now(void)
{
	return 0;
}

long machine_rss(struct mm_struct *mm, int member)
{
	return get_mm_counter(mm, member);
}

unsigned long machine_node_stat(enum node_stat_item item)
{
	return global_node_page_state(item);
}

unsigned long machine_zone_stat(enum zone_stat_item item)
{
	return global_zone_page_state(item);
}

/* --- boot ------------------------------------------------------------------------------------------ */

static DECLARE_COMPLETION(never);

static int swap_on(const char *path, dev_t dev)
{
	struct process *p;
	int err;

	init_mkdir("/dev", 0755);
	err = init_mknod(path, S_IFBLK | 0600, new_encode_dev(dev));
	if (err)
		return err;
	/* swapon() takes its path from user memory. */
	p = process_new(0);
	if (!p)
		return -ENOMEM;
	use_process(p);
	if (IS_ERR_VALUE(vm_mmap(NULL, MMDIFF_ARENA, PAGE_SIZE, PROT_READ | PROT_WRITE,
				 MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, 0)) ||
	    copy_to_user((void __user *)MMDIFF_ARENA, path, strlen(path) + 1))
		err = -EFAULT;
	else
		err = sys_swapon((const char __user *)MMDIFF_ARENA, 0);
	process_end(p);
	return err;
}

static int swap_init(void)
{
	dev_t dev;

	return swapdev_init(&dev) ?: swap_on("/dev/mmdiffswap", dev);
}

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
	err = err ?: swap_init();
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
