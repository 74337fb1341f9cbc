// Coverage of a kernel: which code of its mm/ programs run, by file, function and line.
//
// Runs programs on a build with coverage, one after the other in one process, and counts for each
// edge how many of them pass it; llvm-symbolizer says where an edge is. An edge that was compiled
// several times, as code that was inlined is, counts as one place, covered if any copy was. It
// compares nothing. Costs the programs and some seconds for the symbols.
#ifndef MMDIFF_CLI_KERNEL_COVERAGE_H_
#define MMDIFF_CLI_KERNEL_COVERAGE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/options.h"
#include "cli/program_files.h"
#include "kernel/builds.h"

namespace mmdiff {

// Where edges are: a place in the source, as the compiler sees it.
struct EdgePlace {
  std::string file;      // "mm/rmap.c", below the root of the tree
  std::string function;  // the innermost one, if it was inlined
  uint32_t line = 0;
  uint32_t column = 0;
  friend auto operator<=>(const EdgePlace&, const EdgePlace&) = default;
};

struct KernelCoverage {
  uint64_t edges = 0, edges_covered = 0;     // counters
  std::map<EdgePlace, uint64_t> places;      // how many programs pass
  uint64_t programs = 0;                     // that ran to their end
  std::vector<std::string> failed_programs;  // the kernel died in them: they count for nothing
};

// Runs the programs, which must be in a kernel's geometry, and finds the places. Errors:
// FailedPrecondition if the build has no coverage or there is no llvm-symbolizer, with the remedy.
absl::StatusOr<KernelCoverage> MeasureKernelCoverage(const KernelBuild& build,
                                                     const std::vector<NamedProgram>& programs);

// From llvm-symbolizer's JSON for a list of addresses, in their order; an empty file where it knows
// nothing.
std::vector<EdgePlace> PlacesFromSymbolizer(const std::string& json);

// What `mmdiff kernel coverage` prints: the files of mm/, and its `functions` functions with the
// most uncovered places (0: all).
std::string KernelCoverageText(const KernelBuild& build, const KernelCoverage& measured,
                               uint64_t functions);
// A file of the source with, before each line that has edges, how many programs pass it ("-": none;
// a + after the number: not all of its edges).
std::string AnnotatedSource(const KernelCoverage& coverage, const std::string& file,
                            const std::string& source);

// mmdiff kernel coverage [PROGRAM...].
absl::StatusOr<Exit> PrintKernelCoverage(const Options& options);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_KERNEL_COVERAGE_H_
