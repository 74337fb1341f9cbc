#include "bench/planted.h"

#include <set>
#include <string>

#include "gtest/gtest.h"
#include "harness/lockstep.h"
#include "program/generate.h"

namespace mmdiff {
namespace {

TEST(Planted, NamesAreDifferent) {
  std::set<std::string> names;
  for (size_t i = 0; i < PlantedBugs(); ++i) EXPECT_TRUE(names.insert(PlantedBugAt(i).name).second);
  EXPECT_GE(names.size(), 12u);
}

// Each shows as a divergence, and never as a machine that contradicts itself.
TEST(Planted, EveryBugShowsAsADivergence) {
  GenerateOptions options;
  options.ops = 256;
  for (size_t bug = 0; bug < PlantedBugs(); ++bug) {
    SCOPED_TRACE(PlantedBugAt(bug).name);
    Lockstep lockstep(PlantedContestants(bug));
    RunResult result;
    int found = 0;
    for (uint64_t seed = 1; seed <= 60; ++seed) {
      const RunOutcome outcome = lockstep.Run(Generate(seed, options), RunOptions{}, &result);
      ASSERT_TRUE(outcome == RunOutcome::ok || outcome == RunOutcome::divergence) << result.message;
      found += outcome == RunOutcome::divergence;
    }
    EXPECT_GT(found, 0);
  }
}

}  // namespace
}  // namespace mmdiff
