// The cost of lockstep and of each of its parts, and of the slow ways of doing the same.
//
//   lockstep_bench [--jsonl=FILE] [--corpus=DIRECTORY] [--benchmark_...]
//
// A Google Benchmark program. Repetitions of all cases take turns, so that what else the machine
// does falls on all of them alike; figures are CPU time, medians of nine repetitions unless
// --benchmark_repetitions says otherwise.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bench/cases.h"
#include "bench/programs.h"
#include "bench/report.h"
#include "benchmark/benchmark.h"

namespace mmdiff {
namespace {

// Shows the console's table, and keeps what each repetition did a second.
class Collector : public benchmark::ConsoleReporter {
 public:
  Collector() : ConsoleReporter(OO_Tabular) {}
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      const auto rate = run.counters.find("items_per_second");
      if (run.run_type == Run::RT_Iteration && rate != run.counters.end()) {
        samples_[run.run_name.function_name].push_back(rate->second);
      }
    }
    ConsoleReporter::ReportRuns(runs);
  }
  std::vector<double> Take(const std::string& name) { return std::move(samples_[name]); }

 private:
  std::map<std::string, std::vector<double>> samples_;
};

int Main(int argc, char** argv) {
  const std::string corpus = TakeFlag(&argc, argv, "corpus", MMDIFF_SOURCE_DIR "/corpora");
  Report report(TakeFlag(&argc, argv, "jsonl", ""));
  // Defaults go first, so that the command line can say otherwise.
  std::string defaults[] = {"--benchmark_repetitions=9", "--benchmark_min_time=0.1",
                            "--benchmark_enable_random_interleaving=true"};
  std::vector<char*> args = {argv[0]};
  for (std::string& flag : defaults) args.push_back(flag.data());
  args.insert(args.end(), argv + 1, argv + argc);
  int nargs = static_cast<int>(args.size());
  benchmark::Initialize(&nargs, args.data());
  if (benchmark::ReportUnrecognizedArguments(nargs, args.data())) return 2;

  std::vector<BenchCase> cases = LockstepCases(StoredPrograms(corpus));
  for (BenchCase& c : PartCases()) cases.push_back(std::move(c));
  for (BenchCase& c : cases) {
    benchmark::RegisterBenchmark(c.name.c_str(), [&c](benchmark::State& state) {
      uint64_t work = 0;
      for (auto _ : state) work += c.run();
      state.SetItemsProcessed(static_cast<int64_t>(work));
    });
  }
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  benchmark::Shutdown();
  for (const BenchCase& c : cases) {
    std::vector<double> samples = collector.Take(c.name);
    if (!samples.empty()) report.Add({c.name, c.unit, std::move(samples), c.ratio_to});
  }
  return 0;
}

}  // namespace
}  // namespace mmdiff

int main(int argc, char** argv) { return mmdiff::Main(argc, argv); }
