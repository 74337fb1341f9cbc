/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Kcore: the memory of the running kernel, as /proc/kcore shows it to user programs, and where its data
 * structures have what, as /sys/kernel/btf/vmlinux tells.
 *
 * Reading disturbs nothing: no page is touched, mapped or referenced. It never writes. A read costs a system
 * call, some microseconds; a name is looked for once, in some milliseconds.
 */
#ifndef MMDIFF_KERNEL_GUEST_INIT_KCORE_H_
#define MMDIFF_KERNEL_GUEST_INIT_KCORE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opens both. Gives up (init.h) if the kernel has not got them. */
void kcore_open(void);

/* Copies from a kernel address. False: there is nothing, or not all of it. */
bool kcore_read(uint64_t address, void *to, size_t bytes);
/* 0 if it cannot be read. */
uint64_t kcore_word(uint64_t address);

/* The address of a symbol of /proc/kallsyms; gives up if there is none. */
uint64_t kernel_symbol(const char *name);

/* In bytes, from the beginning of the structure, through members without a name too; gives up if there is none. */
uint32_t kernel_offset(const char *structure, const char *member);
/* The same, or -1 if there is none. */
long kernel_offset_if_any(const char *structure, const char *member);
/* The value of an enumerator, or -1. */
long kernel_enumerator(const char *enumeration, const char *name);

#endif
