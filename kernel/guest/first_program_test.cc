#include "kernel/guest/first_program.h"

#include "gtest/gtest.h"

namespace mmdiff {
namespace {

TEST(FirstProgram, ConsolesAreTakenApart) {
  FirstProgramEnd end = ReadFirstProgramConsole(
      "kernel says\nmmdiff: the program begins\none\ntwo\n\n"
      "mmdiff: the program ended with exit code 0\nreboot: Power down\n");
  EXPECT_EQ(end.output, "one\ntwo\n");
  EXPECT_EQ(end.how, "exit code 0");
  EXPECT_TRUE(end.ended);
  EXPECT_EQ(end.console, "kernel says\nreboot: Power down\n");
  end = ReadFirstProgramConsole(
      "mmdiff: the program begins\n\nmmdiff: the program ended with signal 11");
  EXPECT_EQ(end.how, "signal 11");
  EXPECT_FALSE(end.ended);
  // Cut off in the program, and before it.
  end = ReadFirstProgramConsole("x\nmmdiff: the program begins\none\nOops\n");
  EXPECT_EQ(end.output, "one\nOops\n");
  EXPECT_EQ(end.how, "");
  end = ReadFirstProgramConsole("Oops\n");
  EXPECT_EQ(end.output, "");
  EXPECT_EQ(end.console, "Oops\n");
}

}  // namespace
}  // namespace mmdiff
