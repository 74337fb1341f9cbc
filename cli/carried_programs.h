// Programs from disk as the implementations of --impl demand them.
//
// A kernel has page tables of one size, and perhaps more of its own. Programs that were written for
// another world are carried over (program/world_demands.h) before anything runs, which is said once
// on stderr; files never change. Costs what reading and making the implementations cost.
#ifndef MMDIFF_CLI_CARRIED_PROGRAMS_H_
#define MMDIFF_CLI_CARRIED_PROGRAMS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/program_files.h"
#include "harness/demands.h"

namespace mmdiff {

// What the implementations of `specs` demand. InvalidArgument, in words about --impl, if one is
// unknown or two contradict each other.
absl::StatusOr<Demands> DemandsOfSpecs(const std::string& specs);

// What was done to programs to make them suit.
struct Carried {
  size_t programs = 0;     // of how many the world was another
  WorldDemands changed;    // what was changed, in any of them
  size_t unexpecting = 0;  // how many of them lost expectations by that
};
// Lines for people, "mmdiff: ..." each; empty if nothing was done. `of` is the number of programs.
std::string CarriedText(const Carried& carried, const Demands& demands, size_t of);

// Carries over those that need it, in place. Error: one cannot be carried over; names it.
absl::StatusOr<Carried> CarryPrograms(const Demands& demands, std::vector<NamedProgram>* programs);

// ReadProgram and ReadPrograms of cli/program_files.h, for implementations.
absl::StatusOr<NamedProgram> ReadProgramFor(const std::string& specs, const std::string& path);
absl::StatusOr<std::vector<NamedProgram>> ReadProgramsFor(const std::string& specs,
                                                          const std::vector<std::string>& paths);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_CARRIED_PROGRAMS_H_
