// SPDX-License-Identifier: GPL-2.0
/*
 * Actors: the tasks whose mms are the processes of a program. An actor stands in an ioctl() on the
 * module's device and does there, one after the other, what the director wants done in its name: the
 * operations on its own mm. It goes back to user mode only when it is born, for the few instructions that
 * call ioctl() again; they are on a page of the device that has no struct page, so that an actor's mm holds
 * nothing that counts: no folio, no entry of its arena, one VMA and one page of address space.
 *
 * The first actor is the template, from which the processes of operation `mm` are forked.
 */
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/task_work.h>
#include <linux/wait.h>
#include "guest.h"

#define CODE_ADDR 0x10000ul

struct actor {
	struct task_struct *task;	/* NULL: the place is free */
	wait_queue_head_t wake;
	bool go, leave;
	void (*act)(void *arg);
	void *arg;
	struct completion arrived, done;
};

/* The template and the processes. */
static struct actor actors[MMDIFF_MMS + 1];
static struct actor *template, *arriving;
static struct task_struct *acting;
static struct file *device;
static void *code;

/* ioctl(3, 0x6d01, 0), for ever */
static const u8 instructions[] = {
	0xb8, 0x10, 0x00, 0x00, 0x00,	/* mov $16, %eax */
	0xbf, 0x03, 0x00, 0x00, 0x00,	/* mov $3, %edi */
	0xbe, 0x01, 0x6d, 0x00, 0x00,	/* mov $0x6d01, %esi */
	0x31, 0xd2,			/* xor %edx, %edx */
	0x0f, 0x05,			/* syscall */
	0xeb, 0xeb,			/* jmp to the beginning */
};

bool ours(void)
{
	return in_op && current == acting;
}

int actors_mmap(struct vm_area_struct *vma)
{
	if (vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	return remap_pfn_range(vma, vma->vm_start, virt_to_phys(code) >> PAGE_SHIFT, PAGE_SIZE, vma->vm_page_prot);
}

int actors_init(struct file *file)
{
	if (code)
		return 0;
	device = file;
	code = (void *)get_zeroed_page(GFP_KERNEL);
	if (!code)
		return -ENOMEM;
	memcpy(code, instructions, sizeof(instructions));
	return 0;
}

/* --- what an actor does ---------------------------------------------------------------------------- */

static struct actor *actor_of(struct task_struct *task)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(actors); i++)
		if (actors[i].task == task)
			return &actors[i];
	return NULL;
}

static struct actor *actor_alloc(void)
{
	struct actor *a = actor_of(NULL);

	if (!a)
		return NULL;
	init_waitqueue_head(&a->wake);
	init_completion(&a->arrived);
	init_completion(&a->done);
	a->go = a->leave = false;
	return a;
}

/* Leaves nothing in the caller's mm but the instructions, and sends it there. */
static long become_template(void)
{
	struct mm_struct *mm = current->mm;
	struct cred *cred = prepare_creds();
	struct vm_area_struct *vma;
	struct actor *first;
	unsigned long at;

	if (!cred)
		return -ENOMEM;
	/* RLIMIT_MEMLOCK is to count, also for root. */
	cap_lower(cred->cap_effective, CAP_IPC_LOCK);
	commit_creds(cred);
	for (;;) {
		VMA_ITERATOR(vmi, mm, 0);

		vma = vma_next(&vmi);
		if (!vma)
			break;
		if (vm_munmap(vma->vm_start, vma->vm_end - vma->vm_start))
			panic("mmdiff: the mm of the template cannot be emptied");
	}
	at = vm_mmap(device, CODE_ADDR, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_FIXED | MAP_SHARED, 0);
	if (at != CODE_ADDR)
		panic("mmdiff: the template has no instructions: error %ld", (long)at);
	task_pt_regs(current)->ip = CODE_ADDR;
	first = actor_alloc();
	first->task = get_task_struct(current);
	smp_store_release(&template, first);
	return 0;
}

