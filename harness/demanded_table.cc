#include "harness/demanded_table.h"

#include "program/words.h"

namespace mmdiff {

absl::StatusOr<DemandedTable> TableDemandedBy(const Contestants& contestants) {
  DemandedTable demanded;
  for (const auto& leader : contestants.leaders) {
    const ImplInfo& info = leader->info();
    if (info.table == 0 || info.table == demanded.table) continue;
    if (demanded.table != 0) {
      return Invalid(demanded.who, " has page tables of ", demanded.table, " entries and ",
                     info.name, " of ", info.table,
                     ": no program runs on both; name them in two runs");
    }
    demanded = {info.table, info.name};
  }
  return demanded;
}

}  // namespace mmdiff
