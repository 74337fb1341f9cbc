/* SPDX-License-Identifier: GPL-2.0 */
/* host.c: what a User Mode Linux kernel asks of its host. */
#ifndef MMDIFF_MACHINE_H
#define MMDIFF_MACHINE_H

void *host_map_shared(int fd, unsigned long bytes);
void host_wait(volatile unsigned int *word, unsigned int seen);
void host_wake(volatile unsigned int *word);

#endif
