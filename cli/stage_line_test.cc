// The line that says what long work is doing, in a log.
#include "cli/stage_line.h"

#include <cstdio>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mmdiff {
namespace {

std::string Text(std::FILE* file) {
  std::string text(4096, '\0');
  std::rewind(file);
  text.resize(std::fread(text.data(), 1, text.size(), file));
  return text;
}

TEST(StageLine, ALogGetsALineForEachStage) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  {
    StageLine line(file);
    EXPECT_GE(line.seconds(), 0);
    line.Update("configuring", "");
    line.Update("compiling", "1 file");
    line.Update("compiling", "2 files");
    line.Say("by the way");
    line.Update("linking", "");
  }
  // No escape sequences; what changes within a stage only every ten seconds.
  EXPECT_THAT(Text(file), testing::MatchesRegex("mmdiff: configuring(, 0:[0-9]+)?\n"
                                                "mmdiff: compiling: 1 file(, 0:[0-9]+)?\n"
                                                "by the way\n"
                                                "mmdiff: linking(, 0:[0-9]+)?\n"));
  std::fclose(file);
}

}  // namespace
}  // namespace mmdiff
