// Programs that the benchmarks run: generated ones, and those of a directory.
//
// The same arguments give the same programs on every machine. Making them is not part of any
// figure.
#ifndef MMDIFF_BENCH_PROGRAMS_H_
#define MMDIFF_BENCH_PROGRAMS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/lockstep.h"
#include "program/program.h"

namespace mmdiff {

// `count` programs of `ops` operations each in the default world, from seeds `seed` and on.
std::vector<Program> GeneratedPrograms(size_t count, size_t ops, uint64_t seed = 1);

// Every *.mmdiff below `directory`, sorted by path. A file that does not parse ends the process
// with a message; a directory that is not there gives none.
std::vector<Program> StoredPrograms(const std::string& directory);

size_t OpsOf(const std::vector<Program>& programs);

// A lockstep of specs as on the command line ("reference,model"). An unknown spec ends the process.
std::unique_ptr<Lockstep> NewLockstep(const std::string& specs);

// "model:-a,-b,...": the model with every optimisation off.
std::string PlainModelSpec();

}  // namespace mmdiff

#endif  // MMDIFF_BENCH_PROGRAMS_H_
