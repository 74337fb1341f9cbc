#include "bench/report.h"

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace mmdiff {
namespace {

TEST(Report, MedianAndQuantiles) {
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Median({3}), 3);
  EXPECT_EQ(Median({9, 1, 5}), 5);
  EXPECT_EQ(Median({4, 1, 3, 2}), 2.5);
  std::vector<double> hundred;
  for (int i = 100; i >= 1; --i) hundred.push_back(i);
  EXPECT_EQ(Quantile(hundred, 0.99), 99);
  EXPECT_EQ(Quantile(hundred, 1), 100);
  EXPECT_EQ(Quantile(hundred, 0), 1);
  EXPECT_EQ(Quantile({7, 8}, 0.99), 8);
}

TEST(Report, EveryFigureIsALineWithItsMachineAndRatio) {
  const std::string path = testing::TempDir() + "/mmdiff_report_test.jsonl";
  std::remove(path.c_str());
  {
    Report report(path);
    report.Add({"base", "operations/s", {100, 300, 200}, ""});
    report.Add({"slow", "operations/s", {50}, "base"});
    report.Add({"stray", "ms", {1}, "nothing of that name"});
  }
  std::ifstream in(path);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  std::remove(path.c_str());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["name"], "base");
  EXPECT_EQ(lines[0]["value"], 200);
  EXPECT_EQ(lines[0]["low"], 100);
  EXPECT_EQ(lines[0]["high"], 300);
  EXPECT_EQ(lines[0]["repetitions"], 3);
  EXPECT_FALSE(lines[0].contains("ratio"));
  EXPECT_EQ(lines[1]["ratio_to"], "base");
  EXPECT_EQ(lines[1]["ratio"], 0.25);
  EXPECT_FALSE(lines[2].contains("ratio"));
  for (const auto& line : lines) {
    for (const char* key : {"cpu", "cores", "compiler", "flags", "load"}) {
      EXPECT_TRUE(line["machine"].contains(key)) << key;
    }
  }
}

TEST(Report, TakesItsOwnFlagsAndLeavesTheOthers) {
  std::string a = "program", b = "--cases=12", c = "--other=1";
  char* argv[] = {a.data(), b.data(), c.data()};
  int argc = 3;
  EXPECT_EQ(TakeNumber(&argc, argv, "cases", 8), 12u);
  EXPECT_EQ(TakeFlag(&argc, argv, "jsonl", "none"), "none");
  EXPECT_EQ(argc, 2);
  EXPECT_STREQ(argv[1], "--other=1");
  EXPECT_EXIT(RefuseOtherFlags(argc, argv), testing::ExitedWithCode(2), "does not know --other=1");
}

}  // namespace
}  // namespace mmdiff
