// Child programs: output, ends, failures to start, and that none is left behind.
#include "cli/child_program.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"

namespace mmdiff {
namespace {

TEST(ChildProgram, GivesLinesAndStatus) {
  const auto run =
      ChildProgram::Run({{"sh", "-c", "echo one >&2; printf two >&2; exit 5"}, {}, false});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->output, "one\ntwo\n");
  EXPECT_EQ(WEXITSTATUS(run->wait_status), 5);
}

TEST(ChildProgram, StandardOutputOnlyIfAsked) {
  const ChildSpec quiet = {{"sh", "-c", "echo out"}, {}, false};
  const ChildSpec joined = {{"sh", "-c", "echo out"}, {}, true};
  EXPECT_EQ(ChildProgram::Run(quiet)->output, "");
  EXPECT_EQ(ChildProgram::Run(joined)->output, "out\n");
}

TEST(ChildProgram, EnvironmentIsSetOnTop) {
  setenv("MMDIFF_TEST_A", "old", 1);
  setenv("MMDIFF_TEST_B", "kept", 1);
  const auto run = ChildProgram::Run(
      {{"sh", "-c", "echo $MMDIFF_TEST_A $MMDIFF_TEST_B"}, {{"MMDIFF_TEST_A", "new"}}, true});
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->output, "new kept\n");
}

TEST(ChildProgram, WhatCannotStartIsAnError) {
  const auto run = ChildProgram::Run({{"/no/such/program"}, {}, false});
  EXPECT_FALSE(run.ok());
  EXPECT_NE(std::string(run.status().message()).find("/no/such/program"), std::string::npos);
}

TEST(ChildProgram, SignalsAreSeen) {
  auto child = ChildProgram::Start({{"sleep", "60"}, {}, false});
  ASSERT_TRUE(child.ok());
  EXPECT_FALSE(child->Poll().has_value());
  child->Signal(SIGKILL);
  std::optional<int> status;
  for (int i = 0; i < 2000 && !status; ++i) {
    usleep(1000);
    status = child->Poll();
  }
  ASSERT_TRUE(status.has_value());
  EXPECT_TRUE(WIFSIGNALED(*status));
  EXPECT_EQ(WTERMSIG(*status), SIGKILL);
}

TEST(ChildProgram, DestructionEndsTheChild) {
  pid_t pid = 0;
  {
    auto child = ChildProgram::Start({{"sleep", "60"}, {}, false});
    ASSERT_TRUE(child.ok());
    pid = child->pid();
    EXPECT_EQ(kill(pid, 0), 0);
  }
  EXPECT_NE(kill(pid, 0), 0);
}

TEST(ChildProgram, LongOutputKeepsItsTail) {
  auto child = ChildProgram::Start(
      {{"sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i+1)); done"},
       {},
       false});
  ASSERT_TRUE(child.ok());
  size_t lines = 0;
  while (child->fd() >= 0) {
    pollfd p = {child->fd(), POLLIN, 0};
    poll(&p, 1, 1000);
    lines += child->ReadLines().size();
  }
  EXPECT_EQ(lines, 20000u);
  EXPECT_LE(child->tail().size(), 256u << 10);
  EXPECT_EQ(child->tail().substr(child->tail().size() - 11), "line 19999\n");
}

}  // namespace
}  // namespace mmdiff
