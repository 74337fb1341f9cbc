// Progress lines: numbers for people, and one form for terminals and another for logs.
#include "cli/progress.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mmdiff {
namespace {

TEST(Progress, ShortNumbers) {
  EXPECT_EQ(ShortNumber(0), "0");
  EXPECT_EQ(ShortNumber(950), "950");
  EXPECT_EQ(ShortNumber(999.6), "1.00k");
  EXPECT_EQ(ShortNumber(12345), "12.3k");
  EXPECT_EQ(ShortNumber(123456), "123k");
  EXPECT_EQ(ShortNumber(4.2e6), "4.20M");
  EXPECT_EQ(ShortNumber(7e13), "70.0T");
}

TEST(Progress, ShortTimes) {
  EXPECT_EQ(ShortTime(0), "0:00");
  EXPECT_EQ(ShortTime(-3), "0:00");
  EXPECT_EQ(ShortTime(59.2), "1:00");
  EXPECT_EQ(ShortTime(75), "1:15");
  EXPECT_EQ(ShortTime(3725), "1:02:05");
}

CampaignNumbers Numbers(double seconds) {
  CampaignNumbers n;
  n.programs = static_cast<uint64_t>(1000 * seconds);
  n.operations = static_cast<uint64_t>(32000 * seconds);
  n.effective = n.operations / 2;
  n.coverage = 777;
  n.corpus = 55;
  n.findings = 1;
  n.seconds = seconds;
  n.seconds_left = 60 - seconds;
  return n;
}

TEST(Progress, LineHoldsEverything) {
  EXPECT_EQ(
      ProgressLine(Numbers(10), 1000, 32000),
      "1.00k programs/s  32.0k ops/s  50% effective  cov 777  corpus 55  findings 1  0:50 left");
}

TEST(Progress, RatesOfNothingAreZero) {
  const CampaignNumbers none;
  EXPECT_EQ(none.programs_per_s(), 0);
  EXPECT_EQ(none.operations_per_s(), 0);
  EXPECT_EQ(none.effective_share(), 0);
}

std::string PrintedTo(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c = 0; (c = std::fgetc(file)) != EOF;) text += static_cast<char>(c);
  return text;
}

TEST(Progress, LogsGetPlainLinesEveryTenSeconds) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  ProgressPrinter printer(file);
  for (double t = 0.5; t <= 25; t += 0.5) printer.Update(Numbers(t));
  printer.Say("finding: x");
  printer.Finish();
  const std::string text = PrintedTo(file);
  std::fclose(file);
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("\r")));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("\033")));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << text;
  EXPECT_THAT(text, testing::StartsWith("    10s  1.00k programs/s"));
}

TEST(Progress, TerminalsGetOneLineInPlace) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0) GTEST_SKIP() << "no pseudo-terminals here";
  ASSERT_EQ(grantpt(master), 0);
  ASSERT_EQ(unlockpt(master), 0);
  std::FILE* terminal = std::fopen(ptsname(master), "r+");
  ASSERT_NE(terminal, nullptr);
  ProgressPrinter printer(terminal);
  printer.Update(Numbers(1));
  printer.Update(Numbers(1.2));  // too soon
  printer.Update(Numbers(2));
  printer.Say("finding: x");
  printer.Finish();
  std::fflush(terminal);
  char buffer[4096];
  const ssize_t n = read(master, buffer, sizeof(buffer));
  ASSERT_GT(n, 0);
  const std::string text(buffer, static_cast<size_t>(n));
  std::fclose(terminal);
  close(master);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 4)
      << text;  // two lines, one erased, one newline
  EXPECT_THAT(text, testing::HasSubstr("\r\033[Kfinding: x"));
}

TEST(Progress, NoFileNoOutput) {
  ProgressPrinter printer(nullptr);
  printer.Update(Numbers(100));
  printer.Say("x");
  printer.Finish();
}

}  // namespace
}  // namespace mmdiff
