// Edge table: which code each of a kernel's coverage counters belongs to.
//
// The compiler put a table of addresses into the executable, one for each counter in their order.
// This reads it from the file and knows nothing of sources or programs. Costs a read of the
// section, some hundred kilobytes.
#ifndef MMDIFF_KERNEL_EDGE_TABLE_H_
#define MMDIFF_KERNEL_EDGE_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mmdiff {

// The address in the executable of each edge, counter by counter. Error: NotFound if the file
// cannot be read, InvalidArgument if it is no 64-bit ELF file for this machine's byte order,
// FailedPrecondition if it was built without coverage.
absl::StatusOr<std::vector<uint64_t>> ReadEdgeTable(const std::string& executable);

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_EDGE_TABLE_H_
