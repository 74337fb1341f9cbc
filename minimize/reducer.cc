#include "minimize/reducer.h"

#include <array>
#include <utility>

#include "minimize/passes.h"
#include "minimize/search.h"

namespace mmdiff {
namespace {

struct Pass {
  PassInfo info;
  bool (*run)(Search*);
};

// What removes most with the fewest runs comes first; what needs a short program comes last.
constexpr std::array kPasses = {
    Pass{{"cut_tail", "cut off what comes after the operation that shows the finding"}, CutTail},
    Pass{{"remove_groups", "remove all operations of one object, kind or CPU at once"},
         RemoveGroups},
    Pass{{"remove_chunks", "remove runs of operations, long ones first"}, RemoveChunks},
    Pass{{"remove_pairs", "remove two operations at once"}, RemovePairs},
    Pass{{"lift_pairs", "replace two operations by one that does the work of both"}, LiftPairs},
    Pass{{"merge_ranges", "join two ranges of the same operation"}, MergeRanges},
    Pass{{"retarget", "let all uses of one handle refer to an earlier one"}, Retarget},
    Pass{{"simplify_ops", "replace operations by more ordinary ones"}, SimplifyOps},
    Pass{{"one_cpu", "move operations to CPU 0 and thread 0"}, OneCpu},
    Pass{{"simplify_world", "set world fields to their defaults, or smaller"}, SimplifyWorld},
    Pass{{"narrow_ranges", "take pages off the ends of ranges"}, NarrowRanges},
    Pass{{"shrink_args", "shrink arguments towards the simplest"}, ShrinkArgs},
    Pass{{"translate", "move groups of addresses down"}, Translate},
    Pass{{"move_ops", "order operations that do not depend on each other"}, MoveOps},
    Pass{{"trade", "remove one operation of a short program and change another at once"}, Trade},
};

std::vector<const Pass*> Chosen(const std::vector<std::string>& names) {
  std::vector<const Pass*> chosen;
  if (names.empty()) {
    for (const Pass& p : kPasses) chosen.push_back(&p);
    return chosen;
  }
  for (const std::string& name : names) {
    for (const Pass& p : kPasses) {
      if (name == p.info.name) chosen.push_back(&p);
    }
  }
  return chosen;
}

}  // namespace

std::vector<PassInfo> Passes() {
  std::vector<PassInfo> infos;
  infos.reserve(std::size(kPasses));
  for (const Pass& p : kPasses) infos.push_back(p.info);
  return infos;
}

ReduceResult Reduce(const Program& original, const Predicate& same_finding,
                    const ReduceOptions& options) {
  ReduceResult result;
  const std::vector<const Pass*> passes = Chosen(options.passes);
  for (const Pass* p : passes) result.passes.push_back(PassStats{.name = p->info.name});

  Search search(same_finding, options);
  Program start = original;
  start.expectations.clear();  // they speak of operations that are about to change
  result.reproduced = search.Start(std::move(start));
  if (result.reproduced) {
    // Every acceptance makes the program simpler in a well-founded order, so this ends.
    for (bool progress = true; progress && !search.done();) {
      progress = false;
      ++result.rounds;
      for (size_t i = 0; i < passes.size() && !search.done(); ++i) {
        search.CountIn(&result.passes[i]);
        ++result.passes[i].rounds;
        if (passes[i]->run(&search)) progress = true;
      }
    }
  }
  result.program = result.reproduced ? search.best() : original;
  result.exhausted = search.done();
  result.runs = search.runs();
  return result;
}

}  // namespace mmdiff
