// What the implementations of a run demand together of their programs.
//
// Only reads ImplInfo; runs nothing. O(implementations).
#ifndef MMDIFF_HARNESS_DEMANDS_H_
#define MMDIFF_HARNESS_DEMANDS_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "harness/lockstep.h"
#include "program/leave_out.h"
#include "program/world_demands.h"

namespace mmdiff {

struct Demands {
  WorldDemands world;
  std::string who{};      // names of the implementations that demand it; empty if none does
  OpcodeSet lacks{};      // operations that one or another has no counterpart for
  std::string lacking{};  // names of those that lack them
};

// InvalidArgument, naming both, if two of them contradict each other: no program can run on them.
absl::StatusOr<Demands> DemandsOf(const Contestants& contestants);

// True if the program can run on who demands this as it stands.
bool Suits(const Program& program, const Demands& demands);
// Makes it suit whatever it is (LeaveOut, ForceDemands) and gives the number of operations that
// were left out. For inputs of fuzz engines.
size_t MakeSuit(const Demands& demands, size_t max_ops, Program* program);

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_DEMANDS_H_
