#include "harness/demands.h"

#include <memory>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/fake_implementation.h"

namespace mmdiff {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Contestants Of(std::initializer_list<std::pair<const char*, WorldDemands>> all) {
  Contestants contestants;
  for (const auto& [name, demands] : all) {
    auto fake = std::make_unique<FakeImplementation>(name);
    fake->Demand(demands);
    contestants.leaders.push_back(std::move(fake));
  }
  return contestants;
}

TEST(Demands, AreTheSumOfWhatImplementationsDemand) {
  const auto none = DemandsOf(Of({{"a", {}}, {"b", {}}}));
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->world.any());
  EXPECT_EQ(none->who, "");
  const auto one = DemandsOf(Of({{"a", {}}, {"b", {.table = 512}}, {"c", {.table = 512}}}));
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->world, (WorldDemands{.table = 512}));
  EXPECT_EQ(one->who, "b");
  const auto sum = DemandsOf(Of(
      {{"a", {.table = 512, .max_cpus = 4}}, {"b", {.batch = 31, .max_cpus = 2, .no_tlb = true}}}));
  ASSERT_TRUE(sum.ok());
  EXPECT_EQ(sum->world, (WorldDemands{.table = 512, .batch = 31, .max_cpus = 2, .no_tlb = true}));
  EXPECT_EQ(sum->who, "a and b");
}

TEST(Demands, TwoThatContradictEachOtherCannotRunTogether) {
  EXPECT_THAT(
      DemandsOf(Of({{"a", {.table = 512}}, {"b", {}}, {"c", {.table = 64}}})).status().message(),
      AllOf(HasSubstr("a has page tables of 512"), HasSubstr("c of 64")));
  EXPECT_THAT(DemandsOf(Of({{"a", {.batch = 31}}, {"c", {.batch = 15}}})).status().message(),
              AllOf(HasSubstr("a has batches of 31"), HasSubstr("c of 15")));
}

TEST(Demands, WhatOneLacksAllDoWithout) {
  Contestants contestants = Of({{"a", {}}, {"b", {}}, {"c", {}}});
  const auto lacks = [&](size_t i, const OpcodeSet& codes) {
    static_cast<FakeImplementation&>(*contestants.leaders[i]).Demand({}, codes);
  };
  lacks(0, SetOf({Opcode::zap_begin}));
  lacks(1, SetOf({Opcode::zap_begin, Opcode::split}));
  lacks(2, SetOf({Opcode::split}));
  const auto demands = DemandsOf(contestants);
  ASSERT_TRUE(demands.ok());
  EXPECT_EQ(demands->lacks, SetOf({Opcode::split, Opcode::zap_begin}));
  EXPECT_EQ(demands->lacking, "a and b");
  Program program;
  program.ops = {Op{.code = Opcode::mm}, Op{.code = Opcode::zap_begin},
                 Op{.code = Opcode::zap_finish}, Op{.code = Opcode::drain}};
  EXPECT_FALSE(Suits(program, *demands));
  EXPECT_EQ(MakeSuit(*demands, kMaxOps, &program), 2u);
  EXPECT_EQ(program.ops.size(), 2u);
  EXPECT_TRUE(Suits(program, *demands));
}

TEST(Demands, ProgramsOfOtherWorldsDoNotSuit) {
  const auto demands = DemandsOf(Of({{"a", {.no_tlb = true}}}));
  ASSERT_TRUE(demands.ok());
  Program program;
  EXPECT_TRUE(Suits(program, {}));
  EXPECT_FALSE(Suits(program, *demands));
  MakeSuit(*demands, kMaxOps, &program);
  EXPECT_EQ(program.world.tlb, 0u);
  EXPECT_TRUE(Suits(program, *demands));
}

}  // namespace
}  // namespace mmdiff
