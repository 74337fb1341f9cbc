// Stress: threaded runs of generated programs, one after another, until something is broken or the
// time is up.
//
// A program is named by its seed: the same seed, options and build give the same operations on the
// same threads. Which of them meet is up to the machine unless `interleave` is set. It prints
// nothing itself.
#ifndef MMDIFF_TARGETS_THREADED_STRESS_H_
#define MMDIFF_TARGETS_THREADED_STRESS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "program/program.h"

namespace mmdiff {

enum class Sharing : uint8_t {
  kShared,    // the operations of one program are dealt to the threads, so they share processes and
              // handles
  kDisjoint,  // each thread runs a program of its own; they share the machine
  kBoth,      // by turns
};

struct StressOptions {
  uint64_t seed = 1;
  uint32_t threads = 4;
  uint64_t programs = 0;  // 0: no limit
  double seconds = 10;    // 0: no limit; asked between programs
  uint32_t ops = 160;     // of all threads together
  Sharing sharing = Sharing::kBoth;
  bool interleave = false;  // one thread at a time, drawn by the seed
  std::string spec;         // switches of the model
};

struct StressTotals {
  uint64_t programs = 0;
  uint64_t operations = 0;
  uint64_t effective = 0;
  double seconds = 0;
  uint64_t trace = 0;  // with `interleave`: hash of the interleavings and results
  std::array<uint64_t, kOpcodes> done{};  // operations without error, by opcode
  std::string broken;                     // empty, or the first broken invariant
  uint64_t broken_seed = 0;
};

// The program of a seed.
Program StressProgram(uint64_t seed, const StressOptions& options);

// Runs programs of the seeds from options.seed on. `before` is told each seed before its program
// runs, `after` the totals so far. False and *error if the options are wrong.
bool RunStress(const StressOptions& options, const std::function<void(uint64_t)>& before,
               const std::function<void(const StressTotals&)>& after, StressTotals* totals,
               std::string* error);

}  // namespace mmdiff

#endif  // MMDIFF_TARGETS_THREADED_STRESS_H_
