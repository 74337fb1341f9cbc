#include "targets/threaded/threaded_run.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "program/generate.h"
#include "program/text.h"
#include "targets/threaded/stress.h"

namespace mmdiff {
namespace {

Program Parse(const std::string& text) {
  absl::StatusOr<Program> program = ParseText(text);
  EXPECT_TRUE(program.ok()) << program.status();
  return *program;
}

TEST(Combine, GivesEachProgramHandlesOfItsOwn) {
  const Program one =
      Parse("# mmdiff 1\nworld\nm0 = mm\nmap m0 0x0 4 rw\nm1 = fork m0\nwrite m1 0x0 1\n");
  const Program all = Combine({one, one});
  ASSERT_EQ(all.ops.size(), 8u);
  // m0 of both come first, then both maps, then the forks.
  EXPECT_EQ(all.ops[2].arg[0], 0u);
  EXPECT_EQ(all.ops[3].arg[0], 1u);
  EXPECT_EQ(all.ops[5].arg[0], 1u);
  EXPECT_EQ(all.ops[6].arg[0], 2u);
  EXPECT_EQ(all.ops[7].arg[0], 3u);
  for (size_t i = 0; i < all.ops.size(); ++i) EXPECT_EQ(all.ops[i].thread, i % 2);
}

TEST(ThreadedMachine, RunsEveryOperationOnce) {
  std::string error;
  const auto machine = ThreadedMachine::Make("", 3, &error);
  ASSERT_NE(machine, nullptr) << error;
  GenerateOptions options;
  options.ops = 300;
  options.threads = 3;
  const ThreadedResult result = machine->Run(Generate(7, options));
  EXPECT_EQ(result.operations, 300u);
  EXPECT_GT(result.effective, 30u);
  EXPECT_EQ(result.broken, "");
}

TEST(ThreadedMachine, RefusesWhatItCannotDo) {
  std::string error;
  EXPECT_EQ(ThreadedMachine::Make("", 0, &error), nullptr);
  EXPECT_NE(error, "");
  EXPECT_EQ(ThreadedMachine::Make("-no_such_switch", 2, &error), nullptr);
  EXPECT_NE(error.find("no_such_switch"), std::string::npos);
}

ThreadedResult Interleaved(const Program& program, uint64_t seed) {
  std::string error;
  const auto machine = ThreadedMachine::Make("", 3, &error);
  Interleaver interleaver(seed, 3);
  ThreadedResult result = machine->Run(program, &interleaver);
  EXPECT_GT(interleaver.points(), 100u);
  EXPECT_GT(interleaver.switches(), 20u);
  return result;
}

TEST(Interleaver, SameSeedSameInterleaving) {
  GenerateOptions options;
  options.ops = 200;
  options.threads = 3;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Program program = Generate(seed, options);
    const ThreadedResult first = Interleaved(program, seed);
    EXPECT_EQ(first.broken, "");
    EXPECT_EQ(first.trace, Interleaved(program, seed).trace) << seed;
  }
}

TEST(Interleaver, OtherSeedsGiveOtherInterleavings) {
  GenerateOptions options;
  options.ops = 200;
  options.threads = 3;
  const Program program = Generate(3, options);
  std::set<uint64_t> traces;
  for (uint64_t seed = 1; seed <= 5; ++seed) traces.insert(Interleaved(program, seed).trace);
  EXPECT_EQ(traces.size(), 5u);
}

TEST(Stress, ReachesEveryOperationAndBreaksNothing) {
  StressOptions options;
  options.programs = 300;
  options.seconds = 0;
  StressTotals totals;
  std::string error;
  ASSERT_TRUE(RunStress(
      options, [](uint64_t) {}, [](const StressTotals&) {}, &totals, &error))
      << error;
  EXPECT_EQ(totals.broken, "") << "seed " << totals.broken_seed;
  EXPECT_GT(totals.effective * 4, totals.operations);
  for (size_t i = 0; i < kOpcodes; ++i) EXPECT_GT(totals.done[i], 0u) << AllOps()[i].name;
}

}  // namespace
}  // namespace mmdiff
