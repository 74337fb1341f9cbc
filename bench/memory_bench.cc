// Memory, and how the cost of an operation grows with the processes and mappings that exist.
//
//   memory_bench [--jsonl=FILE] [--largest=4096] [--operations=2000] [--repetitions=5]
//
// Every figure is measured in a child process of its own, so that its peak is its own. A program
// builds so many processes (or mappings) and then runs write, read, dontneed and write all over
// them; only these are timed. CPU time, medians; digests and results are compared after each
// operation where two sides run.
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/programs.h"
#include "bench/report.h"
#include "harness/lockstep.h"
#include "program/program.h"

namespace mmdiff {
namespace {

double CpuNanoseconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

double PeakMebibytes() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::strtod(line.c_str() + 6, nullptr) / 1024;
  }
  return 0;
}

struct Scene {
  Program program;
  uint32_t built = 0;  // operations before those that are timed
};

void Add(Program* program, Opcode code, std::initializer_list<uint32_t> args, uint32_t cpu = 0) {
  Op op;
  op.code = code;
  op.cpu = static_cast<uint8_t>(cpu);
  size_t i = 0;
  for (const uint32_t arg : args) op.arg[i++] = arg;
  program->ops.push_back(op);
}

constexpr uint32_t kMapFlags = kMapRead | kMapWrite | kMapNoHuge;

// The operations that are timed, each on one page of place k: mm(k), vpn(k).
template <typename MmOf, typename VpnOf>
void AddWork(Scene* scene, uint32_t places, uint32_t operations, MmOf mm, VpnOf vpn) {
  scene->built = static_cast<uint32_t>(scene->program.ops.size());
  for (uint32_t i = 0; i < operations; ++i) {
    const uint32_t k = (i / 4 * 7919u) % places;
    const uint32_t cpu = i / 4 % 2;
    switch (i % 4) {
      case 0:
        Add(&scene->program, Opcode::write, {mm(k), vpn(k), 1}, cpu);
        break;
      case 1:
        Add(&scene->program, Opcode::read, {mm(k), vpn(k), 1}, cpu);
        break;
      case 2:
        Add(&scene->program, Opcode::dontneed, {mm(k), vpn(k), 1}, cpu);
        break;
      case 3:
        Add(&scene->program, Opcode::write, {mm(k), vpn(k), 1}, cpu);
        break;
    }
  }
}

// `n` processes, each with a mapping of eight pages of which it has written one.
Scene Processes(uint32_t n, uint32_t operations) {
  Scene scene;
  scene.program.world.mms = std::max(n, scene.program.world.mms);
  for (uint32_t i = 0; i < n; ++i) {
    Add(&scene.program, Opcode::mm, {});
    Add(&scene.program, Opcode::map, {i, 32, 8, kMapFlags, kNoFile, 0});
    Add(&scene.program, Opcode::write, {i, 32, 1});
  }
  AddWork(
      &scene, n, operations, [](uint32_t k) { return k; }, [](uint32_t) { return 32u; });
  return scene;
}

// One process with `n` mappings of a page with a hole after each, all of them written.
Scene Mappings(uint32_t n, uint32_t operations) {
  Scene scene;
  World& world = scene.program.world;
  world.maps = std::max(n, world.maps);
  while (world.arena() < 2 * n) world.tables *= 2;
  Add(&scene.program, Opcode::mm, {});
  for (uint32_t i = 0; i < n; ++i) {
    Add(&scene.program, Opcode::map, {0, 2 * i, 1, kMapFlags, kNoFile, 0});
    Add(&scene.program, Opcode::write, {0, 2 * i, 1});
  }
  AddWork(
      &scene, n, operations, [](uint32_t) { return 0u; }, [](uint32_t k) { return 2 * k; });
  return scene;
}

class StartOfWork : public RunObserver {
 public:
  explicit StartOfWork(uint32_t built) : built_(built) {}
  void OnOp(Lockstep&, const Program&, uint32_t op_index) override {
    if (op_index + 1 == built_) at_ = CpuNanoseconds();
  }
  double at() const { return at_; }

 private:
  uint32_t built_;
  double at_ = 0;
};

struct Cost {
  double ns_per_op = 0;
  double peak_mib = 0;
};

