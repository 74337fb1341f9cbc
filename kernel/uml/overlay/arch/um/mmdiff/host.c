// SPDX-License-Identifier: GPL-2.0
/* Host side of the executor: the shared memory, and waiting for mmdiff. Built against the host's C library. */
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *host_map_shared(int fd, unsigned long bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Sleeps while *word is `seen`. mmdiff's death ends this process too (PR_SET_PDEATHSIG). */
void host_wait(volatile unsigned int *word, unsigned int seen)
{
	int i;

	/* One look more is cheaper than sleeping when the next program is there already. */
	for (i = 0; i < 100; i++) {
		if (*word != seen)
			return;
		__builtin_ia32_pause();
	}
	while (*word == seen)
		syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}

void host_wake(volatile unsigned int *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}
