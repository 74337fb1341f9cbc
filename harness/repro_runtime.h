// The fixed parts of the C programs that repro prints. Constant text; internal to repro.
#ifndef MMDIFF_HARNESS_REPRO_RUNTIME_H_
#define MMDIFF_HARNESS_REPRO_RUNTIME_H_

namespace mmdiff {

extern const char kReproHead[];    // includes, constants, struct op
extern const char kReproServer[];  // what a process does with an operation
extern const char kReproMain[];    // what drives the processes in the order of the program

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_REPRO_RUNTIME_H_
