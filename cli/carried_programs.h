// Programs from disk as the implementations of --impl demand them.
//
// A kernel has page tables of one size, and perhaps more of its own. Programs that were written for
// another world are carried over (program/world_demands.h) before anything runs, which is said once
// on stderr, and so is what was left out because one of them has no counterpart for it
// (program/leave_out.h); files never change. Costs what reading and making the implementations
// cost.
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

  size_t ops_left_out = 0;  // operations, and of how many programs
  size_t cut_programs = 0;
  OpcodeSet left_out;       // which of those that somebody lacks
  size_t nothing_left = 0;  // programs without an operation on memory now, which were dropped
};
// Lines for people, "mmdiff: ..." each; empty if nothing was done. `of` is the number of programs.
std::string CarriedText(const Carried& carried, const Demands& demands, size_t of);

// Leaves out what somebody lacks, drops what has nothing left by that, and carries over those that
// need it, in place. Error: one cannot be carried over; names it.
absl::StatusOr<Carried> CarryPrograms(const Demands& demands, std::vector<NamedProgram>* programs);

// ReadProgram and ReadPrograms of cli/program_files.h, for implementations.
absl::StatusOr<NamedProgram> ReadProgramFor(const std::string& specs, const std::string& path);
absl::StatusOr<std::vector<NamedProgram>> ReadProgramsFor(const std::string& specs,
                                                          const std::vector<std::string>& paths);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_CARRIED_PROGRAMS_H_
