// The speed of running programs in a worker process: the round trip alone, and in lockstep.
//
//   worker_bench [--jsonl=FILE] [--kernel=PATH] [--table=32] [--programs=2000] [--ops=20]
//                [--repetitions=5]
//
// Without --kernel the worker is the one of the tests, which runs the model: what is measured then
// is the way there and back. A kernel needs --table=512. Wall time on the CPUs it is given: for one
// core start it with taskset.
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/kernel_pair.h"
#include "bench/report.h"
#include "harness/lockstep.h"
#include "harness/registry.h"
#include "kernel/linux.h"
#include "kernel/report.h"
#include "kernel/worker.h"
#include "program/generate.h"

namespace mmdiff {
namespace {

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Programs/s of `run`, which runs all of them.
template <typename Run>
double Speed(const std::vector<Program>& programs, const Run& run) {
  const double start = Seconds();
  for (const Program& program : programs) run(program);
  return static_cast<double>(programs.size()) / (Seconds() - start);
}

int Main(int argc, char** argv) {
  LinuxOptions options;
  options.name = "worker";
  options.worker.executable = TakeFlag(&argc, argv, "kernel", MMDIFF_FAKE_WORKER);
  options.demands.table = static_cast<uint32_t>(TakeNumber(&argc, argv, "table", World().table));
  const uint64_t count = TakeNumber(&argc, argv, "programs", 2000);
  const uint64_t ops = TakeNumber(&argc, argv, "ops", 20);
  const uint64_t repetitions = TakeNumber(&argc, argv, "repetitions", 5);
  Report report(TakeFlag(&argc, argv, "jsonl", ""));
  RefuseOtherFlags(argc, argv);

  GenerateOptions generate;
  generate.world.table = options.demands.table;
  generate.ops = ops;
  std::vector<Program> programs;
  for (uint64_t seed = 1; seed <= count; ++seed) programs.push_back(Generate(seed, generate));

  const double start = Seconds();
  absl::StatusOr<std::unique_ptr<Worker>> worker = Worker::Start(options.worker);
  if (!worker.ok()) {
    std::fprintf(stderr, "%s\n", std::string(worker.status().message()).c_str());
    return 2;
  }
  report.Add({"worker/start", "ms", {(Seconds() - start) * 1000}, ""});
  const std::unique_ptr<Lockstep> lockstep = Pair(options);
  if (lockstep == nullptr) return 2;
  RunOptions fast;
  fast.full_every = fast.full_at_end_every = 0;
  RunResult result;
  bool ok = true;
  std::string why;
  std::vector<double> alone, paired;
  for (uint64_t i = 0; i < repetitions && ok; ++i) {
    alone.push_back(Speed(programs, [&](const Program& p) {
      if (!ok) return;
      const WorkerRun run = (*worker)->Run(p.world, p.ops, MMDIFF_WIRE_IDLE, 0);
      ok = run.end == WorkerEnd::kOk;
      if (!ok) why = run.text + "\n" + ReadKernelReport(run.console).title;
    }));
    paired.push_back(Speed(programs, [&](const Program& p) {
      if (!ok) return;
      ok = lockstep->Run(p, fast, &result) == RunOutcome::ok;
      if (!ok) why = result.message;
    }));
  }
  if (!ok) {
    std::fprintf(stderr, "a program failed, so there are no figures: %s\n", why.c_str());
    return 1;
  }
  std::fprintf(stderr, "%.0f programs/s alone, %.0f in lockstep with the reference\n",
               Median(alone), Median(paired));
  report.Add({"worker/programs", "programs/s", alone, ""});
  report.Add({"worker/lockstep", "programs/s", paired, "worker/programs"});
  return 0;
}

}  // namespace
}  // namespace mmdiff

int main(int argc, char** argv) { return mmdiff::Main(argc, argv); }
