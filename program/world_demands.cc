#include "program/world_demands.h"

#include <utility>

#include "program/carry.h"
#include "program/fixup.h"
#include "program/words.h"

namespace mmdiff {
namespace {

// Where flags are among the arguments of an operation.
constexpr size_t kPinFlags = 3, kMapFlags = 3;

// All but the tables, which take more than setting a field.
void SetFields(const WorldDemands& unmet, Program* program) {
  World& world = program->world;
  if (unmet.batch != 0) world.batch = unmet.batch;
  if (unmet.no_tlb) world.tlb = 0;
  if (unmet.no_swap) world.swap = 0;
  if (unmet.max_cpus != 0) {
    world.cpus = unmet.max_cpus;
    for (Op& op : program->ops) op.cpu = static_cast<uint8_t>(op.cpu % world.cpus);
  }
  for (Op& op : program->ops) {
    if (op.code == Opcode::pin && unmet.pin_flags != 0) op.arg[kPinFlags] = unmet.pin_flags;
    if (op.code == Opcode::map) op.arg[kMapFlags] &= ~unmet.no_map_flags;
  }
  WorldDemands harmless;
  harmless.table = unmet.table;
  if (!(unmet == harmless)) program->expectations.clear();
}

}  // namespace

WorldDemands Unmet(const Program& program, const WorldDemands& demands) {
  const World& world = program.world;
  WorldDemands unmet;
  if (world.table != demands.table) unmet.table = demands.table;
  if (world.batch != demands.batch) unmet.batch = demands.batch;
  if (demands.max_cpus != 0 && world.cpus > demands.max_cpus) unmet.max_cpus = demands.max_cpus;
  unmet.no_tlb = demands.no_tlb && world.tlb != 0;
  unmet.no_swap = demands.no_swap && world.swap != 0;
  for (const Op& op : program.ops) {
    if (op.code == Opcode::pin && op.arg[kPinFlags] != demands.pin_flags) {
      unmet.pin_flags = demands.pin_flags;
    }
    if (op.code == Opcode::map) unmet.no_map_flags |= op.arg[kMapFlags] & demands.no_map_flags;
  }
  return unmet;
}

std::string DemandsText(const WorldDemands& demands) {
  std::string text;
  const auto add = [&](const char* name, uint32_t value) {
    Append(&text, text.empty() ? "" : " ", name, value);
  };
  if (demands.table != 0) add("table=", demands.table);
  if (demands.batch != 0) add("batch=", demands.batch);
  if (demands.max_cpus != 0) add("cpus<=", demands.max_cpus);
  if (demands.no_tlb) add("tlb=", 0);
  if (demands.no_swap) add("swap=", 0);
  return text;
}

absl::StatusOr<Program> CarryToDemands(const Program& program, const WorldDemands& demands) {
  const WorldDemands unmet = Unmet(program, demands);
  Program carried = program;
  SetFields(unmet, &carried);
  if (unmet.table == 0) return carried;
  return CarryToTable(carried, unmet.table);
}

void ForceDemands(const WorldDemands& demands, size_t max_ops, Program* program) {
  const WorldDemands unmet = Unmet(*program, demands);
  if (!unmet.any()) return;
  SetFields(unmet, program);
  if (unmet.table == 0) return;
  absl::StatusOr<Program> carried = CarryToTable(*program, unmet.table);
  if (carried.ok()) {
    *program = *std::move(carried);
    return;
  }
  program->world.table = unmet.table;
  Fixup(program, max_ops);
}

}  // namespace mmdiff
