// The stats page: what one mapping writes the other reads, and wrong files are refused.
#include "targets/stats_page.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mmdiff {
namespace {

class StatsPageTest : public testing::Test {
 protected:
  StatsPageTest() : path_(testing::TempDir() + "mmdiff-stats-" + std::to_string(getpid())) {}
  ~StatsPageTest() override { std::remove(path_.c_str()); }
  std::string path_;
};

TEST_F(StatsPageTest, BothSidesSeeTheSame) {
  auto reader = SharedStats::Create(path_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  auto writer = SharedStats::Open(path_);
  ASSERT_TRUE(writer.ok()) << writer.status();
  EXPECT_FALSE(reader->CurrentProgram().has_value());

  Program program;
  program.world.cpus = 4;
  program.ops.resize(3);
  program.ops[1].code = Opcode::fork;
  program.ops[1].arg[0] = 7;
  const uint8_t bytes[] = {1, 2, 3};
  writer->Begin(program, bytes, sizeof(bytes));
  writer->page().programs.fetch_add(5);
  ASSERT_TRUE(reader->CurrentProgram().has_value());
  EXPECT_EQ(*reader->CurrentProgram(), program);
  EXPECT_EQ(reader->page().programs.load(), 5u);
  EXPECT_EQ(reader->page().input_size.load(), 3u);
  EXPECT_EQ(reader->page().input_hash.load(), InputHash(bytes, 3));
  writer->page().phase.store(WorkerPhase::kIdle);
  EXPECT_FALSE(reader->CurrentProgram().has_value());
}

TEST_F(StatsPageTest, LongProgramsAreCutOff) {
  auto stats = SharedStats::Create(path_);
  ASSERT_TRUE(stats.ok());
  Program program;
  program.ops.resize(kMaxOps + 10);
  stats->Begin(program, nullptr, 0);
  EXPECT_EQ(stats->CurrentProgram()->ops.size(), kMaxOps);
}

TEST_F(StatsPageTest, OtherFilesAreRefused) {
  EXPECT_FALSE(SharedStats::Open(path_).ok());
  std::ofstream(path_) << "short";
  EXPECT_THAT(std::string(SharedStats::Open(path_).status().message()),
              testing::HasSubstr("another build"));
  std::ofstream(path_) << std::string(sizeof(StatsPage), 'x');
  EXPECT_THAT(std::string(SharedStats::Open(path_).status().message()),
              testing::HasSubstr("not a stats page"));
  EXPECT_FALSE(SharedStats::Create("/proc/nowhere/page").ok());
}

TEST(InputHash, TellsInputsApart) {
  const uint8_t a[] = {1, 2}, b[] = {2, 1};
  EXPECT_NE(InputHash(a, 2), InputHash(b, 2));
  EXPECT_NE(InputHash(a, 1), InputHash(a, 2));
  EXPECT_EQ(InputHash(a, 2), InputHash(a, 2));
}

}  // namespace
}  // namespace mmdiff
