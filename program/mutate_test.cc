// Generation and mutation: valid, bounded, deterministic, and varied enough to be worth running.
#include "program/mutate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "program/binary.h"
#include "program/fixup.h"
#include "program/fragments.h"
#include "program/generate.h"
#include "program/mutate_bytes.h"
#include "program/text.h"
#include "program/world.h"

namespace mmdiff {
namespace {

TEST(Generate, IsDeterministicValidAndOfTheLengthAsked) {
  std::set<std::string> texts;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const GenerateOptions options{.world = {}, .ops = 32, .threads = seed % 2 == 0 ? 1u : 3u};
    const Program program = Generate(seed, options);
    ASSERT_TRUE(Validate(program).ok()) << Validate(program);
    ASSERT_EQ(program.ops.size(), 32u);
    ASSERT_EQ(program, Generate(seed, options));
    texts.insert(PrintText(program));
  }
  EXPECT_EQ(texts.size(), 500u);
  EXPECT_TRUE(Generate(1, {.world = {}, .ops = 0}).ops.empty());
  EXPECT_EQ(Generate(1, {.world = {}, .ops = 1}).ops.size(), 1u);
}

TEST(Generate, ReachesEveryOperationAndEveryFlag) {
  std::vector<uint32_t> seen(kOpcodes);
  uint32_t map_flags = 0, gup_flags = 0, cpus = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    for (const Op& op : Generate(seed, {}).ops) {
      ++seen[static_cast<size_t>(op.code)];
      if (op.code == Opcode::map) map_flags |= op.arg[3];
      if (op.code == Opcode::pin) gup_flags |= op.arg[3];
      cpus |= 1u << op.cpu;
    }
  }
  for (const OpDesc& desc : AllOps()) {
    EXPECT_GE(seen[static_cast<size_t>(desc.code)], 20u) << desc.name;
  }
  EXPECT_EQ(map_flags, 0u + kMapAllFlags);
  EXPECT_EQ(gup_flags, 0u + kGupAllFlags);
  EXPECT_EQ(cpus, 3u);
}

TEST(Generate, SwarmsDiffer) {
  // With all weights from ops.def every long program has writes and reads; a swarm leaves some out.
  size_t without_read = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Program program = Generate(seed, {.world = {}, .ops = 128, .fragment_percent = 0});
    without_read += std::none_of(program.ops.begin(), program.ops.end(),
                                 [](const Op& op) { return op.code == Opcode::read; });
  }
  EXPECT_GT(without_read, 10u);
  EXPECT_LT(without_read, 70u);
}

TEST(Fragments, EachIsValidAloneInEveryWorldAndDoesWhatItSays) {
  std::set<std::string> names;
  for (const Fragment& fragment : AllFragments()) {
    EXPECT_TRUE(names.insert(fragment.name).second);
    EXPECT_EQ(FindFragment(fragment.name), &fragment);
    std::set<std::string> texts;
    for (uint64_t seed = 0; seed < 300; ++seed) {
      const auto presets = WorldPresets();
      Program program;
      program.world = presets[seed % presets.size()].world;
      ArgContext context(program.world);
      Random rnd(seed);
      FragmentBuilder builder(&context, &rnd, &program.ops);
      fragment.emit(builder);
      ASSERT_TRUE(Validate(program).ok()) << fragment.name << ": " << Validate(program);
      ASSERT_GE(program.ops.size(), 3u) << fragment.name;
      ASSERT_LE(program.ops.size(), 32u) << fragment.name;
      texts.insert(PrintText(program));
    }
    EXPECT_GT(texts.size(), 150u) << fragment.name << " varies too little";
  }
  EXPECT_EQ(FindFragment("none"), nullptr);
}

