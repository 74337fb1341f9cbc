// The cost of lockstep and of each of its parts, and the slow ways of doing the same.
//
//   lockstep_bench [--jsonl=FILE] [--repetitions=9] [--milliseconds=200] [--filter=TEXT]
//                  [--corpus=DIRECTORY]
//
// Every case runs the same programs again and again for so long a repetition; repetitions of all cases
// take turns, so that what else the machine does falls on all of them alike. CPU time, medians.
#include <time.h>

#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "bench/cases.h"
#include "bench/programs.h"
#include "bench/report.h"

namespace mmdiff {
namespace {

double CpuSeconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// Runs one case for `seconds` of CPU time; what it did a second.
double Measure(BenchCase& bench, double seconds) {
  const double start = CpuSeconds();
  double work = 0, now = start;
  do {
    work += static_cast<double>(bench.run());
    now = CpuSeconds();
  } while (now - start < seconds);
  return work / (now - start);
}

int Main(int argc, char** argv) {
  const std::string filter = TakeFlag(&argc, argv, "filter", "");
  const uint64_t repetitions = TakeNumber(&argc, argv, "repetitions", 9);
  const uint64_t milliseconds = TakeNumber(&argc, argv, "milliseconds", 200);
  const std::string corpus = TakeFlag(&argc, argv, "corpus", MMDIFF_SOURCE_DIR "/corpora");
  Report report(TakeFlag(&argc, argv, "jsonl", ""));
  RefuseOtherFlags(argc, argv);

  std::vector<BenchCase> cases = LockstepCases(StoredPrograms(corpus));
  std::vector<BenchCase> parts = PartCases();
  cases.insert(cases.end(), std::make_move_iterator(parts.begin()), std::make_move_iterator(parts.end()));
  std::erase_if(cases, [&](const BenchCase& c) { return !absl::StrContains(c.name, filter); });
  if (cases.empty()) {
    std::fprintf(stderr, "no case has \"%s\" in its name\n", filter.c_str());
    return 2;
  }
  std::vector<std::vector<double>> samples(cases.size());
  for (BenchCase& bench : cases) bench.run();  // warm
  for (uint64_t i = 0; i < repetitions; ++i) {
    for (size_t c = 0; c < cases.size(); ++c) {
      samples[c].push_back(Measure(cases[c], static_cast<double>(milliseconds) * 1e-3));
    }
  }
  for (size_t c = 0; c < cases.size(); ++c) {
    std::fprintf(stderr, "%-34s %14.0f %s\n", cases[c].name.c_str(), Median(samples[c]),
                 cases[c].unit.c_str());
    report.Add({cases[c].name, cases[c].unit, std::move(samples[c]), cases[c].ratio_to});
  }
  return 0;
}

}  // namespace
}  // namespace mmdiff

int main(int argc, char** argv) { return mmdiff::Main(argc, argv); }
