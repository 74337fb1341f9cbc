// The mutator: small random changes of a program that keep it valid.
//
// Deterministic in the program, the random numbers and the options. Handles stay on the operations
// that bound them. Expectations of the program are dropped, because a changed program has other
// results. O(ops) for each change.
#ifndef MMDIFF_PROGRAM_MUTATE_H_
#define MMDIFF_PROGRAM_MUTATE_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "program/program.h"
#include "program/random.h"

namespace mmdiff {

struct MutateOptions {
  size_t max_ops = 256;            // the result has no more operations than this
  uint32_t max_changes = 4;        // changes made by one call: 1 to this many
  bool change_world = true;        // now and then another geometry
  const Program* other = nullptr;  // where splices take their prefix from; may be null
};

// Changes the program in place. The result passes Validate.
void Mutate(Program* program, Random* rnd, const MutateOptions& options = {});
// A prefix of `a` joined with a tail of `b`, in the world of `a`.
Program Crossover(const Program& a, const Program& b, Random* rnd,
                  const MutateOptions& options = {});

// The kinds of change, for statistics and tests.
struct Mutation {
  const char* name;
  const char* doc;
  uint32_t weight;
};
absl::Span<const Mutation> AllMutations();
// Makes one change of this kind; false if the program offers no place for it.
bool ApplyMutation(size_t kind, Program* program, Random* rnd, const MutateOptions& options = {});

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_MUTATE_H_
