/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The public grade: programs run by system calls on a kernel that there is no module for. Init directs: it takes
 * programs from the memory that it shares with mmdiff (kernel/wire.h), has actors (actors.h) carry them out one
 * operation after the other, and looks (look.h) at what they have done.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "actors.h"
#include "init.h"
#include "kcore.h"
#include "look.h"
#include "told.h"

enum kind {
#define MMDIFF_ARG_KIND(Name, text, doc) KIND_##Name,
#include "program/arg_kinds.def"
	KIND_None,
	KINDS
};
static const uint8_t result_kind[] = {
#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(name, result, weight, args, doc) KIND_##result,
#include "program/ops.def"
};
static const uint8_t arg_kinds[][7] = {
#define MMDIFF_ARG(kind, name) KIND_##kind,
#define MMDIFF_OP(name, result, weight, args, doc) { args KIND_None },
#include "program/ops.def"
};

static struct mmdiff_wire *wire;

/* --- the memory shared with mmdiff ------------------------------------------------------------------------ */

static unsigned long number_in(const char *device, const char *name)
{
	char path[512], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return strtoul(text, NULL, 16);
}

static void map_wire(void)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *entry;
	char path[512];
	int fd = -1;

	while (dir && fd < 0 && (entry = readdir(dir))) {
		if (number_in(entry->d_name, "vendor") != MMDIFF_WIRE_PCI_VENDOR ||
		    number_in(entry->d_name, "device") != MMDIFF_WIRE_PCI_DEVICE)
			continue;
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", entry->d_name);
		mmdiff_set(path, "1");
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource2", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	if (fd < 0)
		mmdiff_give_up(errno, "the memory that is shared with mmdiff is not there");
	wire = mmap(NULL, MMDIFF_WIRE_PCI_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (wire == MAP_FAILED)
		mmdiff_give_up(errno, "the memory that is shared with mmdiff cannot be mapped");
	madvise(wire, MMDIFF_WIRE_PCI_BYTES, MADV_DONTFORK);
	if (wire->magic != MMDIFF_WIRE_MAGIC || wire->version != MMDIFF_WIRE_VERSION)
		mmdiff_give_up(0, "the memory that is shared with mmdiff is of another version");
}

/* Nothing wakes us: the next program is likely to be there at once, else it is looked for now and then. */
static void wait_for_request(uint32_t seen)
{
	const struct timespec nap = { 0, 30000 };

	for (int i = 0; i < 2000; i++) {
		if (__atomic_load_n(&wire->request, __ATOMIC_ACQUIRE) != seen)
			return;
		__builtin_ia32_pause();
	}
	while (__atomic_load_n(&wire->request, __ATOMIC_ACQUIRE) == seen)
		nanosleep(&nap, NULL);
}

/* --- the world -------------------------------------------------------------------------------------------- */

static bool fits(void)
{
	const struct mmdiff_wire_world *w = &wire->world;

	return w->table == 512 && w->tables <= 512 && w->cpus <= sysconf(_SC_NPROCESSORS_ONLN) && w->nodes <= 2 &&
	       w->mms <= MAX_MMS && !(w->orders & 2) && w->orders < 1u << 9 && w->batch == 31 && !w->tlb &&
	       !w->swap;
}

static void set_number(const char *file, unsigned long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", value);
	mmdiff_set(file, text);
}

static void set_world(void)
{
	static struct mmdiff_wire_world before;
	const struct mmdiff_wire_world *w = &wire->world;
	char path[128];

	actors_set_memlock(w->memlock);
	if (before.maps != w->maps)
		set_number("/proc/sys/vm/max_map_count", w->maps + actor_own_vmas);
	if (before.faultaround != w->faultaround)
		set_number("/sys/kernel/debug/fault_around_bytes", w->faultaround * PAGE);
	for (int order = 2; order < 9; order++) {
		if (before.orders && !((before.orders ^ w->orders) >> order & 1))
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/mm/transparent_hugepage/hugepages-%dkB/enabled",
			 4 << order);
		mmdiff_set(path, w->orders >> order & 1 ? "always" : "never");
	}
	before = *w;
}

/* --- a program -------------------------------------------------------------------------------------------- */

static int numbers[MMDIFF_WIRE_OPS];	/* actors by handle; -1: never bound, or spent */
static bool used[MAX_MMS];
static uint32_t alive;
static int rings[MMDIFF_WIRE_OPS];	/* by handle of a pin; -1 */
static bool ring_used[MAX_PINS];

static struct answer failed(int err)
{
	return (struct answer){ .err = err };
}

static int free_place(const bool *taken, int n)
{
	for (int i = 0; i < n; i++)
		if (!taken[i])
			return i;
	return -1;
}

static struct answer bear(int parent, uint32_t handle, uint32_t cpu)
{
	const int number = free_place(used, MAX_MMS);
	int err;

	if (alive >= wire->world.mms || number < 0)
		return failed(EAGAIN);
	err = actor_fork(parent, number, cpu);
	if (err)
		return failed(err);
	used[number] = true;
	alive++;
	numbers[handle] = number;
	look_begin(number, handle, actor_pid(number));
	return failed(0);
}

static void bury(uint32_t handle, uint32_t cpu)
{
	const int number = numbers[handle];

	look_end(number);
	actor_exit(number, cpu);
	used[number] = false;
	alive--;
	numbers[handle] = -1;
}

