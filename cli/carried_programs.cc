#include "cli/carried_programs.h"

#include <cstdio>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "harness/registry.h"
#include "program/carry.h"

namespace mmdiff {

absl::StatusOr<DemandedTable> TableForSpecs(const std::string& specs) {
  absl::StatusOr<Contestants> made = MakeAll(specs);
  if (!made.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--impl: ", made.status().message(), "; mmdiff list impls prints all"));
  }
  absl::StatusOr<DemandedTable> demanded = TableDemandedBy(*made);
  if (!demanded.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--impl: ", demanded.status().message()));
  }
  return demanded;
}

absl::StatusOr<size_t> CarryPrograms(const DemandedTable& demanded,
                                     std::vector<NamedProgram>* programs) {
  size_t carried = 0;
  for (NamedProgram& named : *programs) {
    if (demanded.table == 0 || named.program.world.table == demanded.table) continue;
    absl::StatusOr<Program> program = CarryToTable(named.program, demanded.table);
    if (!program.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(named.name, " cannot be carried over to the page tables of ", demanded.who,
                       ": ", program.status().message()));
    }
    named.program = *std::move(program);
    ++carried;
  }
  return carried;
}

absl::StatusOr<std::vector<NamedProgram>> ReadProgramsFor(const std::string& specs,
                                                          const std::vector<std::string>& paths) {
  absl::StatusOr<DemandedTable> demanded = TableForSpecs(specs);
  if (!demanded.ok()) return demanded.status();
  absl::StatusOr<std::vector<NamedProgram>> programs = ReadPrograms(paths);
  if (!programs.ok()) return programs.status();
  absl::StatusOr<size_t> carried = CarryPrograms(*demanded, &*programs);
  if (!carried.ok()) return carried.status();
  if (*carried != 0) {
    std::fprintf(stderr, "mmdiff: %zu of %zu programs carried over to table=%u for %s\n", *carried,
                 programs->size(), demanded->table, demanded->who.c_str());
  }
  return programs;
}

absl::StatusOr<NamedProgram> ReadProgramFor(const std::string& specs, const std::string& path) {
  absl::StatusOr<std::vector<NamedProgram>> programs = ReadProgramsFor(specs, {path});
  if (!programs.ok()) return programs.status();
  if (programs->size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is a directory; name one program"));
  }
  return std::move(programs->front());
}

}  // namespace mmdiff
