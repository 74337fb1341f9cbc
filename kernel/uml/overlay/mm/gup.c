// SPDX-License-Identifier: GPL-2.0
/*
 * The tree's file. Two calls pass through the executor: faults, of which it notes what was decided, and
 * the isolation of folios for a long-term pin. A folio that the program itself has isolated would make
 * GUP try again for ever; the executor ends that as a signal would, once a pass has moved nothing.
 */
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/migrate.h>
#include <linux/syscalls.h>
#include "internal.h"
#include "../mmdiff/windows.h"
#define handle_mm_fault mmdiff_handle_mm_fault
#define folio_isolate_lru mmdiff_gup_isolate
#define migrate_pages(...) (mmdiff_gup_migrates(), migrate_pages(__VA_ARGS__))
#include "gup.tree.c"
