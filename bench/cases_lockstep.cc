#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "bench/cases.h"
#include "bench/programs.h"
#include "harness/implementation.h"
#include "harness/lockstep.h"
#include "harness/op_handler.h"
#include "harness/registry.h"
#include "state/compare.h"

namespace mmdiff {
namespace {

constexpr char kBase[] = "lockstep/generated";
constexpr size_t kPrograms = 500;  // more than the caches of the implementations would remember
constexpr size_t kOps = 32;

using Programs = std::shared_ptr<const std::vector<Program>>;

[[noreturn]] void Die(const std::string& message) {
  std::fprintf(stderr, "the figures would mean nothing: %s\n", message.c_str());
  std::exit(1);
}

// Runs all programs in lockstep; the operations that ran.
BenchCase LockstepCase(std::string name, std::string ratio_to, const std::string& specs,
                       const RunOptions& options, const Programs& programs) {
  std::shared_ptr<Lockstep> lockstep = NewLockstep(specs);
  auto result = std::make_shared<RunResult>();
  return {std::move(name), "operations/s", std::move(ratio_to), [=] {
            uint64_t ops = 0;
            for (const Program& program : *programs) {
              if (lockstep->Run(program, options, result.get()) != RunOutcome::ok) {
                Die(result->message);
              }
              ops += result->ops_run;
            }
            return ops;
          }};
}

std::unique_ptr<Implementation> Make(const std::string& spec) {
  auto made = MakeImplementation(spec);
  if (!made.ok()) Die(std::string(made.status().message()));
  return *std::move(made);
}

constexpr ArgKind kResultKind[kOpcodes] = {
#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(name, result, weight, args, doc) ArgKind::k##result,
#include "program/ops.def"
};

// One side driven by hand: operations, and digests if asked for, but no comparison.
struct Alone {
  std::unique_ptr<Implementation> implementation;
  ChoiceLog log;
  bool digests = true;
  uint64_t seen = 0;  // what was answered, so that nothing is optimised away

  uint64_t Run(const Program& program) {
    uint32_t next[kArgKinds + 1] = {};
    implementation->Reset(program.world);
    OpContext ctx;
    for (const Op& op : program.ops) {
      ctx.result_handle = next[static_cast<size_t>(kResultKind[static_cast<size_t>(op.code)])]++;
      ctx.cpu = op.cpu;
      ctx.thread = op.thread;
      ctx.choices = &log;
      log.BeginOp();
      seen += implementation->Dispatch(op, ctx).value;
      if (digests) seen += implementation->digest();
      ++ctx.op_index;
    }
    return program.ops.size();
  }
};

BenchCase AloneCase(std::string name, const std::string& spec, bool digests,
                    const Programs& programs) {
  auto alone = std::make_shared<Alone>();
  alone->implementation = Make(spec);
  alone->digests = digests;
  return {std::move(name), "operations/s", kBase, [=] {
            uint64_t ops = 0;
            for (const Program& program : *programs) ops += alone->Run(program);
            return ops;
          }};
}

// What lockstep replaces: both sides run without a word, snapshots are compared when all is over.
struct EndOnly {
  std::unique_ptr<Implementation> leader = Make("model"), reference = Make("reference");
  ChoiceLog log;
  State a, b;
  CompareResult compare;

  void Run(const Program& program) {
    uint32_t next[kArgKinds + 1] = {};
    leader->Reset(program.world);
    reference->Reset(program.world);
    OpContext ctx;
    for (const Op& op : program.ops) {
      ctx.result_handle = next[static_cast<size_t>(kResultKind[static_cast<size_t>(op.code)])]++;
      ctx.cpu = op.cpu;
      ctx.choices = &log;
      log.BeginOp();
      leader->Dispatch(op, ctx);
      log.BeginFollowing();
      reference->Dispatch(op, ctx);
      ++ctx.op_index;
    }
    leader->Snapshot(&a);
    reference->Snapshot(&b);
    Canonicalize(&a);
    Canonicalize(&b);
    if (!Compare(b, a, &compare)) Die("the end states differ");
  }
};

BenchCase EndOnlyCase(const Programs& programs) {
  auto end_only = std::make_shared<EndOnly>();
  return {"baseline/compared_at_the_end", "operations/s", kBase, [=] {
            uint64_t ops = 0;
            for (const Program& program : *programs) {
              end_only->Run(program);
              ops += program.ops.size();
            }
            return ops;
          }};
}

}  // namespace

std::vector<BenchCase> LockstepCases(std::vector<Program> stored) {
  const auto share = [](std::vector<Program> programs) {
    return std::make_shared<const std::vector<Program>>(std::move(programs));
  };
  const Programs generated = share(GeneratedPrograms(kPrograms, kOps));
  const Programs longer = share(GeneratedPrograms(kPrograms / 8, 8 * kOps));
  const Programs corpus = share(std::move(stored));

  const std::string pair(kDefaultImplementations);
  const std::string plain = "reference," + PlainModelSpec();
  RunOptions digests;  // after each operation digests and results, and nothing else
  digests.full_every = digests.full_at_end_every = 0;
  RunOptions every = RunOptions::Thorough();
  RunOptions snapshots = every;
  snapshots.check_invariants = false;

  std::vector<BenchCase> cases;
  cases.push_back(LockstepCase(kBase, "", pair, {}, generated));
  cases.push_back(LockstepCase("lockstep/256_operations", kBase, pair, {}, longer));
  if (!corpus->empty()) cases.push_back(LockstepCase("lockstep/corpora", kBase, pair, {}, corpus));
  cases.push_back(LockstepCase("lockstep/no_samples", kBase, pair, digests, generated));
  cases.push_back(AloneCase("alone/reference", "reference", true, generated));
  cases.push_back(AloneCase("alone/model", "model", true, generated));
  cases.push_back(AloneCase("alone/reference_without_digest", "reference", false, generated));
  cases.push_back(AloneCase("alone/model_without_digest", "model", false, generated));
  cases.push_back(LockstepCase("baseline/all_switches_off", kBase, plain, {}, generated));
  cases.push_back(
      LockstepCase("baseline/snapshots_every_operation", kBase, pair, snapshots, generated));
  cases.push_back(LockstepCase("baseline/snapshots_and_invariants_every_operation", kBase, pair,
                               every, generated));
  cases.push_back(EndOnlyCase(generated));
  return cases;
}

}  // namespace mmdiff
