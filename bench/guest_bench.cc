// The speed of running programs in guests, and what the time goes to.
//
//   guest_bench [--guest=guest] [--guests=1] [--programs=2000] [--ops=20] [--jsonl=FILE]
//
// Generated programs, compared with the reference after each operation, on one guest or on several
// at once, each with a thread of its own. Per program: what the guest spends on the operations, on
// looking at their states and on the program's end, by its own clock; the way there and back; and
// what the reference and the comparison take. Wall time on the CPUs it is given: for one core
// start it with taskset, which guests inherit. The image must have been fetched.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/report.h"
#include "harness/lockstep.h"
#include "harness/registry.h"
#include "kernel/guest/guest.h"
#include "kernel/worker.h"
#include "program/generate.h"

namespace mmdiff {
namespace {

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Split {
  double run = 0, observe = 0, end = 0, whole = 0;  // seconds
};

// All programs once, without a reference.
bool RunAlone(Worker& worker, const std::vector<Program>& programs, Split* split) {
  const double start = Seconds();
  for (const Program& program : programs) {
    const WorkerRun run = worker.Run(program.world, program.ops, MMDIFF_WIRE_IDLE, 0);
    if (run.end != WorkerEnd::kOk) {
      std::fprintf(stderr, "a program failed: %s\n", run.text.c_str());
      return false;
    }
    split->run += static_cast<double>(worker.wire().run_ns) / 1e9;
    split->observe += static_cast<double>(worker.wire().observe_ns) / 1e9;
    split->end += static_cast<double>(worker.wire().end_ns) / 1e9;
  }
  split->whole = Seconds() - start;
  return true;
}

// One lockstep of its own; gives the seconds that all programs took, or a negative number. The
// guest has booted before the clock starts.
double RunPaired(const std::string& guest, const std::vector<Program>& programs,
                 std::atomic<int>* waiting) {
  absl::StatusOr<Contestants> contestants = MakeAll("reference," + guest);
  if (!contestants.ok()) return -1;
  Lockstep lockstep(*std::move(contestants));
  RunOptions fast;
  fast.full_every = fast.full_at_end_every = 0;
  RunResult result;
  if (lockstep.Run(programs[0], fast, &result) != RunOutcome::ok) return -1;
  --*waiting;
  while (*waiting > 0) std::this_thread::yield();
  const double start = Seconds();
  for (const Program& program : programs) {
    if (lockstep.Run(program, fast, &result) != RunOutcome::ok) {
      std::fprintf(stderr, "a program failed: %s\n", result.message.c_str());
      return -1;
    }
  }
  return Seconds() - start;
}

int Main(int argc, char** argv) {
  const std::string spec = TakeFlag(&argc, argv, "guest", "guest");
  const uint64_t guests = TakeNumber(&argc, argv, "guests", 1);
  const uint64_t count = TakeNumber(&argc, argv, "programs", 2000);
  const uint64_t ops = TakeNumber(&argc, argv, "ops", 20);
  Report report(TakeFlag(&argc, argv, "jsonl", ""));
  RefuseOtherFlags(argc, argv);

  absl::StatusOr<Guest> guest =
      FindGuest(spec.size() > 6 ? std::string_view(spec).substr(6) : std::string_view());
  absl::StatusOr<WorkerOptions> prepared =
      guest.ok() ? PrepareGuest(*guest) : absl::StatusOr<WorkerOptions>(guest.status());
  if (!prepared.ok()) {
    std::fprintf(stderr, "%s\n", std::string(prepared.status().message()).c_str());
    return 2;
  }
  GenerateOptions generate;
  generate.ops = ops;
  const WorldDemands demands = GuestDemands(*guest);
  generate.world.table = demands.table;
  generate.world.batch = demands.batch;
  generate.world.tlb = 0;
  std::vector<Program> programs;
  for (uint64_t seed = 1; seed <= count; ++seed) programs.push_back(Generate(seed, generate));

  const double start = Seconds();
  absl::StatusOr<std::unique_ptr<Worker>> worker = Worker::Start(*prepared);
  if (!worker.ok()) {
    std::fprintf(stderr, "%s\n", std::string(worker.status().message()).c_str());
    return 2;
  }
  const double boot = Seconds() - start;
  Split split;
  if (!RunAlone(**worker, programs, &split)) return 1;
  worker->reset();

  std::atomic<int> waiting = static_cast<int>(guests);
  std::vector<double> seconds(guests);
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < guests; ++i) {
    threads.emplace_back([&, i] { seconds[i] = RunPaired(spec, programs, &waiting); });
  }
  double speed = 0;
  bool ok = true;
  for (uint64_t i = 0; i < guests; ++i) {
    threads[i].join();
    ok = ok && seconds[i] > 0;
    speed += static_cast<double>(count) / seconds[i];
  }
  if (!ok) return 1;

  const double n = static_cast<double>(count), us = 1e6 / n;
  const double way = split.whole - split.run - split.observe - split.end;
  const double paired = seconds[0] - split.whole;
  std::fprintf(stderr,
               "boot %.2f s; a program: operations %.0f us, looking %.0f us, its end %.0f us, the "
               "way there and back %.0f us, reference and comparison %.0f us%s\n"
               "%.0f programs/s alone, %.0f in lockstep with the reference on %llu guests\n",
               boot, split.run * us, split.observe * us, split.end * us, way * us,
               (guests == 1 ? paired : 0) * us, guests == 1 ? "" : " (with one guest only)",
               n / split.whole, speed, static_cast<unsigned long long>(guests));
  report.Add({"guest/start", "s", {boot}, ""});
  report.Add({"guest/programs", "programs/s", {n / split.whole}, ""});
  report.Add({"guest/lockstep", "programs/s", {speed}, "guest/programs"});
  return 0;
}

}  // namespace
}  // namespace mmdiff

int main(int argc, char** argv) { return mmdiff::Main(argc, argv); }
