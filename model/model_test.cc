#include "model/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/choice.h"
#include "model/test_machine.h"
#include "program/generate.h"
#include "state/digest.h"

namespace mmdiff::model {
namespace {

// Runs a program; after each operation the digest must fit the snapshot and no invariant be broken.
Digest RunChecked(Implementation& impl, const Program& program) {
  auto log = std::make_unique<ChoiceLog>();
  State state;
  uint32_t next[kArgKinds + 1] = {};
  impl.Reset(program.world);
  Digest digest = 0;
  for (uint32_t i = 0; i < program.ops.size(); ++i) {
    const Op& op = program.ops[i];
    log->BeginOp();
    OpContext ctx{.op_index = i,
                  .result_handle = next[static_cast<size_t>(DescOf(op.code).result)]++,
                  .cpu = op.cpu,
                  .thread = op.thread,
                  .choices = log.get()};
    impl.Dispatch(op, ctx);
    digest = impl.digest();
    impl.Snapshot(&state);
    EXPECT_EQ(digest, DigestOf(state)) << "operation " << i;
    const std::string broken = impl.CheckInvariants();
    EXPECT_EQ(broken, "") << "operation " << i;
    if (testing::Test::HasFailure()) break;
  }
  return digest;
}

TEST(Model, DigestAndInvariantsHoldInRandomProgramsOfManyWorlds) {
  std::string error;
  const auto impl = MakeModel("", &error);
  World small;
  small.table = 16;
  small.batch = 1;
  small.gather = 1;
  small.swap = 8;
  small.maps = 5;
  World large;
  large.table = 512;
  large.tables = 2;
  large.cpus = 4;
  large.orders = 1u << 0 | 1u << 3 | 1u << 9;
  for (const World& world : {World{}, small, large}) {
    GenerateOptions options;
    options.world = world;
    for (uint64_t seed = 1; seed <= 60 && !HasFailure(); ++seed)
      RunChecked(*impl, Generate(seed, options));
  }
}

TEST(Model, ResetLeavesNoTraceOfWhatRanBefore) {
  std::string error;
  const auto used = MakeModel("", &error);
  GenerateOptions options;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    const auto fresh = MakeModel("", &error);
    const Program program = Generate(seed, options);
    EXPECT_EQ(RunChecked(*used, program), RunChecked(*fresh, program)) << "seed " << seed;
  }
}

TEST(Model, EverySwitchTurnsOffAndKeepsItsStateSound) {
  std::string error;
  const auto all = MakeModel("", &error);
  for (const SwitchInfo& info : all->info().switches) {
    const auto impl = MakeModel("-" + info.name, &error);
    ASSERT_NE(impl, nullptr) << error;
    EXPECT_THAT(impl->info().name, testing::HasSubstr(info.name));
    for (const SwitchInfo& other : impl->info().switches)
      EXPECT_EQ(other.on, other.name != info.name);
    GenerateOptions options;
    for (uint64_t seed = 1; seed <= 15 && !HasFailure(); ++seed)
      RunChecked(*impl, Generate(seed, options));
  }
}

TEST(Model, UnknownSwitchIsRefusedWithTheKnownOnes) {
  std::string error;
  EXPECT_EQ(MakeModel("-batch_unmap,-no_such_switch", &error), nullptr);
  EXPECT_THAT(error, testing::HasSubstr("-no_such_switch"));
  EXPECT_THAT(error, testing::HasSubstr("batch_unmap"));
  EXPECT_EQ(MakeModel("batch_unmap", &error), nullptr) << "a sign is needed";
}

TEST(Model, ManyProcessesAndVmas) {
  World world;
  world.mms = 4096;
  world.maps = 4096;
  world.tables = 256;
  TestMachine m(world);
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 4).value, 4u);
  auto log = std::make_unique<ChoiceLog>();
  for (uint32_t i = 1; i < 4096; ++i) {
    OpContext ctx{.op_index = i, .result_handle = i, .choices = log.get()};
    ASSERT_EQ(m.impl().fork(args::fork{0}, ctx).err, 0) << i;
  }
  OpContext ctx{.result_handle = 4096, .choices = log.get()};
  EXPECT_EQ(m.impl().fork(args::fork{0}, ctx).err, kEAGAIN);
  EXPECT_EQ(m.Write(4095, 0x40, 1).value, 1u);
  EXPECT_EQ(m.folio_at(0, 0x41).mapcount, 16u * 4096 - 1);
}

}  // namespace
}  // namespace mmdiff::model
