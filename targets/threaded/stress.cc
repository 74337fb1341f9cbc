#include "targets/threaded/stress.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "program/generate.h"
#include "targets/threaded/interleaver.h"
#include "targets/threaded/threaded_run.h"

namespace mmdiff {
namespace {

// Geometries in which other things meet: many CPUs and small batches, one CPU for all, large
// tables, little swap and few processes.
World WorldOf(uint64_t seed) {
  World world;
  switch (seed / 2 % 4) {
    case 0:
      world.cpus = 4;
      break;
    case 1:
      world.cpus = 1;
      world.nodes = 1;
      world.batch = 15;
      break;
    case 2:
      world.cpus = 4;
      world.table = 64;
      world.orders = 0x15;
      world.swap = 16;
      world.gather = 3;
      break;
    default:
      world.cpus = 2;
      world.batch = 1;
      world.mms = 4;
      world.tables = 2;
      break;
  }
  return world;
}

bool IsDisjoint(uint64_t seed, Sharing sharing) {
  return sharing == Sharing::kBoth ? seed % 2 == 1 : sharing == Sharing::kDisjoint;
}

}  // namespace

Program StressProgram(uint64_t seed, const StressOptions& options) {
  GenerateOptions generate;
  generate.world = WorldOf(seed);
  generate.fragment_percent = 20;
  if (!IsDisjoint(seed, options.sharing)) {
    generate.ops = options.ops;
    generate.threads = std::max(options.threads, 1u);
    return Generate(seed, generate);
  }
  generate.ops = std::max<size_t>(1, options.ops / options.threads);
  std::vector<Program> programs;
  for (uint32_t i = 0; i < options.threads; ++i)
    programs.push_back(Generate(seed * 64 + i, generate));
  return Combine(programs);
}

bool RunStress(const StressOptions& options, const std::function<void(uint64_t)>& before,
               const std::function<void(const StressTotals&)>& after, StressTotals* totals,
               std::string* error) {
  const std::unique_ptr<ThreadedMachine> machine =
      ThreadedMachine::Make(options.spec, options.threads, error);
  if (machine == nullptr) return false;
  if (options.ops == 0 || options.ops > kMaxOps) {
    *error = "the number of operations is 1 to " + std::to_string(kMaxOps);
    return false;
  }
  *totals = StressTotals{};
  const auto start = std::chrono::steady_clock::now();
  for (uint64_t seed = options.seed;; ++seed) {
    if (options.programs != 0 && totals->programs == options.programs) break;
    if (options.seconds > 0 && totals->seconds >= options.seconds) break;
    before(seed);
    std::unique_ptr<Interleaver> interleaver;
    if (options.interleave) interleaver = std::make_unique<Interleaver>(seed, options.threads);
    const ThreadedResult result = machine->Run(StressProgram(seed, options), interleaver.get());
    ++totals->programs;
    totals->operations += result.operations;
    totals->effective += result.effective;
    totals->trace ^= result.trace * (2 * seed + 1);
    for (size_t i = 0; i < kOpcodes; ++i) totals->done[i] += result.done[i];
    totals->seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (!result.broken.empty()) {
      totals->broken = result.broken;
      totals->broken_seed = seed;
      break;
    }
    after(*totals);
  }
  return true;
}

}  // namespace mmdiff
