// The passes of the reducer, one a file; not for use outside of this directory.
//
// A pass proposes candidates made from search->best() and stops when it has none left or
// search->done(). It never runs a program itself and keeps nothing between calls. Each says whether
// anything was accepted.
#ifndef MMDIFF_MINIMIZE_PASSES_H_
#define MMDIFF_MINIMIZE_PASSES_H_

#include "minimize/search.h"

namespace mmdiff {

// Cuts off what comes after the operation that shows the finding.
bool CutTail(Search* search);
// Removes everything that has nothing to do with one object, one operation or one CPU, in one step
// each.
bool RemoveGroups(Search* search);
// Removes runs of operations, long ones first, single ones last, from the end.
bool RemoveChunks(Search* search);
// Removes two operations at once that need each other to go.
bool RemovePairs(Search* search);
// Replaces two operations by one that does the work of both: phases by the whole, map and access by
// a populated map.
bool LiftPairs(Search* search);
// Joins two ranges of the same operation into one operation.
bool MergeRanges(Search* search);
// Lets every use of one handle refer to an earlier one.
bool Retarget(Search* search);
// Puts an operation that comes earlier in ops.def in the place of one that comes later.
bool SimplifyOps(Search* search);
// Moves operations and whole programs to CPU 0 and thread 0.
bool OneCpu(Search* search);
// Takes pages off the front or the back of a range.
bool NarrowRanges(Search* search);
// Shrinks arguments, equal values together and then each alone.
bool ShrinkArgs(Search* search);
// Moves whole groups of addresses down, keeping their distances.
bool Translate(Search* search);
// World fields to their defaults, or smaller.
bool SimplifyWorld(Search* search);
// Orders neighbours that do not depend on each other.
bool MoveOps(Search* search);

// Removes an operation and changes another one in any way at once, in short programs.
bool Trade(Search* search);

}  // namespace mmdiff

#endif  // MMDIFF_MINIMIZE_PASSES_H_
