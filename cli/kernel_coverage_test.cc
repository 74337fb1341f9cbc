#include "cli/kernel_coverage.h"

#include <unistd.h>

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernel/edge_table.h"

namespace mmdiff {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(KernelCoverage, PlacesComeFromTheSymbolizer) {
  const auto places = PlacesFromSymbolizer(
      R"([{"Address":"0x1","Symbol":[)"
      R"({"FileName":"/c/tree/mm/rmap.tree.c","FunctionName":"inner","Line":7,"Column":3},)"
      R"({"FileName":"/c/tree/mm/rmap.tree.c","FunctionName":"outer","Line":9,"Column":1}]},)"
      R"({"Address":"0x2","Symbol":[]},)"
      R"({"Address":"0x3","Symbol":[{"FileName":"/c/build/../tree/include/linux/mm.h",)"
      R"("FunctionName":"f","Line":1,"Column":0}]}])");
  EXPECT_THAT(places, ElementsAre(EdgePlace{"mm/rmap.c", "inner", 7, 3}, EdgePlace{},
                                  EdgePlace{"include/linux/mm.h", "f", 1, 0}));
  EXPECT_TRUE(PlacesFromSymbolizer("llvm-symbolizer: no such file").empty());
}

KernelCoverage Measured() {
  KernelCoverage coverage;
  coverage.edges = 6;
  coverage.edges_covered = 3;
  coverage.programs = 12;
  coverage.places = {{{"mm/a.c", "one", 1, 2}, 12}, {{"mm/a.c", "one", 2, 1}, 0},
                     {{"mm/a.c", "one", 2, 9}, 4},  {{"mm/a.c", "two", 4, 1}, 0},
                     {{"mm/a.c", "two", 5, 1}, 0},  {{"include/linux/mm.h", "three", 1, 1}, 3}};
  return coverage;
}

TEST(KernelCoverage, TheReportNamesWhatIsNotCovered) {
  KernelBuild build;
  build.name = "6.12+coverage";
  build.release = "6.12.9";
  const std::string text = KernelCoverageText(build, Measured(), 0);
  EXPECT_THAT(text, HasSubstr("6.12+coverage (Linux 6.12.9), 12 programs: 3 of 6 edges, 2 of 5 "
                              "places of mm/ (40.0%)"));
  EXPECT_THAT(text, HasSubstr("3         5   40.0%  mm/a.c\n"));
  const size_t two = text.find("2         2    0.0%  two (mm/a.c:4)\n");
  const size_t one = text.find("1         3   66.7%  one (mm/a.c:1)\n");
  ASSERT_NE(one, std::string::npos) << text;
  EXPECT_LT(two, one);
  EXPECT_THAT(text, HasSubstr("                             4 5\n"));
  EXPECT_THAT(text, Not(HasSubstr("three")));
  EXPECT_THAT(KernelCoverageText(build, Measured(), 1), Not(HasSubstr("one (")));
}

TEST(KernelCoverage, SourcesAreAnnotated) {
  EXPECT_EQ(AnnotatedSource(Measured(), "mm/a.c", "int one()\n{ x; }\n\nint two()\n"),
            "      12      1  int one()\n"
            "      4+      2  { x; }\n"
            "              3  \n"
            "       -      4  int two()\n");
}

TEST(KernelCoverage, OnlyAnExecutableWithEdgesHasATable) {
  EXPECT_EQ(ReadEdgeTable("/nowhere").status().code(), absl::StatusCode::kNotFound);
  const auto self = ReadEdgeTable("/proc/self/exe");
#ifndef MMDIFF_FUZZ
  EXPECT_THAT(std::string(self.status().message()), HasSubstr("kernel build --coverage"));
#endif
  const std::string path = testing::TempDir() + "edges-" + std::to_string(getpid());
  std::ofstream(path) << "#!/bin/sh\nexit 0\n# long enough to be taken for a header of some file\n";
  EXPECT_EQ(ReadEdgeTable(path).status().code(), absl::StatusCode::kInvalidArgument);
  unlink(path.c_str());
}

}  // namespace
}  // namespace mmdiff
