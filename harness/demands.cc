#include "harness/demands.h"

#include <algorithm>

#include "program/words.h"

namespace mmdiff {
namespace {

void AddName(const std::string& name, std::string* names) {
  Append(names, names->empty() ? "" : " and ", name);
}

// Adds up the demands of one implementation after the other.
class Sum {
 public:
  absl::Status Add(const ImplInfo& info) {
    const WorldDemands before = sum_.world;
    const WorldDemands& more = info.demands;
    if (absl::Status s =
            Equal("page tables of ", " entries", more.table, info.name, &sum_.world.table, &table_);
        !s.ok()) {
      return s;
    }
    if (absl::Status s =
            Equal("batches of ", " folios", more.batch, info.name, &sum_.world.batch, &batch_);
        !s.ok()) {
      return s;
    }
    uint32_t& cpus = sum_.world.max_cpus;
    if (more.max_cpus != 0) cpus = cpus == 0 ? more.max_cpus : std::min(cpus, more.max_cpus);
    sum_.world.no_tlb |= more.no_tlb;
    sum_.world.no_swap |= more.no_swap;
    sum_.world.pin_flags |= more.pin_flags;
    sum_.world.no_map_flags |= more.no_map_flags;
    if (!(sum_.world == before)) AddName(info.name, &sum_.who);
    if ((info.lacks & ~sum_.lacks).any()) AddName(info.name, &sum_.lacking);
    sum_.lacks |= info.lacks;
    return absl::OkStatus();
  }
  const Demands& get() const { return sum_; }

 private:
  // A size that must be the same for all; *who demanded *sum first.
  static absl::Status Equal(const char* what, const char* unit, uint32_t value,
                            const std::string& name, uint32_t* sum, std::string* who) {
    if (value == 0 || value == *sum) return absl::OkStatus();
    if (*sum != 0) {
      return Invalid(*who, " has ", what, *sum, unit, " and ", name, " of ", value,
                     ": no program runs on both; name them in two runs");
    }
    *sum = value;
    *who = name;
    return absl::OkStatus();
  }

  Demands sum_;
  std::string table_, batch_;  // who demanded it
};

}  // namespace

absl::StatusOr<Demands> DemandsOf(const Contestants& contestants) {
  Sum sum;
  for (const auto& leader : contestants.leaders) {
    if (absl::Status s = sum.Add(leader->info()); !s.ok()) return s;
  }
  return sum.get();
}

bool Suits(const Program& program, const Demands& demands) {
  return Meets(program, demands.world) && Uses(program, demands.lacks).none();
}

size_t MakeSuit(const Demands& demands, size_t max_ops, Program* program) {
  const size_t left_out = LeaveOut(demands.lacks, program);
  ForceDemands(demands.world, max_ops, program);
  return left_out;
}

}  // namespace mmdiff
