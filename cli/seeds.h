// Seeds: the committed corpus, which is text, as the binary files that engines read, and back.
//
// Reading and writing only; it never runs a program. Costs one parse and one small file a program.
#ifndef MMDIFF_CLI_SEEDS_H_
#define MMDIFF_CLI_SEEDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/program_files.h"
#include "harness/demands.h"

namespace mmdiff {

// The committed corpora: corpora/ and, if asked, the repros under crashes/. Error: there are none.
absl::StatusOr<std::vector<std::string>> CommittedCorpora(bool with_crashes);

// Name of a binary file: the hash of its bytes in hex.
std::string SeedName(const std::vector<uint8_t>& bytes);

// The binary form of a program, made to suit the demands (see MakeSuit).
std::vector<uint8_t> SeedOf(const Program& program, const Demands& demands);

// Writes each program of `directories` as SeedOf gives it into `binary_dir`, which must exist.
// Gives the number of programs. Error: a program that does not parse, naming file, line and column;
// an unwritable directory.
absl::StatusOr<size_t> WriteSeeds(const std::vector<std::string>& directories,
                                  const std::string& binary_dir, const Demands& demands);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_SEEDS_H_
