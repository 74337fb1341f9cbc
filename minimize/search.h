// Search: the simplest program found so far, and the one gate through which a candidate becomes it.
//
// Shared by the passes of the reducer; not for use outside of this directory. A candidate is fixed
// up, refused if it is not simpler or was seen before, and only then run. Try() costs O(operations)
// and at most one run of the predicate.
#ifndef MMDIFF_MINIMIZE_SEARCH_H_
#define MMDIFF_MINIMIZE_SEARCH_H_

#include <cstdint>
#include <optional>
#include <unordered_set>
#include <vector>

#include "minimize/reducer.h"
#include "program/program.h"

namespace mmdiff {

class Search {
 public:
  // `predicate` and `options` must outlive the search.
  Search(const Predicate& predicate, const ReduceOptions& options)
      : predicate_(predicate), options_(options) {}

  // Takes the program to begin with, which is fixed up and run. False if it does not show the
  // finding.
  bool Start(Program program);

  const Program& best() const { return best_; }
  size_t size() const { return best_.ops.size(); }
  // The operation of best() at which the finding shows, if the predicate told.
  std::optional<uint32_t> failing_op() const { return failing_op_; }

  // True if `candidate`, fixed up, is simpler than best(), new, and shows the finding; it is best()
  // then.
  bool Try(Program candidate);

  // No more runs are allowed (max_runs or stop). Passes end soon after this turns true; Try
  // refuses.
  bool done() const { return exhausted_; }
  uint64_t runs() const { return runs_; }

  // Where Try counts from now on.
  void CountIn(PassStats* stats) { stats_ = stats; }

 private:
  Verdict Run(const Program& candidate);

  const Predicate& predicate_;
  const ReduceOptions& options_;
  Program best_;
  std::optional<uint32_t> failing_op_;
  // Hashes of what was run. A collision loses a candidate, never a finding; membership only.
  std::unordered_set<uint64_t> seen_;
  uint64_t runs_ = 0;
  bool exhausted_ = false;
  PassStats* stats_ = nullptr;
};

// Hash of world and operations.
uint64_t HashOf(const Program& program);

}  // namespace mmdiff

#endif  // MMDIFF_MINIMIZE_SEARCH_H_
