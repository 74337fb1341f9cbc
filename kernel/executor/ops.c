// SPDX-License-Identifier: GPL-2.0
/*
 * The operations of ops.def on the kernel's own functions: mappings, accesses, advice, locking.
 * Processes are in processes.c, reclaim, migration and GUP are in ops_lru.c, ops_migrate.c and ops_gup.c; a new line in ops.def does
 * not link until it has a function op_name() somewhere.
 *
 * Emulated: what a sequential program cannot wait for (docs/machine.md, "would wait") is EAGAIN; the
 * executor sees it coming, since the kernel would sleep forever.
 */
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/syscalls.h>
#include "ops.h"
#include "internal.h"

/* --- mappings -------------------------------------------------------------------------------------- */

static u32 arena(void)
{
	return wire->world.table * wire->world.tables;
}

/* What of a range lies in the arena; the rest is a hole. */
static u32 clip(u32 vpn, u32 npages)
{
	if (vpn >= arena())
		return 0;
	return min(npages, arena() - vpn);
}

/* Pages of the VMAs in a range. */
static u32 covered(struct process *p, u32 vpn, u32 npages, bool until_hole)
{
	unsigned long start = addr_of(vpn), end = start + ((unsigned long)npages << PAGE_SHIFT);
	struct vm_area_struct *vma;
	u32 n = 0;
	VMA_ITERATOR(vmi, p->mm, start);

	for_each_vma_range(vmi, vma, end) {
		unsigned long from = max(start, vma->vm_start), to = min(end, vma->vm_end);

		if (until_hole && vma->vm_start > start + ((unsigned long)n << PAGE_SHIFT))
			break;
		n += (to - from) >> PAGE_SHIFT;
	}
	return n;
}

struct op_result op_file(const struct args_file *a)
{
	struct file *file;
	int err;

	if (!a->npages)
		return failed(EINVAL);
	err = file_create(a->npages, a->order, &file);
	if (err)
		return failed(err);
	files_bind(result_handle, file);
	return done(0);
}

struct op_result op_map(const struct args_map *a)
{
	struct process *p = find_process(a->mm);
	unsigned long addr = addr_of(a->vpn), len = (unsigned long)a->npages << PAGE_SHIFT, ret;
	/* Memory is not accounted: whether it was would keep VMAs from merging. */
	unsigned long prot = 0, flags = a->flags & MAP_IS_FIXED ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	struct file *file = NULL;

	if (!p)
		return failed(ESRCH);
	if (a->file != NO_FILE) {
		file = file_of(a->file);
		if (!file)
			return failed(EBADF);
	}
	if (!a->npages)
		return failed(EINVAL);
	if (p->open_zaps)
		return failed(EAGAIN);
	/* The arena's and a file's limits are the world's, not the kernel's. */
	if (file && (u64)a->pgoff + a->npages > 65536)
		return failed(EOVERFLOW);
	if (p->mm->map_count > sysctl_max_map_count)
		return failed(ENOMEM);
	if ((u64)a->vpn + a->npages > arena())
		return failed(ENOMEM);
	if (a->flags & (MAP_READ | MAP_WRITE))
		prot |= PROT_READ;
	if (a->flags & MAP_WRITE)
		prot |= PROT_WRITE;
	flags |= a->flags & MAP_IS_SHARED ? MAP_SHARED : MAP_PRIVATE;
	if (!file)
		flags |= MAP_ANONYMOUS;
	if (a->flags & MAP_DO_POPULATE)
		flags |= MAP_POPULATE;
	if (a->flags & MAP_DO_LOCK)
		flags |= MAP_LOCKED;
	use_process(p);
	if (a->flags & MAP_NOHUGE)
		p->mm->def_flags |= VM_NOHUGEPAGE;
	ret = vm_mmap(file, addr, len, prot, flags, file ? (unsigned long)a->pgoff << PAGE_SHIFT : 0);
	p->mm->def_flags &= ~VM_NOHUGEPAGE;
	if (IS_ERR_VALUE(ret))
		return failed(-(long)ret);
	if (!file && (a->flags & MAP_IS_SHARED)) {
		struct vm_area_struct *vma = vma_lookup(p->mm, addr);

		if (vma && vma->vm_file)
			files_note_shmem(vma->vm_file);
	}
	return done(0);
}

struct op_result op_unmap(const struct args_unmap *a)
{
	struct process *p = find_process(a->mm);
	u32 value;
	long err;