static bool changes_vmas(uint8_t code)
{
	return code == OP_map || code == OP_unmap || code == OP_protect || code == OP_lock ||
	       code == OP_lock_onfault || code == OP_unlock || code == OP_dontfork || code == OP_dofork;
}

/* The state after the operation before this one. */
static uint32_t state;

static struct answer pin(int number, struct order *order, uint32_t handle)
{
	const int ring = free_place(ring_used, MAX_PINS);
	struct answer a;
	uint32_t writable;

	/* Other flags have no call. */
	if (order->op.arg[3] != 11 || ring < 0)
		return (struct answer){ .unsupported = true };
	order->argument = ring;
	/* A buffer is pinned as a whole: what cannot be is left out at once, if something is left. */
	writable = told_writable(wire, state, order->op.arg[0], order->op.arg[1], order->op.arg[2]);
	if (writable)
		order->op.arg[2] = writable;
	a = actor_do(number, order);
	if (!a.err) {
		ring_used[ring] = true;
		rings[handle] = ring;
	}
	return a;
}

static struct answer unpin(struct order *order)
{
	const uint32_t handle = order->op.arg[0];

	if (rings[handle] < 0)
		return failed(EBADF);
	order->argument = rings[handle];
	ring_used[rings[handle]] = false;
	rings[handle] = -1;
	return actor_do(TEMPLATE, order);
}

static struct answer run_op(uint32_t i, uint32_t handle)
{
	struct order order = { .op = wire->ops[i], .op_index = i, .arena = wire->world.table * wire->world.tables };
	const uint8_t code = order.op.code;
	int number;

	if (code >= OPCODES)
		return (struct answer){ .unsupported = true };
	if (code == OP_mm)
		return bear(TEMPLATE, handle, order.op.cpu);
	if (code == OP_unpin)
		return unpin(&order);
	if (arg_kinds[code][0] != KIND_Mm)
		return actor_do(TEMPLATE, &order);
	number = order.op.arg[0] < MMDIFF_WIRE_OPS ? numbers[order.op.arg[0]] : -1;
	if (number < 0)
		return failed(ESRCH);
	if (code == OP_fork)
		return bear(number, handle, order.op.cpu);
	if (code == OP_exit) {
		bury(order.op.arg[0], order.op.cpu);
		return failed(0);
	}
	if (changes_vmas(code))
		look_again(number);
	return code == OP_pin ? pin(number, &order, handle) : actor_do(number, &order);
}

/* What a program may have left. */
static void give_back(void)
{
	struct order order = { .op = { .code = OP_unpin } };

	for (int i = 0; i < MAX_PINS; i++) {
		if (ring_used[i]) {
			order.argument = i;
			actor_do(TEMPLATE, &order);
			ring_used[i] = false;
		}
	}
	for (uint32_t i = 0; alive && i < MMDIFF_WIRE_OPS; i++)
		if (numbers[i] >= 0)
			bury(i, 0);
	order.op.code = OP_drain_all;
	actor_do(TEMPLATE, &order);
}

static void run_program(void)
{
	uint32_t next_handle[KINDS] = { 0 };
	const bool fit = fits();

	wire->choices_used = wire->state_bytes_used = wire->ops_run = 0;
	wire->fate = MMDIFF_WIRE_OK;
	state = MMDIFF_WIRE_IDLE;
	memset(numbers, 0xff, sizeof(numbers));
	memset(rings, 0xff, sizeof(rings));
	if (fit)
		set_world();
	for (uint32_t i = 0; i < wire->nops; i++) {
		struct mmdiff_wire_result *to = &wire->results[i];
		const uint8_t code = wire->ops[i].code;
		struct answer a = { .unsupported = true };

		wire->op_index = i;
		*to = (struct mmdiff_wire_result){ .state_at = MMDIFF_WIRE_IDLE };
		if (fit)
			a = run_op(i, next_handle[code < OPCODES ? result_kind[code] : KIND_None]++);
		to->err = a.err;
		to->value = a.value;
		to->data = a.data;
		to->value_unknown = a.value_unknown;
		to->unsupported = a.unsupported;
		wire->ops_run = i + 1;
		if (a.unsupported)
			break;
		/* All of them: what is told of an operation follows from the states around it. */
		to->state_at = look(wire);
		told(wire, i, state, to->state_at);
		state = to->state_at;
	}
	wire->op_index = MMDIFF_WIRE_IDLE;
	give_back();
}

void mmdiff_serve_public(long kernel)
{
	const cpu_set_t first = { { 1 } };
	uint32_t request = 0;
	struct utsname name;

	sched_setaffinity(0, sizeof(first), &first);
	map_wire();
	rings_open();
	actors_start();
	/* Page cache is dropped to drain CPUs (perform.c), without a line on the console each time. */
	mmdiff_set("/proc/sys/vm/drop_caches", "4");
	kcore_open();
	look_open();
	uname(&name);
	told_open(name.release);
	snprintf(wire->release, sizeof(wire->release), "%.63s", name.release);
	snprintf(wire->features, sizeof(wire->features), "public noswap");
	wire->grade = MMDIFF_WIRE_PUBLIC;
	wire->op_index = MMDIFF_WIRE_IDLE;
	mmdiff_tell_times(kernel);
	__atomic_store_n(&wire->booted, 1, __ATOMIC_RELEASE);
	for (;;) {
		wait_for_request(request);
		request = __atomic_load_n(&wire->request, __ATOMIC_ACQUIRE);
		run_program();
		__atomic_store_n(&wire->reply, request, __ATOMIC_RELEASE);
	}
}
