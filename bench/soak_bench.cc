// Whether memory stays flat: generated programs, one after the other, on one kernel process.
//
//   soak_bench [--jsonl=FILE] [--kernel=PATH] [--table=32] [--programs=1000000] [--ops=20]
//
// Without --kernel the worker is the one of the tests. A kernel needs --table=512. The process is
// not replaced by a fresh one every so often, as it is otherwise, so that what it loses adds up.
// Divergences are counted and gone past. Prints the resident memory of both processes twenty times;
// ends with 1 if either is more than 8 MiB larger at the end than it was after a fifth of the
// programs, or if the kernel did not live to the end.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/kernel_pair.h"
#include "bench/report.h"
#include "harness/lockstep.h"
#include "harness/registry.h"
#include "kernel/linux.h"
#include "program/generate.h"

namespace mmdiff {
namespace {

constexpr uint64_t kSamples = 20;
constexpr double kMayGrow = 8;  // MiB

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double ResidentMebibytes(const std::string& pid) {
  std::ifstream in(absl::StrCat("/proc/", pid, "/statm"));
  double size = 0, resident = 0;
  in >> size >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

// The kernel is the only child of this process.
std::string Child() {
  std::ifstream in(absl::StrCat("/proc/self/task/", getpid(), "/children"));
  std::string pid;
  in >> pid;
  return pid;
}

int Main(int argc, char** argv) {
  LinuxOptions options;
  options.name = "worker";
  options.worker.executable = TakeFlag(&argc, argv, "kernel", MMDIFF_FAKE_WORKER);
  options.demands.table = static_cast<uint32_t>(TakeNumber(&argc, argv, "table", World().table));
  options.replay_every = 0;
  const uint64_t programs = std::max(kSamples, TakeNumber(&argc, argv, "programs", 1000000));
  GenerateOptions generate;
  generate.world.table = options.demands.table;
  generate.ops = TakeNumber(&argc, argv, "ops", 20);
  Report report(TakeFlag(&argc, argv, "jsonl", ""));
  RefuseOtherFlags(argc, argv);
  const std::unique_ptr<Lockstep> lockstep = Pair(options);
  if (lockstep == nullptr) {
    std::fprintf(stderr, "there is no kernel %s\n", options.worker.executable.c_str());
    return 2;
  }

  RunOptions fast;
  fast.full_every = fast.full_at_end_every = 0;
  fast.confirm = false;  // it would put a fresh process in place of the one that is watched
  RunResult result;
  std::array<uint64_t, 5> outcomes{};
  double harness = 0, kernel = 0, harness_early = 0, kernel_early = 0;
  std::string kernel_pid;
  const double start = Seconds();
  uint64_t sample = 0;
  std::fprintf(stderr, "%12s %12s %12s %12s %12s\n", "programs", "diverging", "programs/s",
               "harness MiB", "kernel MiB");
  for (uint64_t seed = 1; seed <= programs; ++seed) {
    const RunOutcome outcome = lockstep->Run(Generate(seed, generate), fast, &result);
    ++outcomes[static_cast<size_t>(outcome)];
    if (outcome != RunOutcome::ok) {
      std::fprintf(stderr, "seed %lu: %s %s\n", seed, result.message.c_str(),
                   result.divergence.relation.c_str());
    }
    if (seed == 1) kernel_pid = Child();
    if (seed < (sample + 1) * programs / kSamples) continue;
    ++sample;
    harness = ResidentMebibytes("self");
    kernel = ResidentMebibytes(kernel_pid);
    if (sample == kSamples / 5) harness_early = harness, kernel_early = kernel;
    std::fprintf(stderr, "%12lu %12lu %12.0f %12.1f %12.1f\n", seed,
                 outcomes[static_cast<size_t>(RunOutcome::divergence)],
                 static_cast<double>(seed) / (Seconds() - start), harness, kernel);
  }
  report.Add({"soak/harness", "MiB", {harness_early, harness}, ""});
  report.Add({"soak/kernel", "MiB", {kernel_early, kernel}, ""});
  if (Child() != kernel_pid || kernel == 0) {
    std::fprintf(stderr, "the kernel died on the way: %s\n", result.message.c_str());
    return 1;
  }
  if (harness > harness_early + kMayGrow || kernel > kernel_early + kMayGrow) {
    std::fprintf(stderr, "memory grows\n");
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace mmdiff

int main(int argc, char** argv) { return mmdiff::Main(argc, argv); }