	if (!p)
		return failed(ESRCH);
	if (!a->npages || (u64)a->vpn + a->npages > arena())
		return failed(EINVAL);
	if (p->open_zaps)
		return failed(EAGAIN);
	use_process(p);
	value = covered(p, a->vpn, a->npages, false);
	err = vm_munmap(addr_of(a->vpn), (unsigned long)a->npages << PAGE_SHIFT);
	return err ? failed(-err) : done(value);
}

/*
 * A change of VMA flags: the kernel stops at the first VMA that fails and does not say how far it came,
 * so it is asked VMA by VMA, as it goes itself.
 */
typedef long (*range_call)(struct process *p, unsigned long start, unsigned long len, u32 arg);

static struct op_result by_vma(struct process *p, u32 vpn, u32 npages, bool skip_holes, int hole_errno,
			       range_call call, u32 arg)
{
	unsigned long start = addr_of(vpn), end = addr_of(vpn) + ((unsigned long)npages << PAGE_SHIFT);
	struct op_result r = { 0 };
	bool hole = false;

	use_process(p);
	while (start < end) {
		struct vm_area_struct *vma;
		unsigned long stop;
		long err;

		mmap_read_lock(p->mm);
		vma = find_vma(p->mm, start);
		mmap_read_unlock(p->mm);
		if (!vma || vma->vm_start >= end) {
			hole = true;
			break;
		}
		if (vma->vm_start > start) {
			hole = true;
			if (!skip_holes)
				break;
			start = vma->vm_start;
		}
		stop = min(end, vma->vm_end);
		err = call(p, start, stop - start, arg);
		if (err) {
			r.err = -err;
			return r;
		}
		r.value += (stop - start) >> PAGE_SHIFT;
		start = stop;
	}
	if (hole)
		r.err = hole_errno;
	return r;
}

struct op_result op_protect(const struct args_protect *a)
{
	struct process *p = find_process(a->mm);
	unsigned long prot = (a->prot & 3 ? PROT_READ : 0) | (a->prot & 2 ? PROT_WRITE : 0);
	struct op_result r;
	u32 n;
	long err;

	if (!p)
		return failed(ESRCH);
	if (!a->npages)
		return done(0);
	if (p->open_zaps)
		return failed(EAGAIN);
	n = clip(a->vpn, a->npages);
	use_process(p);
	/* One call, as a program makes it: flags of the TLB flush and merges depend on that. */
	r = done(covered(p, a->vpn, n, true));
	err = n ? sys_mprotect(addr_of(a->vpn), (unsigned long)a->npages << PAGE_SHIFT, prot) : -ENOMEM;
	if (err) {
		r.err = -err;
		/* Not for a hole, or perhaps before it: how far it came is not known. */
		if (r.value == a->npages || p->mm->map_count >= sysctl_max_map_count)
			r = without_value(r);
	}
	return r;
}

static long call_madvise(struct process *p, unsigned long start, unsigned long len, u32 advice)
{
	return do_madvise(p->mm, start, len, advice);
}

static struct op_result copy_advice(u32 handle, u32 vpn, u32 npages, int advice)
{
	struct process *p = find_process(handle);

	if (!p)
		return failed(ESRCH);
	if (!npages)
		return done(0);
	if (p->open_zaps)
		return failed(EAGAIN);
	return by_vma(p, vpn, npages, true, ENOMEM, call_madvise, advice);
}

struct op_result op_dontfork(const struct args_dontfork *a)
{
	return copy_advice(a->mm, a->vpn, a->npages, MADV_DONTFORK);
}

struct op_result op_dofork(const struct args_dofork *a)
{
	return copy_advice(a->mm, a->vpn, a->npages, MADV_DOFORK);
}

/* --- accesses -------------------------------------------------------------------------------------- */

u64 fold_data(u64 data, u64 value)
{
	data ^= value + 0x9e3779b97f4a7c15ull + (data << 6) + (data >> 2);
	return data * 0xff51afd7ed558ccdull;
}

static struct op_result access_range(u32 handle, u32 vpn, u32 npages, bool write)
{
	struct process *p = find_process(handle);
	struct op_result r = { 0 };
	u32 i;

	if (!p)
		return failed(ESRCH);
	if (!npages)
		return done(0);
	p->cpus |= 1u << cpu;
	use_process(p);
	for (i = 0; i < npages; i++) {
		struct access a;

		if (vpn + i >= arena()) {
			r.err = EFAULT;
			break;
		}
		a = mmu_access(p, vpn + i, write, stored_value(vpn + i));
		if (a.err) {
			r.err = a.err;
			break;
		}
		if (!write)
			r.data = fold_data(r.data, a.value);
		r.value++;
	}
	return r;
}