Cost MeasureScene(const std::string& specs, const Scene& scene) {
  const std::unique_ptr<Lockstep> lockstep = NewLockstep(specs);
  StartOfWork start(scene.built);
  RunOptions options;
  options.full_every = options.full_at_end_every = 0;
  options.observer = &start;
  RunResult result;
  Cost cost;
  // Once for the memory to grow, once for the time.
  for (int i = 0; i < 2; ++i) {
    if (lockstep->Run(scene.program, options, &result) != RunOutcome::ok) {
      std::fprintf(stderr, "%s\n", result.message.c_str());
      std::_Exit(1);
    }
    cost.ns_per_op = (CpuNanoseconds() - start.at()) / (result.ops_run - scene.built);
  }
  cost.peak_mib = PeakMebibytes();
  return cost;
}

// Generated programs of the default world, with samples and invariants, as a campaign runs them.
Cost MeasureDefaultWorld() {
  const std::unique_ptr<Lockstep> lockstep = NewLockstep("reference,model");
  RunResult result;
  for (size_t ops : {32, 256}) {
    for (const Program& program : GeneratedPrograms(1000, ops)) lockstep->Run(program, {}, &result);
  }
  return Cost{0, PeakMebibytes()};
}

// Calls fn() in a child process; what it returned. A child that fails ends this process.
template <typename Fn>
Cost InChild(Fn&& fn) {
  int ends[2];
  if (pipe(ends) != 0) std::exit(3);
  const pid_t child = fork();
  if (child == 0) {
    const Cost cost = fn();
    const bool written = write(ends[1], &cost, sizeof cost) == sizeof cost;
    std::_Exit(written ? 0 : 3);
  }
  close(ends[1]);
  Cost cost;
  const bool got = child > 0 && read(ends[0], &cost, sizeof cost) == sizeof cost;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!got || status != 0) {
    std::fprintf(stderr, "a measuring child failed\n");
    std::exit(1);
  }
  return cost;
}

struct Series {
  const char* name;
  Scene (*make)(uint32_t n, uint32_t operations);
};

int Main(int argc, char** argv) {
  const uint64_t largest = TakeNumber(&argc, argv, "largest", 4096);
  const uint32_t operations = static_cast<uint32_t>(TakeNumber(&argc, argv, "operations", 2000));
  const uint64_t repetitions = TakeNumber(&argc, argv, "repetitions", 5);
  Report report(TakeFlag(&argc, argv, "jsonl", ""));
  RefuseOtherFlags(argc, argv);
  if (operations < 4 || operations > kMaxOps / 8) {
    std::fprintf(stderr, "--operations must be 4 to %zu\n", kMaxOps / 8);
    return 2;
  }

  const Cost usual = InChild(MeasureDefaultWorld);
  std::fprintf(stderr, "default world: peak %.1f MiB\n", usual.peak_mib);
  report.Add({"memory/default_world", "MiB", {usual.peak_mib}, ""});
  for (const Series& series : {Series{"processes", Processes}, Series{"mappings", Mappings}}) {
    std::fprintf(stderr, "%-10s %10s %10s %10s   ns an operation, and MiB of the pair\n",
                 series.name, "reference", "model", "pair");
    for (const uint32_t n : {1u, 2u, 4u, 8u, 16u, 64u, 256u, 1024u, 4096u}) {
      if (n > largest) break;
      const Scene scene = series.make(n, operations);
      std::fprintf(stderr, "%-10u", n);
      for (const char* specs : {"reference", "model", "reference,model"}) {
        std::vector<double> ns, mib;
        for (uint64_t i = 0; i < repetitions; ++i) {
          const Cost cost = InChild([&] { return MeasureScene(specs, scene); });
          ns.push_back(cost.ns_per_op);
          mib.push_back(cost.peak_mib);
        }
        std::fprintf(stderr, " %10.0f", Median(ns));
        const std::string name = absl::StrCat("scale/", series.name, "/", specs, "/");
        if (specs == std::string("reference,model")) {
          std::fprintf(stderr, " %8.1f\n", Median(mib));
          report.Add({absl::StrCat("memory/", series.name, "/", n), "MiB", mib, ""});
        }
        report.Add({absl::StrCat(name, n), "ns/operation", ns, absl::StrCat(name, 1)});
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace mmdiff

int main(int argc, char** argv) { return mmdiff::Main(argc, argv); }
