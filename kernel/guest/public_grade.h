// The public grade: what of programs and states there is on a kernel that mmdiff has no module for.
//
// Operations are system calls (kernel/guest/init/calls.def) and states are read from /proc
// (kernel/guest/init/look.c). What has no counterpart there is named here, so that it is left out
// of programs and of comparisons. Constant tables; nothing is booted.
#ifndef MMDIFF_KERNEL_GUEST_PUBLIC_GRADE_H_
#define MMDIFF_KERNEL_GUEST_PUBLIC_GRADE_H_

#include <string_view>

#include "program/leave_out.h"
#include "program/world_demands.h"
#include "state/relations.h"

namespace mmdiff {

// The operations without a system call that means the same.
OpcodeSet PublicLacks();

// The system call of an operation, "mmap"; "" if there is none.
const char* PublicCall(Opcode code);

// What is seen of a state of this version, "6.18.15".
RelationSet PublicSight(std::string_view version);

// What system calls cannot ask for: there is no swap, all pins are those of io_uring, and no map
// decides about huge pages before it populates.
void AddPublicDemands(WorldDemands* demands);

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_GUEST_PUBLIC_GRADE_H_
