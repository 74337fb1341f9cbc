// Worlds as implementations demand them: which demands are met, and programs that are brought
// there.
#include "program/world_demands.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "program/carry.h"
#include "program/fixup.h"
#include "program/generate.h"
#include "program/text.h"

namespace mmdiff {
namespace {

Program Parsed(const std::string& text) {
  const absl::StatusOr<Program> program = ParseText(text);
  EXPECT_TRUE(program.ok()) << program.status() << "\n" << text;
  return program.ok() ? *program : Program();
}
std::string Carried(const std::string& text, const WorldDemands& demands) {
  const absl::StatusOr<Program> program = CarryToDemands(Parsed(text), demands);
  return program.ok() ? PrintText(*program) : std::string(program.status().message());
}

constexpr WorldDemands kGuest = {.table = 512, .batch = 31, .max_cpus = 2, .no_tlb = true};

Program In(const World& world) {
  Program program;
  program.world = world;
  return program;
}

TEST(WorldDemands, UnmetAreThoseThatTheWorldDoesNotMeet) {
  World world;
  EXPECT_TRUE(Meets(In(world), {}));
  EXPECT_EQ(Unmet(In(world), kGuest), (WorldDemands{.table = 512, .batch = 31, .no_tlb = true}));
  world.cpus = 4;
  world.table = 512;
  world.tlb = 0;
  EXPECT_EQ(Unmet(In(world), kGuest), (WorldDemands{.batch = 31, .max_cpus = 2}));
  world.cpus = 1;
  world.batch = 31;
  EXPECT_TRUE(Meets(In(world), kGuest)) << "fewer CPUs than the limit are fine";
  EXPECT_EQ(DemandsText({}), "");
  EXPECT_EQ(DemandsText(kGuest), "table=512 batch=31 cpus<=2 tlb=0");
}

TEST(WorldDemands, AllOfThemAreMadeTrue) {
  EXPECT_EQ(Carried("# mmdiff 1\nworld cpus=4 batch=15\nm0 = mm @cpu3\nmap m0 0x40 4 rw @cpu2\n"
                    "write m0 0x40 4 @cpu1\n",
                    kGuest),
            "# mmdiff 1\nworld table=512 batch=31 tlb=0\nm0 = mm @cpu1\nmap m0 0x400 4 rw\n"
            "write m0 0x400 4 @cpu1\n");
  EXPECT_EQ(Carried("# mmdiff 1\nworld cpus=1\nm0 = mm\n", kGuest),
            "# mmdiff 1\nworld table=512 cpus=1 batch=31 tlb=0\nm0 = mm\n");
}

TEST(WorldDemands, OtherTablesKeepExpectationsAllElseLosesThem) {
  const std::string text = "# mmdiff 1\nworld\nm0 = mm\nmap m0 0x40 4 rw # => ok\n#? m0 0x40 vma\n";
  EXPECT_EQ(Carried(text, {.table = 512}),
            "# mmdiff 1\nworld table=512\nm0 = mm\nmap m0 0x400 4 rw # => ok\n#? m0 0x400 vma\n");
  EXPECT_EQ(Carried(text, {.max_cpus = 2}), text);
  for (const WorldDemands& demands :
       {WorldDemands{.batch = 31}, WorldDemands{.max_cpus = 1}, WorldDemands{.no_tlb = true}}) {
    const absl::StatusOr<Program> program = CarryToDemands(Parsed(text), demands);
    ASSERT_TRUE(program.ok());
    EXPECT_TRUE(program->expectations.empty()) << DemandsText(demands);
  }
}

TEST(WorldDemands, ForcedOnesAlwaysComeTrue) {
  Program program = Parsed("# mmdiff 1\nworld\nm0 = mm\nmap m0 0x40 4 rw\n");
  ForceDemands({.table = 512}, kMaxOps, &program);
  EXPECT_EQ(PrintText(program), "# mmdiff 1\nworld table=512\nm0 = mm\nmap m0 0x400 4 rw\n");
  const Program carried = program;
  ForceDemands({.table = 512}, kMaxOps, &program);
  EXPECT_EQ(program, carried);
  ForceDemands({}, kMaxOps, &program);
  EXPECT_EQ(program, carried);
  program = Parsed("# mmdiff 1\nworld table=512\nm0 = mm\nmap m0 0x180 1 rw\n");
  ForceDemands({.table = 32}, kMaxOps, &program);
  EXPECT_EQ(program.world.table, 32u);
  EXPECT_TRUE(Validate(program).ok());
  for (uint64_t seed = 0; seed < 200; ++seed) {
    GenerateOptions options;
    options.world.cpus = 1 + seed % 8;
    program = Generate(seed, options);
    ForceDemands(kGuest, kMaxOps, &program);
    EXPECT_TRUE(Meets(program, kGuest));
    EXPECT_TRUE(Validate(program).ok()) << Validate(program);
  }
}

}  // namespace
}  // namespace mmdiff
