// The cases of lockstep_bench: what each runs and what it is compared with.
//
// A case owns its implementations and programs. Making the cases costs a second; a call of run()
// costs some milliseconds.
#ifndef MMDIFF_BENCH_CASES_H_
#define MMDIFF_BENCH_CASES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "program/program.h"

namespace mmdiff {

struct BenchCase {
  std::string name;               // "lockstep/generated"
  std::string unit;               // of what run() counts, a second: "operations/s"
  std::string ratio_to;           // name of the case it is compared with, or empty
  std::function<uint64_t()> run;  // runs once; how much was done
};

// Lockstep as it is used, its two sides alone, and the slow baselines.
std::vector<BenchCase> LockstepCases(std::vector<Program> corpus);
// Making, changing, decoding, reading and writing programs; digests and comparison.
std::vector<BenchCase> PartCases();

}  // namespace mmdiff

#endif  // MMDIFF_BENCH_CASES_H_
