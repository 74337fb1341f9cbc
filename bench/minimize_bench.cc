// The time that the reducer takes for divergences of 256 operations, and how often it runs its
// predicate.
//
//   minimize_bench [--jsonl=FILE] [--cases=8] [--ops=256]
//
// For each planted bug the first so many generated programs that show it, reduced under the options
// that findings are reduced under. CPU time; quantiles over all cases.
#include <time.h>

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "bench/planted.h"
#include "bench/report.h"
#include "harness/lockstep.h"
#include "harness/signature.h"
#include "minimize/predicates.h"
#include "minimize/reducer.h"
#include "program/generate.h"

namespace mmdiff {
namespace {

constexpr uint64_t kMaxSeeds = 2000;  // programs looked at for one bug

double CpuMilliseconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

struct Times {
  std::vector<double> ms, runs, ops;
  std::map<std::string, std::vector<double>> by_bug;
};

// False if the bug was never shown.
bool MeasureBug(size_t bug, size_t ops, uint64_t cases, Times* times) {
  Lockstep lockstep(PlantedContestants(bug));
  const RunOptions options = RunOptions::Thorough();
  RunResult result;
  GenerateOptions generate;
  generate.ops = ops;
  uint64_t found = 0;
  for (uint64_t seed = 1; seed <= kMaxSeeds && found < cases; ++seed) {
    const Program program = Generate(seed, generate);
    if (lockstep.Run(program, options, &result) == RunOutcome::ok) continue;
    ++found;
    const double start = CpuMilliseconds();
    const ReduceResult reduced =
        Reduce(program, DivergencePredicate(&lockstep, SignatureOf(result), options));
    const double ms = CpuMilliseconds() - start;
    times->ms.push_back(ms);
    times->by_bug[PlantedBugAt(bug).name].push_back(ms);
    times->runs.push_back(static_cast<double>(reduced.runs));
    times->ops.push_back(static_cast<double>(reduced.program.ops.size()));
    std::fprintf(stderr, "%-20s seed %4llu %4zu -> %2zu operations %6llu runs %8.2f ms\n",
                 PlantedBugAt(bug).name, static_cast<unsigned long long>(seed), program.ops.size(),
                 reduced.program.ops.size(), static_cast<unsigned long long>(reduced.runs), ms);
  }
  if (found == 0) std::fprintf(stderr, "no program shows %s\n", PlantedBugAt(bug).name);
  return found != 0;
}

int Main(int argc, char** argv) {
  const uint64_t cases = TakeNumber(&argc, argv, "cases", 8);
  const uint64_t ops = TakeNumber(&argc, argv, "ops", 256);
  Report report(TakeFlag(&argc, argv, "jsonl", ""));
  RefuseOtherFlags(argc, argv);
  Times times;
  bool all = true;
  for (size_t bug = 0; bug < PlantedBugs(); ++bug) all &= MeasureBug(bug, ops, cases, &times);
  if (times.ms.empty()) return 1;
  report.Add({"minimize/median", "ms", times.ms, ""});
  report.Add({"minimize/p99", "ms", {Quantile(times.ms, 0.99)}, "minimize/median"});
  report.Add({"minimize/slowest", "ms", {Quantile(times.ms, 1)}, "minimize/median"});
  report.Add({"minimize/predicate_runs", "runs", times.runs, ""});
  report.Add({"minimize/operations_left", "operations", times.ops, ""});
  for (const auto& [bug, ms] : times.by_bug) report.Add({"minimize/" + bug, "ms", ms, ""});
  std::fprintf(stderr, "%zu cases: median %.2f ms, 99 %% %.2f ms, median %.0f runs\n",
               times.ms.size(), Median(times.ms), Quantile(times.ms, 0.99), Median(times.runs));
  return all ? 0 : 1;
}

}  // namespace
}  // namespace mmdiff

int main(int argc, char** argv) { return mmdiff::Main(argc, argv); }
