// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses are the hardware's own, with its page faults. Its translations are dropped before each
 * operation, for nobody knows which of them a CPU has kept: the worlds of this machine have tlb=0.
 */
#include <linux/uaccess.h>
#include <asm/special_insns.h>
#include "guest.h"

struct access mmu_access(struct process *p, u32 vpn, bool write, u64 value)
{
	u64 __user *at = (u64 __user *)addr_of(vpn);
	struct access a = { .value = value };
	int err;

	would_wait = false;
	if (write)
		err = put_user(value, at);
	else
		err = get_user(a.value, at);
	if (err)
		a.err = would_wait ? EAGAIN : EFAULT;
	return a;
}

void tlb_reset(struct process *p)
{
}
