// Carries programs over to another size of page tables: what happens at the edge of a small table
// happens at the edge of a large one.
//
// Ranges that overlap or touch, in whatever process, move together, so order, distances, lengths
// and pgoff among them stay as they are. Such a group keeps its distance to one table boundary: the
// one that most of its ranges cross, or, if it crosses none, the nearest; a group that runs past
// the end of the arena still does. Places modulo the smaller table size stay, and with them the
// alignment to every folio order of the small world. A group that crosses several boundaries of
// small tables thus crosses one of large ones. Only addresses change, in operations and in
// expectations ("? m0 0x40 vma_end=0x60 content=0x300000041"); the program's text is the same
// otherwise. It never runs anything. O(n log n) in operations and expectations; allocates.
#ifndef MMDIFF_PROGRAM_CARRY_H_
#define MMDIFF_PROGRAM_CARRY_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "program/program.h"

namespace mmdiff {

// `program`, which must pass Validate, in the geometry `to`; the result passes Validate. Has fewer
// tables than `to` where those would exceed kMaxArena; tables that no operation names are left out
// then. InvalidArgument, with the remedy: `to` is no geometry, has too few tables, CPUs or nodes,
// or (to smaller tables only) groups are too large or too far from an edge to have room.
absl::StatusOr<Program> Carry(const Program& program, const World& to);

// The same in the world of the program but for its tables of `table` entries (a power of two, 8 to
// 512). Folio orders that no longer fit into a table are left out of the world.
absl::StatusOr<Program> CarryToTable(const Program& program, uint32_t table);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_CARRY_H_
