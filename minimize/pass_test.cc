// Each pass alone: it makes progress on a program made for it, ends where expected, and never makes
// a program less simple.
#include <algorithm>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/simplicity.h"
#include "minimize/reducer.h"
#include "program/fixup.h"
#include "program/text.h"

namespace mmdiff {
namespace {

Program Parsed(const std::string& text) {
  auto program = ParseText("# mmdiff 1\n" + text);
  EXPECT_TRUE(program.ok()) << program.status() << "\n" << text;
  return program.value_or(Program());
}

size_t Count(const Program& p, Opcode code) {
  return static_cast<size_t>(
      std::count_if(p.ops.begin(), p.ops.end(), [=](const Op& op) { return op.code == code; }));
}
// The first operation of this code; one that is all zero if there is none.
Op First(const Program& p, Opcode code) {
  const auto it =
      std::find_if(p.ops.begin(), p.ops.end(), [=](const Op& op) { return op.code == code; });
  return it == p.ops.end() ? Op{} : *it;
}

struct Case {
  const char* name;
  const char* pass;
  std::string before;
  Verdict (*predicate)(const Program&);
  std::string after;
};

const Case kCases[] = {
    {"CutTail", "cut_tail",
     "world\n"
     "m0 = mm\n"
     "map m0 0x10 4 rw\n"
     "write m0 0x10 4\n"
     "drain\n"
     "check\n",
     [](const Program& p) -> Verdict {
       return {p.ops.size() > 2 && p.ops[2].code == Opcode::write, 2};
     },
     "world\n"
     "m0 = mm\n"
     "map m0 0x10 4 rw\n"
     "write m0 0x10 4\n"},
    {"GroupsByHandle", "remove_groups",
     "world\n"
     "m0 = mm\n"
     "m1 = mm\n"
     "map m1 0x10 4 rw\n"
     "map m0 0x10 4 rw\n"
     "m2 = fork m1\n"
     "write m2 0x10 4\n"
     "write m0 0x10 4\n",
     [](const Program& p) -> Verdict {
       // The last operation is a write to the process that the first operation made.
       return !p.ops.empty() && p.ops.back().code == Opcode::write && p.ops.back().arg[0] == 0 &&
              Count(p, Opcode::map) >= 1;
     },
     "world\n"
     "m0 = mm\n"
     "map m0 0x10 4 rw\n"
     "write m0 0x10 4\n"},
    {"GroupsByOpcodeAndPlace", "remove_groups",
     "world\n"
     "m0 = mm\n"
     "map m0 0x10 4 rw\n"
     "drain\n"
     "map m0 0x60 4 rw\n"
     "drain\n"
     "write m0 0x60 4\n"
     "write m0 0x10 4\n",
     [](const Program& p) -> Verdict {
       return !p.ops.empty() && p.ops.back().code == Opcode::write &&
              First(p, Opcode::map).arg[1] == 0x10;
     },
     "world\n"
     "m0 = mm\n"
     "map m0 0x10 4 rw\n"
     "write m0 0x10 4\n"},
    {"Chunks", "remove_chunks",
     "world\n"
     "m0 = mm\n"
     "read m0 0x1 1\n"
     "read m0 0x2 1\n"
     "read m0 0x3 1\n"
     "lock m0 0x4 1\n"
     "read m0 0x5 1\n"
     "read m0 0x6 1\n"
     "read m0 0x7 1\n"
     "unlock m0 0x8 1\n"
     "read m0 0x9 1\n",
     [](const Program& p) -> Verdict {
       return Count(p, Opcode::lock) == 1 && Count(p, Opcode::unlock) == 1;
     },
     "world\n"
     "m0 = mm\n"
     "lock m0 0x4 1\n"
     "unlock m0 0x8 1\n"},
    {"ChunksRetargetAForkChain", "remove_chunks",
     "world\n"
     "m0 = mm\n"
     "m1 = fork m0\n"
     "m2 = fork m1\n"
     "write m2 0x1 1\n",
     [](const Program& p) -> Verdict { return Count(p, Opcode::write) == 1; },
     "world\n"
     "m0 = mm\n"
     "write m0 0x1 1\n"},
    {"Pairs", "remove_pairs",
     "world\n"
     "m0 = mm\n"
     "lock m0 0x4 1\n"
     "write m0 0x4 1\n"
     "unlock m0 0x4 1\n",
     [](const Program& p) -> Verdict {
       return Count(p, Opcode::write) == 1 && Count(p, Opcode::lock) == Count(p, Opcode::unlock);
     },
     "world\n"
     "m0 = mm\n"
     "write m0 0x4 1\n"},
    {"LiftPhases", "lift_pairs",
     "world\n"
     "m0 = mm\n"
     "map m0 0x4 2 rw\n"
     "g0 = migrate_begin m0 0x4 node=1\n"
     "migrate_end g0\n",
     [](const Program& p) -> Verdict {
       const Op whole = First(p, Opcode::migrate);
       return Count(p, Opcode::map) == 1 &&
              (Count(p, Opcode::migrate_end) == 1 || whole.arg[3] == 1);
     },
     "world\n"
     "m0 = mm\n"
     "map m0 0x4 2 rw\n"
     "migrate m0 0x4 1 node=1\n"},
    {"LiftIntoMap", "lift_pairs",
     "world\n"
     "m0 = mm\n"
     "map m0 0x4 2 rw\n"
     "lock m0 0x4 2\n"
     "unmap m0 0x4 2\n",
     [](const Program& p) -> Verdict {
       return Count(p, Opcode::unmap) == 1 &&
              (Count(p, Opcode::lock) == 1 || (First(p, Opcode::map).arg[3] & kMapLocked) != 0);
     },
     "world\n"
     "m0 = mm\n"
     "map m0 0x4 2 rw|locked\n"
     "unmap m0 0x4 2\n"},
    {"MergeRanges", "merge_ranges",
     "world\n"
     "m0 = mm\n"
     "map m0 0x10 4 rw\n"
     "map m0 0x14 2 rw\n"
     "map m0 0x16 2 rw\n"
     "write m0 0x12 4\n",
     [](const Program& p) -> Verdict {
       uint32_t pages = 0;
       for (const Op& op : p.ops) pages += op.code == Opcode::map ? op.arg[2] : 0;
       return pages >= 8 && Count(p, Opcode::write) == 1;
     },
     "world\n"
     "m0 = mm\n"
     "map m0 0x10 8 rw\n"
     "write m0 0x12 4\n"},
    {"Retarget", "retarget",
     "world\n"
     "f0 = file 4 order=0\n"
     "m0 = mm\n"
     "m1 = mm\n"
     "map m1 0x10 4 rw f0 0\n"
     "write m1 0x10 4\n",
     [](const Program& p) -> Verdict {
       const Op map = First(p, Opcode::map), write = First(p, Opcode::write);
       return Count(p, Opcode::map) == 1 && Count(p, Opcode::write) == 1 &&
              map.arg[0] == write.arg[0];
     },
     "world\n"
     "m0 = mm\n"
     "map m0 0x10 4 rw\n"
     "write m0 0x10 4\n"},
    {"SimplifyOps", "simplify_ops",
     "world\n"
     "m0 = mm\n"
     "m1 = fork m0\n"
     "lock_onfault m1 0x10 4\n",
     [](const Program& p) -> Verdict {
       return Count(p, Opcode::lock_onfault) + Count(p, Opcode::lock) == 1;
     },
     "world\n"
     "m0 = mm\n"
     "m1 = mm\n"
     "lock m1 0x10 4\n"},
    {"OneCpu", "one_cpu",
     "world cpus=4\n"
     "m0 = mm @cpu3\n"
     "write m0 0x10 4 @cpu2\n"
     "read m0 0x10 4 @cpu3\n",
     [](const Program& p) -> Verdict { return p.ops.size() == 3 && p.ops[1].cpu != p.ops[2].cpu; },
     "world cpus=4\n"
     "m0 = mm\n"
     "write m0 0x10 4\n"
     "read m0 0x10 4 @cpu1\n"},
    {"SimplifyWorld", "simplify_world",
     "world cpus=8 maps=100\n"
     "m0 = mm\n",
     [](const Program& p) -> Verdict { return p.world.cpus >= 3 && p.ops.size() == 1; },
     "world cpus=3\n"
     "m0 = mm\n"},
    {"NarrowRangesTogether", "narrow_ranges",
     "world\n"
     "m0 = mm\n"
     "map m0 0x10 16 rw\n"
     "write m0 0x10 16\n",
     [](const Program& p) -> Verdict {
       const Op map = First(p, Opcode::map), write = First(p, Opcode::write);
       return map.code == Opcode::map && write.code == Opcode::write &&
              map.arg[1] == write.arg[1] && map.arg[2] == write.arg[2] && map.arg[1] <= 0x15 &&
              map.arg[1] + map.arg[2] > 0x17;
     },
     "world\n"
     "m0 = mm\n"
     "map m0 0x15 3 rw\n"
     "write m0 0x15 3\n"},
    {"ClipRanges", "narrow_ranges",
     "world\n"
     "m0 = mm\n"
     "map m0 0x10 16 rw\n"
     "write m0 0x12 4\n"
     "read m0 0x1c 1\n",
     [](const Program& p) -> Verdict {
       // Every page that is written is mapped.
       const Op map = First(p, Opcode::map), write = First(p, Opcode::write);
       return write.code == Opcode::write && map.code == Opcode::map && write.arg[2] >= 4 &&
              map.arg[1] <= write.arg[1] && map.arg[1] + map.arg[2] >= write.arg[1] + write.arg[2];
     },
     "world\n"
     "m0 = mm\n"
     "map m0 0x12 4 rw\n"
     "write m0 0x12 4\n"},
    {"ShrinkArgs", "shrink_args",
     "world\n"
     "m0 = mm\n"
     "map m0 0x47 9 rw|shared|populate\n"
     "write m0 0x47 9\n",
     [](const Program& p) -> Verdict {
       const Op map = First(p, Opcode::map), write = First(p, Opcode::write);
       return map.code == Opcode::map && write.code == Opcode::write &&
              map.arg[1] == write.arg[1] && (map.arg[3] & kMapShared) != 0 &&
              map.arg[2] == write.arg[2];
     },
     "world\n"
     "m0 = mm\n"
     "map m0 0x0 1 rw|shared\n"
     "write m0 0x0 1\n"},
    {"Translate", "translate",
     "world\n"
     "m0 = mm\n"
     "map m0 0x86 4 rw\n"
     "write m0 0x88 2\n"
     "map m0 0xc6 4 rw\n",
     [](const Program& p) -> Verdict {
       // Distances inside of the first group, and places in their tables, stay.
       return p.ops.size() == 4 && p.ops[2].arg[1] == p.ops[1].arg[1] + 2 &&
              p.ops[1].arg[1] % 32 == 6 && p.ops[3].arg[1] % 32 == 6 &&
              p.ops[3].arg[1] > p.ops[1].arg[1];
     },
     "world\n"
     "m0 = mm\n"
     "map m0 0x6 4 rw\n"
     "write m0 0x8 2\n"
     "map m0 0x26 4 rw\n"},
    {"MoveOps", "move_ops",
     "world\n"
     "m0 = mm\n"
     "write m0 0x1 1\n"
     "drain\n"
     "m1 = mm\n"
     "read m0 0x1 1\n"
     "map m1 0x1 1 rw\n",
     [](const Program& p) -> Verdict { return p.ops.size() == 6; },
     "world\n"
     "m0 = mm\n"
     "m1 = mm\n"
     "map m1 0x1 1 rw\n"
     "read m0 0x1 1\n"
     "write m0 0x1 1\n"
     "drain\n"},
    {"Trade", "trade",
     "world\n"
     "m0 = mm\n"
     "m1 = mm\n"
     "map m0 0x1 1 rw\n"
     "map m1 0x1 1 rw\n"
     "write m1 0x1 1\n",
     [](const Program& p) -> Verdict {
       // A process that has the page of m0, mapped by itself or inherited, and writes to it.
       const auto at = [&](Opcode code) {
         return std::find_if(p.ops.begin(), p.ops.end(),
                             [=](const Op& op) { return op.code == code; });
       };
       const bool inherited = at(Opcode::fork) != p.ops.end() && at(Opcode::map) < at(Opcode::fork);
       return First(p, Opcode::write).arg[0] == 1 && (Count(p, Opcode::map) == 2 || inherited);
     },
     "world\n"
     "m0 = mm\n"
     "map m0 0x1 1 rw\n"
     "m1 = fork m0\n"
     "write m1 0x1 1\n"},
};

class PassTest : public ::testing::TestWithParam<Case> {};

TEST_P(PassTest, AloneReachesTheExpectedProgram) {
  const Case& c = GetParam();
  const Program before = Parsed(c.before);
  ReduceOptions options;
  options.passes = {c.pass};
  const ReduceResult result = Reduce(before, c.predicate, options);
  ASSERT_TRUE(result.reproduced);
  EXPECT_FALSE(result.exhausted);
  EXPECT_EQ(PrintText(result.program), PrintText(Parsed(c.after)));
  EXPECT_TRUE(Simpler(result.program, before));
  EXPECT_TRUE(c.predicate(result.program).same);
  ASSERT_EQ(result.passes.size(), 1u);
  EXPECT_EQ(result.passes[0].name, c.pass);
  EXPECT_GT(result.passes[0].accepted, 0u);
  EXPECT_GE(result.passes[0].tries, result.passes[0].runs);
  EXPECT_EQ(result.passes[0].runs + 1, result.runs);  // and the original
  EXPECT_EQ(result.passes[0].ops_removed, before.ops.size() - result.program.ops.size());
}

TEST_P(PassTest, OnlyTriesValidAndSimplerPrograms) {
  // Every pass on this case, accepting each candidate that the case's predicate accepts: all that
  // is run must be simpler than all that was accepted before it.
  const Case& c = GetParam();
  for (const PassInfo& pass : Passes()) {
    Program simplest = Parsed(c.before);
    const Program original = simplest;
    ReduceOptions options;
    options.passes = {pass.name};
    Reduce(
        simplest,
        [&](const Program& p) -> Verdict {
          EXPECT_TRUE(Validate(p).ok()) << pass.name;
          EXPECT_TRUE(p == original || Simpler(p, simplest)) << pass.name << "\n" << PrintText(p);
          const Verdict verdict = c.predicate(p);
          if (verdict.same) simplest = p;
          return verdict;
        },
        options);
  }
}

INSTANTIATE_TEST_SUITE_P(All, PassTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PassesTest, EveryPassHasACase) {
  for (const PassInfo& pass : Passes()) {
    EXPECT_TRUE(std::any_of(std::begin(kCases), std::end(kCases), [&](const Case& c) {
      return std::string(c.pass) == pass.name;
    })) << pass.name;
    EXPECT_NE(std::string(pass.doc), "");
  }
}

}  // namespace
}  // namespace mmdiff
