// The reference: the oracle that says what an operation should have done.
//
// It is docs/machine.md as code: flat arrays, one loop, no batching, no early exit, no cached
// counter. How often a page is mapped is found by looking at every page table, how often it is
// referenced by adding up who holds it. It follows the choices of a leader and refuses those that
// were not allowed. It is never adjusted to please another implementation. An operation costs
// O(size of the state).
#ifndef MMDIFF_REFERENCE_REFERENCE_H_
#define MMDIFF_REFERENCE_REFERENCE_H_

#include <memory>

#include "harness/implementation.h"

namespace mmdiff {

std::unique_ptr<Implementation> MakeReference();

}  // namespace mmdiff

#endif  // MMDIFF_REFERENCE_REFERENCE_H_
