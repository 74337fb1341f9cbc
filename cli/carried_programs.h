// Programs from disk in the geometry that the implementations of --impl demand.
//
// A kernel has page tables of one size. Programs that were written for another are carried over
// (program/carry.h) before anything runs, which is said once on stderr; files never change. Costs
// what reading and making the implementations cost.
#ifndef MMDIFF_CLI_CARRIED_PROGRAMS_H_
#define MMDIFF_CLI_CARRIED_PROGRAMS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/program_files.h"
#include "harness/demanded_table.h"

namespace mmdiff {

// What the implementations of `specs` demand. InvalidArgument, in words about --impl, if one is
// unknown or they demand different sizes.
absl::StatusOr<DemandedTable> TableForSpecs(const std::string& specs);

// Carries over those that need it, in place. Gives how many did. Error: one cannot be carried over;
// names it.
absl::StatusOr<size_t> CarryPrograms(const DemandedTable& demanded,
                                     std::vector<NamedProgram>* programs);

// ReadProgram and ReadPrograms of cli/program_files.h, for implementations.
absl::StatusOr<NamedProgram> ReadProgramFor(const std::string& specs, const std::string& path);
absl::StatusOr<std::vector<NamedProgram>> ReadProgramsFor(const std::string& specs,
                                                          const std::vector<std::string>& paths);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_CARRIED_PROGRAMS_H_
