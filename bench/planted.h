// Planted bugs: the model with one operation done wrongly under a narrow condition.
//
// The state of such a machine never contradicts itself, it is only not what it should be: findings
// as real ones are. For measuring the minimiser; the mutants under mutants/ are bugs in the model's
// own code.
#ifndef MMDIFF_BENCH_PLANTED_H_
#define MMDIFF_BENCH_PLANTED_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "harness/lockstep.h"

namespace mmdiff {

struct PlantedBug {
  const char* name;
  const char* doc;  // when what goes wrong
};

size_t PlantedBugs();
const PlantedBug& PlantedBugAt(size_t bug);

// The reference, and the model with this bug. Costs what making the model costs.
Contestants PlantedContestants(size_t bug);

}  // namespace mmdiff

#endif  // MMDIFF_BENCH_PLANTED_H_
