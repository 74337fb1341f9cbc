/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Link: gives a module the addresses of what its kernel does not offer to modules.
 *
 * The module is an ELF object that was linked against nothing. Every undefined symbol becomes an absolute one, with
 * the address that /proc/kallsyms has for it; one that is weak may stay undefined. It loads nothing.
 * O(size of kallsyms) for all symbols together, some 60 ms in a guest.
 */
#ifndef MMDIFF_LINK_H
#define MMDIFF_LINK_H

#include <stddef.h>

/*
 * `kallsyms` is the text of /proc/kallsyms, zero at its end. Writes to `lacking` the names, each preceded by a space,
 * of what the kernel has not, or has several of. 0: all are found; -1: `lacking` says what is not, or that the image
 * is no relocatable ELF object.
 */
int link_module(void *image, size_t bytes, const char *kallsyms, char *lacking, size_t room);

#endif
