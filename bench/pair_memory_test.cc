// The peak of resident memory in the default world. A program of its own, because the peak is a
// process's.
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "harness/lockstep.h"
#include "harness/registry.h"
#include "program/generate.h"

namespace mmdiff {
namespace {

double PeakMebibytes() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::strtod(line.c_str() + 6, nullptr) / 1024;
  }
  return 0;
}

TEST(PairMemory, DefaultWorldStaysBelowAHundredMebibytes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's own memory is not ours";
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "a sanitizer's own memory is not ours";
#endif
#endif
  auto pair = MakeAll(kDefaultImplementations);
  ASSERT_TRUE(pair.ok()) << pair.status();
  Lockstep lockstep(*std::move(pair));
  RunResult result;
  GenerateOptions options;
  for (const size_t ops : {32, 256}) {
    options.ops = ops;
    for (uint64_t seed = 1; seed <= 500; ++seed) {
      const Program program = Generate(seed, options);
      ASSERT_EQ(lockstep.Run(program, RunOptions{}, &result), RunOutcome::ok) << result.message;
    }
  }
  const double peak = PeakMebibytes();
  ASSERT_GT(peak, 1.0);  // it was read
  EXPECT_LT(peak, 100.0);
}

}  // namespace
}  // namespace mmdiff
