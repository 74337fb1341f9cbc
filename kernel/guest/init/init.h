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

/* Says why on the console and powers off. With `error`, an errno, its meaning too. */
void mmdiff_give_up(int error, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* All that makes a kernel do the same each time. What a kernel does not have is passed by. */
void mmdiff_settle(void);

/* Runs programs with what user programs are told, for an image without headers; see public.c. */
void mmdiff_serve_public(void) __attribute__((noreturn));

#endif /* MMDIFF_KERNEL_GUEST_INIT_INIT_H_ */
