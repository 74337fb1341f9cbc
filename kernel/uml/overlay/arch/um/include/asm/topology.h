/* SPDX-License-Identifier: GPL-2.0 */
/* Our own arch/um/include/asm/topology.h: two memory nodes, and the CPU where the
 * executor says it is. */
#ifndef __UM_TOPOLOGY_H
#define __UM_TOPOLOGY_H
#ifdef CONFIG_NUMA
extern int mmdiff_node;	/* of the emulated CPU */
#define cpu_to_node(cpu) ((void)(cpu), mmdiff_node)
#define cpumask_of_node(node) ((node) == 0 ? cpu_online_mask : cpu_none_mask)
#define pcibus_to_node(bus) ((void)(bus), -1)
#endif
#include <asm-generic/topology.h>
#endif
