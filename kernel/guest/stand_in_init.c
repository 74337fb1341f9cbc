/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * A stand-in for mmdiff's init, for tests: serves the wire from a guest without running anything.
 * Every operation is answered with success. The value of the answer is the number of the operation.
 * An operation of thread 1 panics, and one of thread 2 never ends.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/wire.h"

static unsigned number_in(const char *device, const char *file)
{
	char path[400], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, file);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return 0;
	close(fd);
	return strtoul(text, NULL, 16);
}

static struct mmdiff_wire *find_wire(void)
{
	DIR *dir = opendir("/sys/bus/pci/devices");
	struct dirent *entry;
	char path[400];
	void *memory;
	int fd;

	while (dir && (entry = readdir(dir))) {
		if (number_in(entry->d_name, "vendor") != MMDIFF_WIRE_PCI_VENDOR ||
		    number_in(entry->d_name, "device") != MMDIFF_WIRE_PCI_DEVICE)
			continue;
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/enable", entry->d_name);
		fd = open(path, O_WRONLY);
		if (fd < 0 || write(fd, "1", 1) != 1)
			return NULL;
		close(fd);
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource2", entry->d_name);
		fd = open(path, O_RDWR);
		memory = mmap(NULL, MMDIFF_WIRE_PCI_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		return memory == MAP_FAILED ? NULL : memory;
	}
	return NULL;
}

static void do_harm(unsigned which)
{
	int fd;

	if (which == 1) {
		fd = open("/proc/sysrq-trigger", O_WRONLY);
		if (fd < 0 || write(fd, "c", 1) != 1)
			printf("mmdiff: cannot panic\n");
	}
	while (which == 2)
		;
}

static void answer(struct mmdiff_wire *wire)
{
	for (unsigned i = 0; i < wire->nops; i++) {
		wire->op_index = i;
		do_harm(wire->ops[i].thread);
		memset(&wire->results[i], 0, sizeof(wire->results[i]));
		wire->results[i].value = i;
		wire->results[i].state_at = MMDIFF_WIRE_IDLE;
		wire->ops_run = i + 1;
	}
	wire->op_index = MMDIFF_WIRE_IDLE;
}

int main(void)
{
	struct mmdiff_wire *wire;
	unsigned done = 0, request;

	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	wire = find_wire();
	if (!wire || wire->magic != MMDIFF_WIRE_MAGIC || wire->version != MMDIFF_WIRE_VERSION) {
		printf("mmdiff: no shared memory\n");
		reboot(RB_POWER_OFF);
	}
	strcpy(wire->release, "0-stand-in");
	strcpy(wire->features, "stand_in");
	wire->grade = MMDIFF_WIRE_PUBLIC;
	__atomic_store_n(&wire->booted, 1, __ATOMIC_RELEASE);
	for (;;) {
		request = __atomic_load_n(&wire->request, __ATOMIC_ACQUIRE);
		if (request == done)
			continue;
		done = request;
		answer(wire);
		__atomic_store_n(&wire->reply, done, __ATOMIC_RELEASE);
	}
}
