#include "cli/carried_programs.h"

#include <cstdio>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "harness/registry.h"

namespace mmdiff {
namespace {

void Add(const WorldDemands& more, WorldDemands* sum) {
  if (more.table != 0) sum->table = more.table;
  if (more.batch != 0) sum->batch = more.batch;
  if (more.max_cpus != 0) sum->max_cpus = more.max_cpus;
  sum->no_tlb |= more.no_tlb;
}

void LeaveOutOfAll(const Demands& demands, std::vector<NamedProgram>* programs, Carried* carried) {
  std::erase_if(*programs, [&](NamedProgram& named) {
    const OpcodeSet used = Uses(named.program, demands.lacks);
    if (used.none()) return false;
    carried->left_out |= used;
    carried->ops_left_out += LeaveOut(demands.lacks, &named.program);
    ++carried->cut_programs;
    if (!HasNothingLeft(named.program)) return false;
    ++carried->nothing_left;
    return true;
  });
}

}  // namespace

absl::StatusOr<Demands> DemandsOfSpecs(const std::string& specs) {
  absl::StatusOr<Contestants> made = MakeAll(specs);
  if (!made.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--impl: ", made.status().message(), "; mmdiff list impls prints all"));
  }
  absl::StatusOr<Demands> demands = DemandsOf(*made);
  if (!demands.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--impl: ", demands.status().message()));
  }
  return demands;
}

std::string CarriedText(const Carried& carried, const Demands& demands, size_t of) {
  std::string text;
  if (carried.ops_left_out != 0) {
    absl::StrAppend(&text, "mmdiff: ", carried.ops_left_out, " operations of ",
                    carried.cut_programs, " programs left out: ", demands.lacking,
                    " has no counterpart for ", OpcodesText(carried.left_out));
    if (carried.nothing_left != 0) {
      absl::StrAppend(&text, "; ", carried.nothing_left, " programs have nothing left");
    }
    text += '\n';
  }
  if (carried.programs == 0) return text;
  absl::StrAppend(&text, "mmdiff: ", carried.programs, " of ", of, " programs carried over to ",
                  DemandsText(carried.changed), " for ", demands.who);
  if (carried.unexpecting != 0) {
    absl::StrAppend(&text, "; ", carried.unexpecting,
                    " of them without their expectations, which are of their own world");
  }
  return text + '\n';
}

absl::StatusOr<Carried> CarryPrograms(const Demands& demands, std::vector<NamedProgram>* programs) {
  Carried carried;
  if (demands.lacks.any()) LeaveOutOfAll(demands, programs, &carried);
  for (NamedProgram& named : *programs) {
    const WorldDemands unmet = Unmet(named.program, demands.world);
    if (!unmet.any()) continue;
    absl::StatusOr<Program> program = CarryToDemands(named.program, demands.world);
    if (!program.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(named.name, " cannot be carried over to the page tables of ", demands.who,
                       ": ", program.status().message()));
    }
    if (program->expectations.size() < named.program.expectations.size()) ++carried.unexpecting;
    named.program = *std::move(program);
    ++carried.programs;
    Add(unmet, &carried.changed);
  }
  return carried;
}

absl::StatusOr<std::vector<NamedProgram>> ReadProgramsFor(const std::string& specs,
                                                          const std::vector<std::string>& paths) {
  absl::StatusOr<Demands> demands = DemandsOfSpecs(specs);
  if (!demands.ok()) return demands.status();
  absl::StatusOr<std::vector<NamedProgram>> programs = ReadPrograms(paths);
  if (!programs.ok()) return programs.status();
  const size_t read = programs->size();
  absl::StatusOr<Carried> carried = CarryPrograms(*demands, &*programs);
  if (!carried.ok()) return carried.status();
  std::fputs(CarriedText(*carried, *demands, read).c_str(), stderr);
  return programs;
}

absl::StatusOr<NamedProgram> ReadProgramFor(const std::string& specs, const std::string& path) {
  absl::StatusOr<std::vector<NamedProgram>> programs = ReadProgramsFor(specs, {path});
  if (!programs.ok()) return programs.status();
  if (programs->empty() && !std::filesystem::is_directory(path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("nothing of ", path, " is left to run on ", specs));
  }
  if (programs->size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is a directory; name one program"));
  }
  return std::move(programs->front());
}

}  // namespace mmdiff
