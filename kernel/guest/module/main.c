// SPDX-License-Identifier: GPL-2.0
/*
 * The module: the memory it shares with mmdiff, its device, and the loop over programs. /init loads it,
 * swaps on its block device, and calls ioctl() twice: from a child, which becomes the first actor, and itself,
 * to direct.
 */
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/huge_mm.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mman.h>
#include <linux/pci.h>
#include <linux/swap.h>
#include <linux/task_work.h>
#include <generated/utsrelease.h>
#include "guest.h"

/* What a batch holds. */
#define MMDIFF_BATCH ARRAY_SIZE(((struct folio_batch *)NULL)->folios)

#define IOCTL_DIRECT 0x6d00
#define IOCTL_ACT 0x6d01

/* --- the world --------------------------------------------------------------------------------------- */

/* Of the worlds, those that this machine is: x86-64's tables, the kernel's own batches, real TLBs. */
bool machine_fits(void)
{
	const struct mmdiff_wire_world *w = &wire->world;

	return w->table == PTRS_PER_PTE && w->tables <= MMDIFF_TABLES && w->cpus <= num_online_cpus() &&
	       w->nodes <= num_online_nodes() && w->mms <= MMDIFF_MMS && !(w->orders & 2) &&
	       w->orders < 1u << PMD_ORDER && w->batch == MMDIFF_BATCH && !w->tlb;
}

void machine_set_world(void)
{
	const struct mmdiff_wire_world *w = &wire->world;

	mmdiff_set_fault_around(w->faultaround);
	actor_set_limits(w->memlock);
	sysctl_max_map_count = w->maps + MMDIFF_OWN_VMAS;
	huge_anon_orders_always = w->orders & ~1u;
}

void machine_settle(void)
{
	flush_delayed_fput();
	task_work_run();
}

u64 machine_now(void)
{
	return ktime_get_ns();
}

u32 coverage_bytes(void)
{
	return 0;
}
void coverage_begin(void) {}
void coverage_end(void) {}

/* --- the shared memory --------------------------------------------------------------------------------- */

#define IVSHMEM_VENDOR 0x1af4
#define IVSHMEM_DEVICE 0x1110
#define IVSHMEM_BAR 2

static int map_wire(void)
{
	struct pci_dev *dev = pci_get_device(IVSHMEM_VENDOR, IVSHMEM_DEVICE, NULL);
	int err;

	if (!dev)
		return -ENODEV;
	err = pci_enable_device(dev);
	if (err)
		return err;
	if (pci_resource_len(dev, IVSHMEM_BAR) < sizeof(*wire))
		return -ENOSPC;
	wire = memremap(pci_resource_start(dev, IVSHMEM_BAR), sizeof(*wire), MEMREMAP_WB);
	if (!wire)
		return -ENOMEM;
	return wire->magic == MMDIFF_WIRE_MAGIC && wire->version == MMDIFF_WIRE_VERSION ? 0 : -EPROTO;
}

/* Nothing wakes us: the next program is likely to be there at once, else it is looked for now and then. */
static void wait_for_request(u32 seen)
{
	u32 i;

	for (i = 0; i < 2000; i++) {
		if (READ_ONCE(wire->request) != seen)
			return;
		cpu_relax();
	}
	while (READ_ONCE(wire->request) == seen)
		usleep_range(20, 60);
}

static long direct(void)
{
	u32 request = 0;

	actors_wait();
	move_to_cpu(0);
	mmdiff_no_readahead();
	sysctl_overcommit_memory = OVERCOMMIT_ALWAYS;
	/* Shared memory is never swapped out, as if there were no swap. */
	total_swap_pages = 0;
	wire->world = (struct mmdiff_wire_world){
#define MMDIFF_WORLD(name, dflt, min, max, doc) .name = dflt,
#include "program/world.def"
	};
	give_back();
	swapdev_reset();
	strscpy(wire->release, UTS_RELEASE, sizeof(wire->release));
	strscpy(wire->features, "exact", sizeof(wire->features));
	wire->op_index = MMDIFF_WIRE_IDLE;
	smp_store_release(&wire->booted, 1);
	for (;;) {
		wait_for_request(request);
		request = smp_load_acquire(&wire->request);
		run_program();
		smp_store_release(&wire->reply, request);
	}
}

/* --- the device ------------------------------------------------------------------------------------------ */

static long device_ioctl(struct file *file, unsigned int command, unsigned long unused)
{
	int err;

	switch (command) {
	case IOCTL_DIRECT:
		return direct();
	case IOCTL_ACT:
		err = actors_init(file);
		return err ?: actor_loop();
	}
	return -ENOTTY;
}

static int device_mmap(struct file *file, struct vm_area_struct *vma)
{
	return actors_mmap(vma);
}

static const struct file_operations device_ops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = device_ioctl,
	.mmap = device_mmap,
};
static struct miscdevice device = { .minor = MISC_DYNAMIC_MINOR, .name = "mmdiff", .fops = &device_ops };

static int __init mmdiff_init(void)
{
	dev_t swap;
	int err = map_wire();

	if (err) {
		pr_err("mmdiff: the memory that is shared with mmdiff cannot be had: error %d\n", err);
		return err;
	}
	err = folios_init() ?: filesystem_init() ?: swapdev_init(&swap) ?: hooks_init() ?: misc_register(&device);
	/* What was begun cannot be undone: tracepoints and hooks would call what is unloaded. */
	if (err)
		panic("mmdiff: the executor cannot start: error %d", err);
	return 0;
}
module_init(mmdiff_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Runs programs of mmdiff on the mm/ of this kernel");
