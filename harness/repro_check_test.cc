#include "harness/repro_check.h"

#include <cerrno>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "program/text.h"

namespace mmdiff {
namespace {

Program Parse(const std::string& text) {
  auto program = ParseText(text, {.file_name = "", .snippet = true});
  EXPECT_TRUE(program.ok()) << program.status();
  return program.ok() ? *std::move(program) : Program{};
}

const char kProgram[] =
    "m0 = mm\nmap m0 0x0 4 rw\nwrite m0 0x0 4\ndrain\nread m0 0x0 4\n"
    "lock m0 0x0 4\n";

std::vector<OpResult> Answers() {
  return {{}, {.value = 4}, {.value = 4}, {}, {.value = 4, .data = 0xabc}, {.err = ENOMEM}};
}

std::string Printed(const std::string& data, const std::string& lock) {
  return "0 m0 = mm\n  => ok\n1 map m0 0x0 4 rw\n  => ok\n2 write m0 0x0 4\n  => ok 4\n"
         "  m0 0x0-0x3 present exclusive\n4 read m0 0x0 4\n  => ok 4 data=" +
         data + "\n  m0 0x0-0x3 present exclusive\n5 lock m0 0x0 4\n" + lock;
}

TEST(ReproCheck, AnswersThatAreExpectedAgree) {
  const ReproComparison c = CompareRepro(
      Parse(kProgram), Answers(), Printed("0000000000000abc", "  => Cannot allocate memory\n"));
  EXPECT_EQ(c.compared, 5u);
  EXPECT_EQ(c.left_out, 1u);
  EXPECT_EQ(c.missing, 0u);
  EXPECT_TRUE(c.differences.empty());
}

TEST(ReproCheck, SeesOtherDataAndOtherErrors) {
  const ReproComparison c =
      CompareRepro(Parse(kProgram), Answers(), Printed("0000000000000abd", "  => ok\n"));
  ASSERT_EQ(c.differences.size(), 2u);
  EXPECT_EQ(c.differences[0].op_index, 4u);
  EXPECT_EQ(c.differences[0].expected, "ok 4 data=0000000000000abc");
  EXPECT_EQ(c.differences[0].printed, "ok 4 data=0000000000000abd");
  EXPECT_EQ(c.differences[1].op_index, 5u);
  EXPECT_EQ(c.differences[1].expected, "Cannot allocate memory");
}

// One that died or was cut off has no answer, which is no difference.
TEST(ReproCheck, CountsWhatIsMissing) {
  const ReproComparison c =
      CompareRepro(Parse(kProgram), Answers(), Printed("0000000000000abc", ""));
  EXPECT_EQ(c.compared, 4u);
  EXPECT_EQ(c.missing, 1u);
  EXPECT_TRUE(c.differences.empty());
}

// What was not run has no answer to be compared with.
TEST(ReproCheck, EndsWhereTheRunEnded) {
  std::vector<OpResult> answers = Answers();
  answers.resize(3);
  const ReproComparison c =
      CompareRepro(Parse(kProgram), answers, Printed("0000000000000abd", "  => ok\n"));
  EXPECT_EQ(c.compared, 3u);
  EXPECT_TRUE(c.differences.empty());
}

}  // namespace
}  // namespace mmdiff
