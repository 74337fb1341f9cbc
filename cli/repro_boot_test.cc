// repro --in: boots the default image, if it has been fetched.
#include <cstdlib>
#include <string>

#include "cli/shell_for_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/registry.h"
#include "harness/repro_check.h"
#include "kernel/guest/first_program.h"
#include "kernel/guest/guest.h"
#include "program/text.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;

// Forks, copies, forgets and locks: data that must come back, zeroes that must, and an error.
const char kProgram[] =
    "# mmdiff 1\nworld table=512 batch=31 tlb=0 memlock=4\nm0 = mm\nmap m0 0x40 8 rw anon\n"
    "write m0 0x40 8\nm1 = fork m0\nwrite m1 0x41 2\nread m0 0x40 8\nread m1 0x40 8\n"
    "dontneed m0 0x40 2\nread m0 0x40 4\nlock m0 0x40 8\nread m0 0x80 1\n";

class ReproBoot : public ShellTest {
 protected:
  void SetUp() override {
    setenv("MMDIFF_ROOT", MMDIFF_SOURCE_DIR, 1);
    if (const auto guest = FindGuest(""); !guest.ok()) GTEST_SKIP() << guest.status().message();
    ShellTest::SetUp();
    Write("p.mmdiff", kProgram);
  }
};

TEST_F(ReproBoot, TheProgramInCAnswersAsTheReference) {
  const ShellResult ran = Mmdiff("repro --impl reference --form c --in guest p.mmdiff --json");
  ASSERT_EQ(ran.exit, 0) << ran.out << ran.err;
  const auto json = Json(ran);
  EXPECT_EQ(json["ended"], "exit code 0");
  EXPECT_EQ(json["compared"], 11);
  EXPECT_EQ(json["missing"], 0);
  EXPECT_TRUE(json["differences"].empty());
  EXPECT_THAT(json["output"].get<std::string>(), HasSubstr("Cannot allocate memory"));
  EXPECT_THAT(json["output"].get<std::string>(), HasSubstr("Bad address"));
}

// A kernel that forgot a write, as far as the program can tell: it makes another one.
TEST_F(ReproBoot, OtherDataIsADifference) {
  ASSERT_EQ(Mmdiff("repro --impl reference --form c --output p.c p.mmdiff").exit, 0);
  ASSERT_EQ(
      Shell("sed -i 's/{4, OP_write, 0, 0, {1, 65, 2,/{4, OP_write, 0, 0, {1, 65, 1,/' p.c && "
            "grep -q '1, 65, 1,' p.c")
          .exit,
      0);
  auto end =
      RunFirstProgram(*FindGuest(""), {.source = Read("p.c"), .orders = 0, .scratch = Path("")});
  ASSERT_TRUE(end.ok()) << end.status();
  ASSERT_TRUE(end->ended) << end->how << end->console;
  const Program program = ParseText(kProgram).value();
  auto contestants = MakeAll("reference");
  Lockstep lockstep(*std::move(contestants));
  AnswerRecorder recorder;
  RunOptions run;
  run.observer = &recorder;
  RunResult result;
  ASSERT_EQ(lockstep.Run(program, run, &result), RunOutcome::ok) << result.message;
  const ReproComparison c = CompareRepro(program, recorder.answers(), end->output);
  ASSERT_EQ(c.differences.size(), 2u) << end->output;
  EXPECT_EQ(c.differences[0].op_index, 4u);
  EXPECT_EQ(c.differences[0].printed, "ok 1");
  EXPECT_EQ(c.differences[1].op_index, 6u);
  EXPECT_THAT(c.differences[1].printed, HasSubstr("ok 8 data="));
}

TEST_F(ReproBoot, WrongWordsAreRefused) {
  EXPECT_THAT(Mmdiff("repro --impl reference --in guest p.mmdiff").err, HasSubstr("--form c"));
  EXPECT_THAT(Mmdiff("repro --impl reference --form c --in linux p.mmdiff").err,
              HasSubstr("is no guest"));
}

}  // namespace
}  // namespace mmdiff
