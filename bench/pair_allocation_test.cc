// The real pair allocates nothing in the steady state. A program of its own, because it replaces
// the global operator new.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "harness/lockstep.h"
#include "harness/registry.h"
#include "program/generate.h"

namespace {
uint64_t allocations = 0;

void* Allocate(size_t size, size_t alignment) {
  ++allocations;
  const size_t rounded = (size + alignment - 1) / alignment * alignment;
  if (void* p = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded)) return p;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(size_t size) { return Allocate(size, alignof(std::max_align_t)); }
void* operator new(size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<size_t>(alignment));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { std::free(p); }

namespace mmdiff {
namespace {

// Allocations of the second run of each of `programs`, when the first of all of them is over.
uint64_t AllocationsOfASecondRun(const std::vector<Program>& programs, const RunOptions& options) {
  auto pair = MakeAll(kDefaultImplementations);
  EXPECT_TRUE(pair.ok()) << pair.status();
  Lockstep lockstep(*std::move(pair));
  RunResult result;
  for (const Program& program : programs) {
    EXPECT_EQ(lockstep.Run(program, options, &result), RunOutcome::ok) << result.message;
  }
  const uint64_t before = allocations;
  for (const Program& program : programs) lockstep.Run(program, options, &result);
  return allocations - before;
}

std::vector<Program> Generated(size_t count, size_t ops) {
  std::vector<Program> programs;
  GenerateOptions options;
  options.ops = ops;
  for (size_t seed = 1; seed <= count; ++seed) programs.push_back(Generate(seed, options));
  return programs;
}

TEST(PairAllocation, NoneInTheSteadyState) {
  EXPECT_EQ(AllocationsOfASecondRun(Generated(2000, 32), RunOptions{}), 0u);
}

TEST(PairAllocation, NoneInLongPrograms) {
  EXPECT_EQ(AllocationsOfASecondRun(Generated(100, 256), RunOptions{}), 0u);
}

TEST(PairAllocation, NoneWithSnapshotsAndInvariantsAfterEachOperation) {
  EXPECT_EQ(AllocationsOfASecondRun(Generated(300, 32), RunOptions::Thorough()), 0u);
}

// Fresh programs come on top in a campaign: memory grows to the largest program ever seen, so after
// enough programs new ones find everything there already.
TEST(PairAllocation, NewProgramsAllocateLessAndLess) {
  auto pair = MakeAll(kDefaultImplementations);
  ASSERT_TRUE(pair.ok()) << pair.status();
  Lockstep lockstep(*std::move(pair));
  const std::vector<Program> programs = Generated(6000, 32);
  RunResult result;
  std::vector<uint64_t> thirds;
  for (size_t third = 0; third < 3; ++third) {
    const uint64_t before = allocations;
    for (size_t i = third * 2000; i < (third + 1) * 2000; ++i)
      lockstep.Run(programs[i], {}, &result);
    thirds.push_back(allocations - before);
  }
  EXPECT_LT(thirds[2] * 10, thirds[0])
      << "first third " << thirds[0] << ", last third " << thirds[2];
}

}  // namespace
}  // namespace mmdiff
