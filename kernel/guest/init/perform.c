/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The operations of calls.def as system calls, made by an actor. What a call does not say (how many pages it
 * changed) is unknown, not guessed. The order of checks that are the program's and not the kernel's is that of
 * docs/machine.md.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "actors.h"

/* Values of program/program.h. */
enum { READ = 1, WRITE = 2, SHARED = 4, POPULATE = 8, LOCKED = 16, FIXED = 32 };

static struct answer failed(int err)
{
	return (struct answer){ .err = err };
}

/* Of a call that does not say how much it did. */
static struct answer unknown(long result)
{
	return (struct answer){ .err = result ? errno : 0, .value_unknown = true };
}

static char *address(uint32_t vpn)
{
	return (char *)ARENA + (size_t)vpn * PAGE;
}

/* --- accesses --------------------------------------------------------------------------------------------- */

static sigjmp_buf fault;

static void on_fault(int signal)
{
	siglongjmp(fault, 1);
}

static uint64_t fold_data(uint64_t data, uint64_t value)
{
	data ^= value + 0x9e3779b97f4a7c15ull + (data << 6) + (data >> 2);
	return data * 0xff51afd7ed558ccdull;
}

static struct answer access_range(const struct order *o, bool write)
{
	const struct sigaction catch = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	const uint32_t vpn = o->op.arg[1], npages = o->op.arg[2];
	static struct answer r;	/* the jump would leave a copy on the stack undefined */
	static uint32_t i;

	r = (struct answer){ 0 };
	sigaction(SIGSEGV, &catch, NULL);
	sigaction(SIGBUS, &catch, NULL);
	for (i = 0; i < npages; i++) {
		volatile uint64_t *at = (volatile uint64_t *)address(vpn + i);

		if (vpn + i >= o->arena || sigsetjmp(fault, 0)) {
			r.err = EFAULT;
			break;
		}
		if (write)
			*at = (uint64_t)(o->op_index + 1) << 32 | (vpn + i);
		else
			r.data = fold_data(r.data, *at);
		r.value++;
	}
	return r;
}

static struct answer perform_read(const struct order *o) { return access_range(o, false); }
static struct answer perform_write(const struct order *o) { return access_range(o, true); }

/* --- mappings ----------------------------------------------------------------------------------------------- */

static struct answer perform_map(const struct order *o)
{
	const uint32_t vpn = o->op.arg[1], npages = o->op.arg[2], f = o->op.arg[3];
	int prot = 0, flags = MAP_ANONYMOUS | (f & FIXED ? MAP_FIXED : MAP_FIXED_NOREPLACE);

	if (!npages)
		return failed(EINVAL);
	if ((uint64_t)vpn + npages > o->arena)
		return failed(ENOMEM);
	if (f & (READ | WRITE))
		prot |= PROT_READ;
	if (f & WRITE)
		prot |= PROT_WRITE;
	flags |= f & SHARED ? MAP_SHARED : MAP_PRIVATE;
	if (f & POPULATE)
		flags |= MAP_POPULATE;
	if (f & LOCKED)
		flags |= MAP_LOCKED;
	return failed(mmap(address(vpn), npages * PAGE, prot, flags, -1, 0) == MAP_FAILED ? errno : 0);
}

static struct answer perform_unmap(const struct order *o)
{
	const uint32_t vpn = o->op.arg[1], npages = o->op.arg[2];

	if (!npages || (uint64_t)vpn + npages > o->arena)
		return failed(EINVAL);
	return unknown(munmap(address(vpn), npages * PAGE));
}

static struct answer perform_protect(const struct order *o)
{
	const uint32_t npages = o->op.arg[2], p = o->op.arg[3];
	const int prot = (p & 3 ? PROT_READ : 0) | (p & WRITE ? PROT_WRITE : 0);

	return npages ? unknown(mprotect(address(o->op.arg[1]), npages * PAGE, prot)) : failed(0);
}

static struct answer advise(const struct order *o, int advice)
{
	const uint32_t npages = o->op.arg[2];

	return npages ? unknown(madvise(address(o->op.arg[1]), npages * PAGE, advice)) : failed(0);
}

static struct answer perform_dontneed(const struct order *o) { return advise(o, MADV_DONTNEED); }
static struct answer perform_free(const struct order *o) { return advise(o, MADV_FREE); }
static struct answer perform_cold(const struct order *o) { return advise(o, MADV_COLD); }
static struct answer perform_pageout(const struct order *o) { return advise(o, MADV_PAGEOUT); }
static struct answer perform_dontfork(const struct order *o) { return advise(o, MADV_DONTFORK); }
static struct answer perform_dofork(const struct order *o) { return advise(o, MADV_DOFORK); }

/* --- locking ------------------------------------------------------------------------------------------------ */

static struct answer perform_lock(const struct order *o)
{
	const uint32_t npages = o->op.arg[2];

	return npages ? unknown(mlock(address(o->op.arg[1]), npages * PAGE)) : failed(0);
}

static struct answer perform_lock_onfault(const struct order *o)
{
	const uint32_t npages = o->op.arg[2];

	return npages ? unknown(mlock2(address(o->op.arg[1]), npages * PAGE, MLOCK_ONFAULT)) : failed(0);
}

static struct answer perform_unlock(const struct order *o)
{
	const uint32_t npages = o->op.arg[2];

	return npages ? unknown(munlock(address(o->op.arg[1]), npages * PAGE)) : failed(0);
}

/* --- batches ------------------------------------------------------------------------------------------------ */

static struct answer perform_drain(const struct order *o)
{
	static void *nothing;	/* the template's: nothing is ever mapped there */

	if (!nothing)
		nothing = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return failed(madvise(nothing, PAGE, MADV_COLD) ? errno : 0);
}

/* Dropping the page cache begins with a drain of all CPUs; there is none to drop here. */
static struct answer perform_drain_all(const struct order *o)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0 || write(fd, "1", 1) != 1)
		err = errno;
	close(fd);
	return failed(err);
}

/* --- pins --------------------------------------------------------------------------------------------------- */

static struct answer perform_pin(const struct order *o)
{
	const uint32_t vpn = o->op.arg[1], npages = o->op.arg[2];
	int n;

	if (!npages)
		return failed(EINVAL);
	n = ring_pin(o->argument, ARENA + vpn * PAGE, npages);
	return n < 0 ? failed(-n) : (struct answer){ .value = n };
}

static struct answer perform_unpin(const struct order *o)
{
	return failed(-ring_unpin(o->argument));
}

/* --- all of them -------------------------------------------------------------------------------------------- */

static struct answer perform_check(const struct order *o)
{
	return failed(0);
}

/* These are the director's. */
#define perform_mm perform_check
#define perform_fork perform_check
#define perform_exit perform_check

struct answer perform(const struct order *o)
{
	switch ((enum opcode)o->op.code) {
#define MMDIFF_CALL(op, text) case OP_##op: return perform_##op(o);
#include "calls.def"
	default:
		return (struct answer){ .unsupported = true };
	}
}