TEST(Mutate, StaysValidBoundedAndDeterministic) {
  Program program = Generate(1, {});
  Program other = Generate(2, {.world = {}, .ops = 40});
  Random rnd(3);
  MutateOptions options;
  options.max_ops = 48;
  options.other = &other;
  size_t changed = 0;
  for (int i = 0; i < 100000; ++i) {
    if (i % 50 == 0) {
      program = Generate(rnd.Next(), {});
      other = Generate(rnd.Next(), {.world = {}, .ops = 20});
    }
    Program twin = program;
    const Program before = program;
    const uint64_t seed = rnd.Next();
    Random first(seed), second(seed);
    Mutate(&program, &first, options);
    ASSERT_LE(program.ops.size(), 48u);
    ASSERT_TRUE(Validate(program).ok()) << Validate(program) << "\n" << PrintText(program);
    changed += !(before == program);
    if (i % 10 != 0) continue;
    Mutate(&twin, &second, options);
    ASSERT_EQ(program, twin);
  }
  EXPECT_GT(changed, 97000u);
}

TEST(Mutate, EveryKindOfChangeChangesSomething) {
  const Program other = Generate(77, {});
  MutateOptions options;
  options.other = &other;
  for (size_t kind = 0; kind < AllMutations().size(); ++kind) {
    int changed = 0, applied = 0;
    for (uint64_t seed = 0; seed < 200; ++seed) {
      Program program = Generate(seed, {});
      const Program before = program;
      Random rnd(seed);
      applied += ApplyMutation(kind, &program, &rnd, options);
      changed += !(before == program);
      ASSERT_TRUE(Validate(program).ok()) << Validate(program);
    }
    EXPECT_GT(applied, 50) << AllMutations()[kind].name;
    EXPECT_GT(changed, 50) << AllMutations()[kind].name;
  }
}

TEST(Mutate, FillsAnEmptyProgramAndDropsExpectations) {
  Program program;
  Random rnd(4);
  for (int i = 0; i < 40; ++i) Mutate(&program, &rnd);
  EXPECT_GT(program.ops.size(), 5u);
  program.expectations = {{0, 1, "=> ok"}};
  Mutate(&program, &rnd);
  EXPECT_TRUE(program.expectations.empty());
}

TEST(Crossover, JoinsAndKeepsHandlesNearTheirBindings) {
  const auto a = ParseText("mm\nmm\n", {.file_name = "", .snippet = true});
  const auto b =
      ParseText("mm\nfork m0\nwrite m1 3 1\nexit m0\n", {.file_name = "", .snippet = true});
  ASSERT_TRUE(a.ok() && b.ok());
  bool whole = false;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random rnd(seed);
    const Program joined = Crossover(*a, *b, &rnd, {.max_ops = 4});
    ASSERT_TRUE(Validate(joined).ok()) << Validate(joined);
    ASSERT_LE(joined.ops.size(), 4u);
    whole |= PrintText(joined) == "# mmdiff 1\nworld\nm0 = mm\nm1 = mm\nwrite m1 0x3 1\nexit m0\n";
  }
  EXPECT_TRUE(whole);
}

TEST(MutateBytes, KeepsToTheSizeAndIsDeterministic) {
  Random rnd(9);
  for (int i = 0; i < 20000; ++i) {
    const size_t max = 1 + rnd.Below(200);
    std::vector<uint8_t> bytes(200);
    size_t size = rnd.Below(static_cast<uint32_t>(max) + 1);
    for (size_t k = 0; k < size; ++k) bytes[k] = static_cast<uint8_t>(rnd.Next());
    std::vector<uint8_t> twin = bytes, other = bytes;
    std::reverse(other.begin(), other.end());
    const size_t n = MutateBytes(bytes.data(), size, max, i);
    ASSERT_LE(n, max);
    ASSERT_GT(n, 0u);
    ASSERT_EQ(MutateBytes(twin.data(), size, max, i), n);
    ASSERT_TRUE(std::equal(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(n), twin.begin()));
    const std::vector<uint8_t> result(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(n));
    ASSERT_EQ(Encode(Decode(result)), result) << "the result is not in its own canonical form";
    std::vector<uint8_t> joined(max);
    const size_t m =
        CrossoverBytes(result.data(), n, other.data(), other.size(), joined.data(), max, i);
    ASSERT_LE(m, max);
    ASSERT_LE(Decode({joined.data(), m}).ops.size(), kMaxFuzzOps);
  }
  uint8_t byte = 1;
  EXPECT_EQ(MutateBytes(&byte, 1, 0, 1), 0u);
}

}  // namespace
}  // namespace mmdiff
