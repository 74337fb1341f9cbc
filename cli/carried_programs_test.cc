// Programs read for implementations: as they are, or in the geometry that is demanded.
#include "cli/carried_programs.h"

#include <string>
#include <vector>

#include "cli/shell_for_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "program/text.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;

NamedProgram Named(const std::string& name, const std::string& text) {
  absl::StatusOr<Program> program = ParseText(text);
  EXPECT_TRUE(program.ok()) << program.status().ToString();
  return {name, program.ok() ? *program : Program()};
}

TEST(CarriedPrograms, OnlyWhatHasOtherTablesIsCarriedOver) {
  const std::string large = "# mmdiff 1\nworld table=512\nm0 = mm\nmap m0 0x3fe 4 rw\n";
  std::vector<NamedProgram> programs = {
      Named("a", "# mmdiff 1\nworld\nm0 = mm\nmap m0 0x3e 4 rw\n"), Named("b", large)};
  const absl::StatusOr<Carried> none = CarryPrograms({}, &programs);
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->programs, 0u);
  EXPECT_EQ(CarriedText(*none, {}, 2), "");
  const Demands demands = {.world = {.table = 512}, .who = "kernel"};
  const absl::StatusOr<Carried> carried = CarryPrograms(demands, &programs);
  ASSERT_TRUE(carried.ok()) << carried.status().ToString();
  EXPECT_EQ(carried->programs, 1u);
  EXPECT_EQ(CarriedText(*carried, demands, 2),
            "mmdiff: 1 of 2 programs carried over to table=512 for kernel\n");
  EXPECT_EQ(PrintText(programs[0].program), large);
  EXPECT_EQ(PrintText(programs[1].program), large);
}

TEST(CarriedPrograms, OneThatCannotBeIsNamed) {
  std::vector<NamedProgram> programs = {
      Named("wide.mmdiff", "# mmdiff 1\nworld table=512\nm0 = mm\nread m0 0x180 1\n")};
  EXPECT_THAT(CarryPrograms({.world = {.table = 32}, .who = "small"}, &programs).status().message(),
              HasSubstr("wide.mmdiff cannot be carried over to the page tables of small: the pages "
                        "from 0x180 to 0x180"));
}

TEST(CarriedPrograms, WhatIsSaidIsWhatWasChanged) {
  const Demands demands = {.world = {.table = 512, .batch = 31, .max_cpus = 2, .no_tlb = true},
                           .who = "guest"};
  std::vector<NamedProgram> programs = {
      Named("a", "# mmdiff 1\nworld table=512 cpus=4 batch=31\nm0 = mm @cpu3\n#? m0 !none\n"),
      Named("b", "# mmdiff 1\nworld table=512 batch=31 tlb=0\nm0 = mm\n"),
      Named("c", "# mmdiff 1\nworld table=512 cpus=1 batch=31\nm0 = mm\n")};
  const absl::StatusOr<Carried> carried = CarryPrograms(demands, &programs);
  ASSERT_TRUE(carried.ok()) << carried.status().ToString();
  EXPECT_EQ(PrintText(programs[0].program),
            "# mmdiff 1\nworld table=512 batch=31 tlb=0\nm0 = mm @cpu1\n");
  EXPECT_EQ(PrintText(programs[2].program),
            "# mmdiff 1\nworld table=512 cpus=1 batch=31 tlb=0\nm0 = mm\n");
  EXPECT_EQ(CarriedText(*carried, demands, 3),
            "mmdiff: 2 of 3 programs carried over to cpus<=2 tlb=0 for guest; 1 of them without "
            "their expectations, which are of their own world\n");
}

TEST(CarriedPrograms, WhatSomebodyLacksIsLeftOut) {
  const Demands demands = {
      .world = {},
      .who = "",
      .lacks = SetOf({Opcode::migrate_begin, Opcode::zap_begin, Opcode::split}),
      .lacking = "guest"};
  std::vector<NamedProgram> programs = {
      Named("a", "# mmdiff 1\nworld\nm0 = mm\nmap m0 0x0 4 rw\n"),
      Named("b", "# mmdiff 1\nworld\nm0 = mm\nz0 = zap_begin m0 0x0 4\nzap_finish z0\n"),
      Named(
          "c",
          "# mmdiff 1\nworld\nm0 = mm\nmap m0 0x0 4 rw # => ok\ng0 = migrate_begin m0 0x0 node=1\n"
          "read m0 0x0 1\nmigrate_end g0 # => EBADF\n")};
  const absl::StatusOr<Carried> carried = CarryPrograms(demands, &programs);
  ASSERT_TRUE(carried.ok()) << carried.status().ToString();
  EXPECT_EQ(CarriedText(*carried, demands, 3),
            "mmdiff: 4 operations of 2 programs left out: guest has no counterpart for "
            "migrate_begin, zap_begin; 1 programs have nothing left\n");
  ASSERT_EQ(programs.size(), 2u);
  EXPECT_EQ(programs[1].name, "c");
  EXPECT_EQ(PrintText(programs[1].program),
            "# mmdiff 1\nworld\nm0 = mm\nmap m0 0x0 4 rw # => ok\nread m0 0x0 1\n");
}

class CarriedProgramFiles : public ShellTest {};

TEST_F(CarriedProgramFiles, ImplementationsThatDemandNothingGetThemAsTheyAre) {
  Write("a.mmdiff", kGoodProgram);
  const std::string path = Shell("printf %s \"$PWD\"").out + "/a.mmdiff";
  const absl::StatusOr<NamedProgram> named = ReadProgramFor("reference,model", path);
  ASSERT_TRUE(named.ok()) << named.status().ToString();
  EXPECT_EQ(PrintText(named->program), kGoodProgram);
  EXPECT_THAT(ReadProgramFor("nobody", path).status().message(), HasSubstr("--impl: "));
}

}  // namespace
}  // namespace mmdiff
