// What implementations demand of the worlds of their programs, and programs brought into such
// worlds.
//
// A kernel has page tables and batches of one size, a limited number of CPUs, and perhaps TLBs that
// keep nothing one could rely on. Programs of other worlds are carried over: their addresses as in
// program/carry.h, their CPUs modulo the limit, the fields of the world as demanded. It knows no
// implementation and runs nothing. Costs a comparison where the world is right already.
#ifndef MMDIFF_PROGRAM_WORLD_DEMANDS_H_
#define MMDIFF_PROGRAM_WORLD_DEMANDS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "program/program.h"

namespace mmdiff {

// The default demands nothing. Values must be such that a world may have them.
struct WorldDemands {
  uint32_t table = 0;     // World::table; 0: any
  uint32_t batch = 0;     // World::batch; 0: any
  uint32_t max_cpus = 0;  // World::cpus at most; 0: any
  bool no_tlb = false;    // World::tlb must be 0
  bool no_swap = false;   // World::swap must be 0
  // Not of the world, but of arguments: the flags that every pin has (0: any), and those that no
  // map may have.
  uint32_t pin_flags = 0, no_map_flags = 0;

  bool any() const { return !(*this == WorldDemands{}); }
  bool operator==(const WorldDemands&) const = default;
};

// Those of the demands that the program does not meet.
WorldDemands Unmet(const Program& program, const WorldDemands& demands);
inline bool Meets(const Program& program, const WorldDemands& demands) {
  return !Unmet(program, demands).any();
}
// What is demanded of worlds, "table=512 batch=31 cpus<=2 tlb=0"; empty if nothing is.
std::string DemandsText(const WorldDemands& demands);

// `program`, which must pass Validate, in a world that meets the demands; the result passes
// Validate. A program that has another size of tables only keeps its expectations, with their
// addresses; other batches, CPUs or TLBs change what comes of it, so that it loses them.
// InvalidArgument as CarryToTable.
absl::StatusOr<Program> CarryToDemands(const Program& program, const WorldDemands& demands);

// The same whatever the program is: what cannot be carried over has what is out of range moved as
// Fixup does. For inputs of fuzz engines.
void ForceDemands(const WorldDemands& demands, size_t max_ops, Program* program);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_WORLD_DEMANDS_H_
