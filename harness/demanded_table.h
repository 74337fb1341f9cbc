// The size of page tables that implementations demand of their programs.
//
// Only reads ImplInfo; runs nothing. O(implementations).
#ifndef MMDIFF_HARNESS_DEMANDED_TABLE_H_
#define MMDIFF_HARNESS_DEMANDED_TABLE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "harness/lockstep.h"

namespace mmdiff {

struct DemandedTable {
  uint32_t table = 0;  // World::table that every program must have; 0: any
  std::string who;     // name of an implementation that demands it; empty if none does
};

// InvalidArgument, naming both, if two of them demand different sizes: no program can run on them.
absl::StatusOr<DemandedTable> TableDemandedBy(const Contestants& contestants);

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_DEMANDED_TABLE_H_
