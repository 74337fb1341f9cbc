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
  const absl::StatusOr<size_t> none = CarryPrograms({}, &programs);
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(*none, 0u);
  const absl::StatusOr<size_t> carried = CarryPrograms({512, "kernel"}, &programs);
  ASSERT_TRUE(carried.ok()) << carried.status().ToString();
  EXPECT_EQ(*carried, 1u);
  EXPECT_EQ(PrintText(programs[0].program), large);
  EXPECT_EQ(PrintText(programs[1].program), large);
}

TEST(CarriedPrograms, OneThatCannotBeIsNamed) {
  std::vector<NamedProgram> programs = {
      Named("wide.mmdiff", "# mmdiff 1\nworld table=512\nm0 = mm\nread m0 0x180 1\n")};
  EXPECT_THAT(CarryPrograms({32, "small"}, &programs).status().message(),
              HasSubstr("wide.mmdiff cannot be carried over to the page tables of small: the pages "
                        "from 0x180 to 0x180"));
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
