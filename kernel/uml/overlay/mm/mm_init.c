// SPDX-License-Identifier: GPL-2.0
/* The tree's file. Half of each node's memory is ZONE_MOVABLE, as with movablecore=50%. */
#include <linux/init.h>
void mmdiff_make_movable_zones(void);
#include "mm_init.tree.c"

void __init mmdiff_make_movable_zones(void)
{
	required_movablecore_percent = 50;
}
