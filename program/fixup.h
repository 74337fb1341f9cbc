// Makes any Program valid, and says whether one is.
//
// Fixup never rejects: values are moved into their ranges, handles to the nearest earlier binding;
// an operation without any handle to refer to is dropped, except that a missing process is put in
// front. Deliberately left possible, because errors are behaviour too: npages 0, a range that runs
// past the arena, a node one past the last, spent handles. Linear; allocates only if the vectors
// must grow.
#ifndef MMDIFF_PROGRAM_FIXUP_H_
#define MMDIFF_PROGRAM_FIXUP_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "program/program.h"

namespace mmdiff {

inline constexpr uint8_t kMaxThreads = 8;  // Op::thread is below this

// Validate(*p) is ok afterwards. Idempotent: a valid program is not changed.
void Fixup(Program* program, size_t max_ops = kMaxOps);

// Ok iff Fixup would leave the program as it is. Otherwise InvalidArgument names the first fault:
// the operation's number, the argument and what is allowed.
absl::Status Validate(const Program& program);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_FIXUP_H_
