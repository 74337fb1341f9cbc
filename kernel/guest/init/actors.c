/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#define _GNU_SOURCE
#include "actors.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"

#define STACK 32768

enum task { PERFORM, FORK, LEAVE };

struct actor {
	uint32_t go, done;	/* futexes */
	enum task task;
	pid_t pid;		/* 0: the place is free */
	uint32_t cpu;		/* on which it is, or is to be */
	struct order order;
	struct answer answer;
	char stack[STACK] __attribute__((aligned(64)));
};

/* Shared by all of them, and by init. */
static struct actor *actors;
uint32_t actor_own_vmas, actor_own_pages;

static void futex_wait(uint32_t *word, uint32_t seen)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == seen)
		syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}

static void futex_set(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* --- in an actor ---------------------------------------------------------------------------------------- */

static void move_to(uint32_t cpu)
{
	unsigned long mask = 1ul << cpu;

	if (syscall(SYS_sched_setaffinity, 0, sizeof(mask), &mask))
		mmdiff_give_up(errno, "an actor cannot go to CPU %u", cpu);
}

static int act(void *argument);

static int fork_here(int number)
{
	struct actor *child = &actors[number];
	pid_t pid;

	child->go = child->done = 0;
	pid = clone(act, child->stack + STACK, CLONE_PARENT | CLONE_FILES | CLONE_FS | SIGCHLD, child);
	if (pid < 0)
		return errno;
	child->pid = pid;
	return 0;
}

static int act(void *argument)
{
	struct actor *self = argument;
	uint32_t seen = 0;

	for (;;) {
		futex_wait(&self->go, seen);
		seen = self->go;
		move_to(self->cpu);
		switch (self->task) {
		case PERFORM:
			self->answer = perform(&self->order);
			break;
		case FORK:
			self->answer = (struct answer){ .err = fork_here(self->order.argument) };
			break;
		case LEAVE:
			_exit(0);
		}
		futex_set(&self->done, seen);
	}
}

/* --- the template --------------------------------------------------------------------------------------- */

/* Puts shared memory of the same contents in the place of private memory. */
static void share(char *start, size_t bytes, int prot)
{
	char *copy = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (copy == MAP_FAILED)
		mmdiff_give_up(errno, "no memory for the template");
	memcpy(copy, start, bytes);
	mprotect(copy, bytes, prot);
	if (mremap(copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, start) == MAP_FAILED)
		mmdiff_give_up(errno, "the template's memory cannot be shared");
}

/* Leaves the template no private memory but its code. `text` is room for /proc/self/maps. */
static void share_all(char *text, size_t room)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, text + used, room - used - 1)) > 0)
		used += n;
	close(fd);
	text[used] = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		char *at, *start = (char *)strtoul(line, &at, 16);
		size_t bytes = strtoul(at + 1, &at, 16) - (size_t)start;
		const char *mode = at + 1;
		int prot = (mode[0] == 'r' ? PROT_READ : 0) | (mode[1] == 'w' ? PROT_WRITE : 0);

		*end = 0;
		if (strstr(line, "[vsyscall]"))
			continue;
		if (strstr(line, "[stack]") || strstr(line, "[v")) {
			munmap(start, bytes);
			continue;
		}
		if (mode[3] == 'p' && mode[2] != 'x')
			share(start, bytes, prot);
		/* What is unmapped is not to be marked accessed, which would take room in a batch. */
		madvise(start, bytes, MADV_RANDOM);
	}
}

/* RLIMIT_MEMLOCK is to count, also for root. */
static void drop_ipc_lock(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		mmdiff_give_up(errno, "capget");
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	data[0].permitted &= ~(1u << CAP_IPC_LOCK);
	if (syscall(SYS_capset, &head, data))
		mmdiff_give_up(errno, "capset");
}

static int be_template(void *argument)
{
	static char text[16384];

	mmdiff_forget_library();
	drop_ipc_lock();
	share_all(text, sizeof(text));
	return act(argument);
}

/* Counts what is in the template's address space. */
static void measure(void)
{
	char path[64], line[512];
	unsigned long pages;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", actors[TEMPLATE].pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		actor_own_vmas += !strstr(line, "[vsyscall]");
	if (file)
		fclose(file);
	snprintf(path, sizeof(path), "/proc/%d/statm", actors[TEMPLATE].pid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%lu", &pages) != 1)
		mmdiff_give_up(errno, "cannot read %s", path);
	fclose(file);
	actor_own_pages = pages;
}

void actors_start(void)
{
	const size_t bytes = (MAX_MMS + 1) * sizeof(struct actor);
	const struct order drain = { .op = { .code = OP_drain } };
	pid_t pid;

	actors = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (actors == MAP_FAILED)
		mmdiff_give_up(errno, "no memory for actors");
	pid = clone(be_template, actors[TEMPLATE].stack + STACK, CLONE_FILES | CLONE_FS | SIGCHLD,
		    &actors[TEMPLATE]);
	if (pid < 0)
		mmdiff_give_up(errno, "cannot fork the template");
	actors[TEMPLATE].pid = pid;
	/* It makes what it needs for that before it is measured. */
	actor_do(TEMPLATE, &drain);
	measure();
}

/* --- in the director ------------------------------------------------------------------------------------ */

static void tell(struct actor *a, enum task task, uint32_t cpu)
{
	a->task = task;
	a->cpu = cpu;
	futex_set(&a->go, a->go + 1);
}

static void tell_and_wait(struct actor *a, enum task task, uint32_t cpu)
{
	uint32_t before = a->done;

	tell(a, task, cpu);
	futex_wait(&a->done, before);
}

struct answer actor_do(int number, const struct order *order)
{
	struct actor *a = &actors[number];

	a->order = *order;
	tell_and_wait(a, PERFORM, order->op.cpu);
	return a->answer;
}

int actor_fork(int parent, int number, uint32_t cpu)
{
	struct actor *a = &actors[parent];

	a->order.argument = number;
	tell_and_wait(a, FORK, cpu);
	return a->answer.err;
}

void actor_exit(int number, uint32_t cpu)
{
	struct actor *a = &actors[number];

	tell(a, LEAVE, cpu);
	while (waitpid(a->pid, NULL, 0) < 0 && errno == EINTR)
		;
	a->pid = 0;
}

pid_t actor_pid(int number)
{
	return actors[number].pid;
}

void actors_set_memlock(uint32_t pages)
{
	const struct rlimit limit = { pages * PAGE, pages * PAGE };

	if (prlimit(actors[TEMPLATE].pid, RLIMIT_MEMLOCK, &limit, NULL))
		mmdiff_give_up(errno, "cannot set RLIMIT_MEMLOCK");
}
