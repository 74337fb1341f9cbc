/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Pins: what io_uring pins as a fixed buffer is what pin_user_pages_fast(FOLL_WRITE | FOLL_LONGTERM) gives. A
 * ring holds one pin. A buffer is pinned whole or not at all, while a pin may end at the first page that cannot
 * be had: the longest beginning that can be pinned is looked for. Of the pages of a large folio a ring keeps one
 * reference, so that counts of them are not comparable.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "actors.h"
#include "init.h"

static int rings[MAX_PINS];

void rings_open(void)
{
	for (int i = 0; i < MAX_PINS; i++) {
		struct io_uring_params params;

		memset(&params, 0, sizeof(params));
		rings[i] = syscall(SYS_io_uring_setup, 2, &params);
		if (rings[i] < 0)
			mmdiff_give_up(errno, "cannot make rings to pin with");
	}
}

static int try(int ring, uint64_t address, uint32_t pages)
{
	struct iovec range = { (void *)address, pages * PAGE };

	return syscall(SYS_io_uring_register, rings[ring], IORING_REGISTER_BUFFERS, &range, 1) ? -errno : 0;
}

int ring_pin(int ring, uint64_t address, uint32_t pages)
{
	int error = try(ring, address, pages);
	uint32_t good = 0, bad = pages;	/* `good` can be pinned, `bad` not */

	if (!error)
		return pages;
	while (bad - good > 1) {
		uint32_t middle = good + (bad - good) / 2;

		if (try(ring, address, middle)) {
			bad = middle;
		} else {
			good = middle;
			ring_unpin(ring);
		}
	}
	if (!good)
		return error;
	error = try(ring, address, good);
	return error ? error : (int)good;
}

int ring_unpin(int ring)
{
	return syscall(SYS_io_uring_register, rings[ring], IORING_UNREGISTER_BUFFERS, NULL, 0) ? -errno : 0;
}