struct op_result op_read(const struct args_read *a)
{
	return access_range(a->mm, a->vpn, a->npages, false);
}

struct op_result op_write(const struct args_write *a)
{
	return access_range(a->mm, a->vpn, a->npages, true);
}

/* --- advice ---------------------------------------------------------------------------------------- */

/* Entries in a range that are not none. */
static u32 entries(struct process *p, u32 vpn, u32 npages)
{
	u32 i, n = 0;

	for (i = 0; i < npages; i++)
		n += !pte_none(mmu_pte(p->mm, vpn + i));
	return n;
}

static struct op_result advise(u32 handle, u32 vpn, u32 npages, int advice)
{
	struct process *p = find_process(handle);
	unsigned long gathers;
	long err;

	if (!p)
		return failed(ESRCH);
	if (!npages)
		return done(0);
	use_process(p);
	gathers = mmdiff_gathers;
	err = do_madvise(p->mm, addr_of(vpn), (unsigned long)npages << PAGE_SHIFT, advice);
	if (gathers == mmdiff_gathers && (advice == MADV_FREE || advice == MADV_DONTNEED))
		choose(CHOICE_NoGather, 0, 0, 0);
	return err ? failed(-err) : done(0);
}

struct op_result op_dontneed(const struct args_dontneed *a)
{
	struct process *p = find_process(a->mm);
	u32 before, n;
	struct op_result r;

	if (!p)
		return failed(ESRCH);
	if (!a->npages)
		return done(0);
	n = clip(a->vpn, a->npages);
	before = entries(p, a->vpn, n);
	r = advise(a->mm, a->vpn, a->npages, MADV_DONTNEED);
	r.value = before - entries(p, a->vpn, n);
	return r;
}

struct op_result op_free(const struct args_free *a)
{
	return without_value(advise(a->mm, a->vpn, a->npages, MADV_FREE));
}

struct op_result op_cold(const struct args_cold *a)
{
	return advise(a->mm, a->vpn, a->npages, MADV_COLD);
}

struct op_result op_pageout(const struct args_pageout *a)
{
	return without_value(advise(a->mm, a->vpn, a->npages, MADV_PAGEOUT));
}

/* --- locking --------------------------------------------------------------------------------------- */

static struct op_result lock_range(u32 handle, u32 vpn, u32 npages, long (*call)(unsigned long, size_t))
{
	struct process *p = find_process(handle);
	struct op_result r;
	long err;

	if (!p)
		return failed(ESRCH);
	if (!npages)
		return done(0);
	if (!rlimit(RLIMIT_MEMLOCK) && call)
		return failed(EPERM);
	if (p->open_zaps)
		return failed(EAGAIN);
	use_process(p);
	r = done(covered(p, vpn, clip(vpn, npages), true));
	err = call ? call(addr_of(vpn), (unsigned long)npages << PAGE_SHIFT) :
		     sys_munlock(addr_of(vpn), (unsigned long)npages << PAGE_SHIFT);
	if (err) {
		r.err = would_wait ? EAGAIN : -err;
		r = without_value(r);	/* how far it came */
	}
	return r;
}

static long call_mlock(unsigned long start, size_t len)
{
	return sys_mlock(start, len);
}

static long call_mlock_onfault(unsigned long start, size_t len)
{
	return sys_mlock2(start, len, MLOCK_ONFAULT);
}

struct op_result op_lock(const struct args_lock *a)
{
	return lock_range(a->mm, a->vpn, a->npages, call_mlock);
}

struct op_result op_lock_onfault(const struct args_lock_onfault *a)
{
	return lock_range(a->mm, a->vpn, a->npages, call_mlock_onfault);
}

struct op_result op_unlock(const struct args_unlock *a)
{
	return lock_range(a->mm, a->vpn, a->npages, NULL);
}

/* --- the TLB, and the harness ------------------------------------------------------------------------ */

struct op_result op_flush(const struct args_flush *a)
{
	struct process *p = find_process(a->mm);

	if (!p)
		return failed(ESRCH);
	flush_tlb_mm(p->mm);
	return done(0);
}

struct op_result op_check(const struct args_check *a)
{
	return done(0);
}

/* --- all of them ------------------------------------------------------------------------------------- */

struct op_result run_op(const struct mmdiff_wire_op *op)
{
	switch ((enum mmdiff_opcode)op->code) {
#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(name, result, weight, args, doc) \
	case OP_##name: return op_##name((const struct args_##name *)op->arg);
#include "program/ops.def"
	case MMDIFF_OPCODES:
		break;
	}
	return unsupported();
}
