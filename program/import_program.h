// Events of traced processes to programs. Used by the strace import only.
//
// A program holds a run of events. What they refer to and was mapped before the run is mapped anew
// at the start of the program. The addresses of each family of processes are compressed: every
// boundary of a range keeps its place in a page table and its order; distances stay exact unless
// they are long. O(events x log) for each program tried.
#ifndef MMDIFF_PROGRAM_IMPORT_PROGRAM_H_
#define MMDIFF_PROGRAM_IMPORT_PROGRAM_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "program/import_space.h"
#include "program/import_strace.h"
#include "program/program.h"

namespace mmdiff {

// The program of `events`, with `spaces` as they were before the first. False if the events are too
// many for the options' limits (operations, arena, processes, mappings).
bool BuildProgram(absl::Span<const TracedEvent> events, const TracedSpaces& spaces,
                  const ImportOptions& options, Program* program);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_IMPORT_PROGRAM_H_
