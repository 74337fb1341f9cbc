// Random programs.
//
// The same seed and options give the same program on every machine. Swarm testing: each program
// leaves out a random subset of the operations and weighs the others anew, so that rare
// combinations become common in some programs. Handles and ranges come mostly from a small hot set,
// so that operations meet. O(ops); results are valid.
#ifndef MMDIFF_PROGRAM_GENERATE_H_
#define MMDIFF_PROGRAM_GENERATE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "program/arg_kinds.h"
#include "program/program.h"
#include "program/random.h"

namespace mmdiff {

struct GenerateOptions {
  World world;
  size_t ops = 32;                // length of the program; at most kMaxOps
  uint32_t fragment_percent = 8;  // how often a fragment is begun instead of one operation
  uint32_t other_cpu_percent =
      20;                // how often an operation runs on another CPU than the one before
  uint32_t threads = 1;  // above 1: operations are dealt to this many threads
  bool swarm = true;     // false: the weights of ops.def for every program
};

Program Generate(uint64_t seed, const GenerateOptions& options);

// Weights of operations: one draw is O(number of operations).
class OpWeights {
 public:
  // The weights of ops.def.
  OpWeights();
  // A random subset left out, the others times 1..100. mm, map and write are never left out.
  explicit OpWeights(Random* rnd);
  // An operation whose handles exist in `context`; map or mm if nothing else can be.
  Opcode Pick(const ArgContext& context, Random* rnd) const;

 private:
  std::array<uint32_t, kOpcodes> weight_;
};

// One operation of this code with generated arguments, on CPU 0, for the end of what `context` has
// seen. The handle kinds it needs must exist in the context.
Op GenerateOp(Opcode code, const ArgContext& context, Random* rnd);
// True if every handle that the operation needs is bound in `context` (File never is needed).
bool CanGenerate(Opcode code, const ArgContext& context);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_GENERATE_H_
