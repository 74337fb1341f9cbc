// A program of its own, because it replaces the global operator new.
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#include "gtest/gtest.h"
#include "harness/fake_implementation.h"
#include "harness/lockstep.h"
#include "harness/trace.h"
#include "program/text.h"

namespace {
uint64_t allocations = 0;
}  // namespace

void* operator new(size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace mmdiff {
namespace {

const char kProgram[] =
    "m0 = mm\nmap m0 0x40 8 rw anon\nwrite m0 0x40 8\nm1 = fork m0\nwrite m1 0x41 2\nread m0 0x40 "
    "8\n"
    "check\nunmap m0 0x40 8\nread m1 0x40 8\nwrite m1 0x40 8\nunmap m1 0x40 8\n";

uint64_t AllocationsOfARun(const RunOptions& options) {
  auto program = ParseText(kProgram, {.file_name = "", .snippet = true});
  EXPECT_TRUE(program.ok()) << program.status();
  Lockstep lockstep(FakeContestants({{"a", nullptr}, {"b", nullptr}}));
  RunResult result;
  for (int i = 0; i < 3; ++i) lockstep.Run(*program, options, &result);
  const uint64_t before = allocations;
  for (int i = 0; i < 100; ++i) lockstep.Run(*program, options, &result);
  EXPECT_EQ(result.outcome, RunOutcome::ok) << result.message;
  return allocations - before;
}

TEST(LockstepAllocation, TheCounterCounts) {
  const uint64_t before = allocations;
  delete new int(1);
  EXPECT_GE(allocations, before);
  auto* kept = new std::vector<int>(100);
  EXPECT_GT(allocations, before);
  delete kept;
}

TEST(LockstepAllocation, NoneInTheSteadyState) {
  EXPECT_EQ(AllocationsOfARun(RunOptions{}), 0u);
  EXPECT_EQ(AllocationsOfARun(RunOptions::Thorough()), 0u);
}

TEST(LockstepAllocation, NoneWithATraceOfDigests) {
  Trace trace(false);
  RunOptions options;
  options.observer = &trace;
  EXPECT_EQ(AllocationsOfARun(options), 0u);
}

}  // namespace
}  // namespace mmdiff