long actor_loop(void)
{
	struct actor *a = actor_of(current);

	if (!template)
		return become_template();
	if (!a) {
		a = arriving;
		arriving = NULL;
		if (!a)
			return -EPERM;
		a->task = get_task_struct(current);
		complete(&a->arrived);
	}
	for (;;) {
		wait_event_idle(a->wake, READ_ONCE(a->go));
		a->go = false;
		move_to_cpu(cpu);
		if (a->leave)
			do_exit(0);
		a->act(a->arg);
		task_work_run();	/* fput() is put off to the way back to user mode */
		complete(&a->done);
	}
}

/* Until the template has come: /init starts both at once. */
void actors_wait(void)
{
	while (!READ_ONCE(template))
		usleep_range(100, 1000);
}

/* --- what the director wants of them ----------------------------------------------------------------- */

static void actor_call(struct actor *a, void (*act)(void *), void *arg)
{
	struct task_struct *before = acting;

	a->act = act;
	a->arg = arg;
	acting = a->task;
	WRITE_ONCE(a->go, true);
	wake_up(&a->wake);
	wait_for_completion(&a->done);
	acting = before;
}

struct birth {
	struct process *p;
	int err;
};

/* In the task of the parent. */
static void fork_here(void *arg)
{
	struct kernel_clone_args clone = {
		.flags = CLONE_FILES | CLONE_FS | CLONE_PARENT,
		.exit_signal = SIGCHLD,
	};
	struct birth *birth = arg;
	struct actor *a = actor_alloc();
	pid_t pid;

	birth->err = -ENOMEM;
	if (!a)
		return;
	arriving = a;
	pid = kernel_clone(&clone);
	if (pid < 0) {
		arriving = NULL;
		birth->err = pid;
		return;
	}
	wait_for_completion(&a->arrived);
	birth->p->task = a;
	birth->p->mm = a->task->mm;
	birth->err = 0;
}

int machine_new(struct process *p)
{
	struct birth birth = { .p = p };

	actor_call(template, fork_here, &birth);
	return birth.err;
}

int machine_fork(struct process *parent, struct process *child)
{
	struct birth birth = { .p = child };

	fork_here(&birth);
	return birth.err;
}

void machine_end(struct process *p)
{
	struct actor *a = p->task;
	struct pid *pid = get_task_pid(a->task, PIDTYPE_PID);
	struct task_struct *before = acting;

	acting = a->task;
	a->leave = true;
	WRITE_ONCE(a->go, true);
	wake_up(&a->wake);
	/* Its mm is gone, its files are closed. */
	wait_event_idle(pid->wait_pidfd, READ_ONCE(a->task->exit_state));
	acting = before;
	put_pid(pid);
	put_task_struct(a->task);
	a->task = NULL;
}

void use_process(struct process *p)
{
	/* Whoever calls is in its task already. */
}

struct performance {
	const struct mmdiff_wire_op *op;
	struct op_result result;
};

static void perform_here(void *arg)
{
	struct performance *performance = arg;

	hooks_begin();
	all_tables_changed();
	asked_begin(performance->op);
	performance->result = perform(performance->op);
	asked_end();
}

struct op_result machine_perform(const struct mmdiff_wire_op *op)
{
	struct performance performance = { .op = op };
	struct process *p = process_of_op(op);

	if (p && op->code != OP_exit) {
		actor_call(p->task, perform_here, &performance);
	} else {
		acting = current;
		perform_here(&performance);
		acting = NULL;
	}
	return performance.result;
}

void actor_set_limits(unsigned long memlock_pages)
{
	struct rlimit *rlim = template->task->signal->rlim;

	rlim[RLIMIT_MEMLOCK].rlim_cur = rlim[RLIMIT_MEMLOCK].rlim_max = memlock_pages << PAGE_SHIFT;
}
