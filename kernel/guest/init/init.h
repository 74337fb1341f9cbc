/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Init: the only program of a guest. It sets the kernel up so that programs run the same each time,
 * loads mmdiff's module and becomes its two threads; it runs no operation itself.
 *
 * Whatever fails is said on the console as a line "mmdiff: ..." and powers the guest off, so that
 * the host can show it.
 */
#ifndef MMDIFF_KERNEL_GUEST_INIT_INIT_H_
#define MMDIFF_KERNEL_GUEST_INIT_INIT_H_

#include <stddef.h>

/* Says why on the console and powers off. With `error`, an errno, its meaning too. */
void mmdiff_give_up(int error, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* All that makes a kernel do the same each time. What a kernel does not have is passed by. */
void mmdiff_settle(void);

/* A file as a text with a zero at its end; NULL: it cannot be read. */
char *mmdiff_read_all(const char *path, size_t *bytes);

/* Writes to a file of /proc or /sys; one that is not there is passed by. Gives up if it is refused. */
void mmdiff_set(const char *file, const char *value);

/* The kernel forgets what the C library has told it of this task's memory. */
void mmdiff_forget_library(void);

/* Says on the console how long booting took; `kernel` is when init began, in ms. */
void mmdiff_tell_times(long kernel);

/* Runs programs by system calls, for an image that no module can be built for; see public.c. */
void mmdiff_serve_public(long kernel) __attribute__((noreturn));

#endif /* MMDIFF_KERNEL_GUEST_INIT_INIT_H_ */
