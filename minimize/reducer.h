// The reducer: finds a simpler program that still shows the same finding.
//
// It tries smaller programs in the order of harness/simplicity.h, pass after pass, until no pass
// finds one. Every candidate is fixed up first, so a predicate only ever sees valid programs. The
// result depends on the program and the predicate alone: no clock, no randomness. It knows nothing
// of implementations; the predicate does (minimize/predicates.h). The cost is that of the
// predicate's runs: a few hundred for a program of 256 operations, most of them short.
#ifndef MMDIFF_MINIMIZE_REDUCER_H_
#define MMDIFF_MINIMIZE_REDUCER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "program/program.h"

namespace mmdiff {

// What a predicate says of a candidate. A predicate that only knows yes or no may return a bool.
struct Verdict {
  bool same = false;           // it shows the same finding (same signature)
  std::optional<uint32_t> op;  // the operation that shows it; what comes after it is then cut off
  Verdict(bool same, std::optional<uint32_t> op = std::nullopt)  // NOLINT: a bool is a verdict
      : same(same), op(op) {}
};
using Predicate = std::function<Verdict(const Program&)>;

// What one pass did, over all rounds.
struct PassStats {
  std::string name;
  uint64_t rounds = 0;  // how often the pass ran
  uint64_t tries = 0;   // candidates made
  uint64_t runs = 0;    // of these, run with the predicate (smaller, and not seen before)
  uint64_t accepted = 0;
  uint64_t ops_removed = 0;
};

struct ReduceProgress {
  std::string_view pass;
  uint64_t runs = 0;  // so far
  size_t ops = 0;     // of the simplest program so far
};

struct ReduceOptions {
  uint64_t max_runs =
      100000;  // of the predicate; the simplest so far is the result when it is used up
  // Asked between runs; true ends the work early, like max_runs. For a time limit of the caller's.
  std::function<bool()> stop;
  std::function<void(const ReduceProgress&)> progress;  // called after each accepted candidate
  // Names of the passes to run, in this order; empty: all, in the order of Passes().
  std::vector<std::string> passes;
};

struct ReduceResult {
  Program program;          // the simplest found; without expectations
  bool reproduced = false;  // the original itself satisfied the predicate; if not, `program` is it
  bool exhausted = false;   // max_runs or stop ended the work before the fixpoint
  uint64_t runs = 0;
  uint64_t rounds = 0;
  std::vector<PassStats> passes;
};

// Reduces `original`. Never fails: if the original does not satisfy the predicate, it is given
// back.
ReduceResult Reduce(const Program& original, const Predicate& same_finding,
                    const ReduceOptions& options = {});

// Names and meanings of the passes, in the order in which they run.
struct PassInfo {
  const char* name;
  const char* doc;
};
std::vector<PassInfo> Passes();

}  // namespace mmdiff

#endif  // MMDIFF_MINIMIZE_REDUCER_H_
