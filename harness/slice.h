// Slice: which operations of a run changed one record, on either side.
//
// Follows a record of the state through a run by taking snapshots after each operation; folios are
// followed by the implementations' own numbers, which do not change, and are the same folio where
// the states agreed. Two runs; O(operations * state).
#ifndef MMDIFF_HARNESS_SLICE_H_
#define MMDIFF_HARNESS_SLICE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "harness/lockstep.h"
#include "state/compare.h"

namespace mmdiff {

// An operation that changed the record on at least one side.
struct SliceStep {
  uint32_t op_index = 0;
  std::string op;                 // as text
  std::string before_a, after_a;  // the record, rendered; "absent" if it is not there
  std::string before_b, after_b;
};

// Runs `program` once more on `lockstep` and follows the record that `divergence` is about. Empty
// if it is about none.
std::vector<SliceStep> SliceOf(Lockstep& lockstep, const Program& program,
                               const Divergence& divergence);

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_SLICE_H_
