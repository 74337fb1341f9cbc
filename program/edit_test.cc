// Edits keep handles on the operations that bound them.
#include "program/edit.h"

#include <gtest/gtest.h>

#include <string>

#include "program/fixup.h"
#include "program/generate.h"
#include "program/text.h"

namespace mmdiff {
namespace {

Program Parse(const std::string& text) {
  auto program = ParseText(text, {.file_name = "", .snippet = true});
  EXPECT_TRUE(program.ok()) << program.status();
  return *program;
}
std::string Body(const Program& program) {
  EXPECT_TRUE(Validate(program).ok()) << Validate(program);
  const std::string text = PrintText(program);
  return text.substr(text.find("world\n") + 6);
}

constexpr char kThree[] =
    "m0 = mm\n"
    "m1 = mm\n"
    "m2 = fork m0\n"
    "write m1 0x0 1 # => EFAULT\n"
    "#? m1 m2 0x0 none\n"
    "write m2 0x1 1\n";

TEST(Edit, RemovingABindingRemovesItsDependents) {
  Program program = Parse(kThree);
  EXPECT_EQ(RemoveRange(&program, 0, 1), 3u);
  EXPECT_EQ(Body(program), "m0 = mm\nwrite m0 0x0 1 # => EFAULT\n#? m0 m2 0x0 none\n");
}

TEST(Edit, RemovingABindingRetargetsToTheNearestEarlierOne) {
  Program program = Parse(kThree);
  EXPECT_EQ(RemoveRange(&program, 2, 1, Dependents::kRetarget), 1u);
  EXPECT_EQ(Body(program),
            "m0 = mm\nm1 = mm\nwrite m1 0x0 1 # => EFAULT\n#? m1 m2 0x0 none\nwrite m1 0x1 1\n");
  program = Parse(kThree);
  EXPECT_EQ(RemoveRange(&program, 1, 1, Dependents::kRetarget), 1u);
  EXPECT_EQ(
      Body(program),
      "m0 = mm\nm1 = fork m0\nwrite m0 0x0 1 # => EFAULT\n#? m1 m1 0x0 none\nwrite m1 0x1 1\n");
  program = Parse(kThree);
  EXPECT_EQ(RemoveOps(&program, {false, false, false, true, true}, Dependents::kRetarget), 5u);
}

TEST(Edit, InsertingShiftsLaterHandles) {
  Program program = Parse(kThree);
  const Op ops[] = {Op{.code = Opcode::mm}, Op{.code = Opcode::read, .arg = {1, 7, 1}},
                    Op{.code = Opcode::read, .arg = {0, 8, 1}}};
  InsertOps(&program, 1, ops);
  EXPECT_EQ(Body(program),
            "m0 = mm\nm1 = mm\nread m1 0x7 1\nread m0 0x8 1\nm2 = mm\nm3 = fork m0\n"
            "write m2 0x0 1 # => EFAULT\n#? m2 m3 0x0 none\nwrite m3 0x1 1\n");
}

TEST(Edit, ReplacingKeepsOrRetargets) {
  Program program = Parse("mm\nmm\nfork m1\nwrite m2 0 1\n");
  ReplaceOp(&program, 2, Op{.code = Opcode::mm});
  EXPECT_EQ(Body(program), "m0 = mm\nm1 = mm\nm2 = mm\nwrite m2 0x0 1\n");
  ReplaceOp(&program, 2, Op{.code = Opcode::exit, .arg = {0}});
  EXPECT_EQ(Body(program), "m0 = mm\nm1 = mm\nexit m0\nwrite m1 0x0 1\n");
  ReplaceOp(&program, 1, Op{.code = Opcode::pin, .arg = {0, 3, 1, 0}}, Dependents::kRemove);
  EXPECT_EQ(Body(program), "m0 = mm\np0 = pin m0 0x3 1\nexit m0\n");
}

TEST(Edit, SwappingBindingsOfOneKindExchangesTheirNumbers) {
  Program program = Parse("mm\nmm\nread m0 0 1\nread m1 1 1\n");
  EXPECT_TRUE(SwapOps(&program, 0));
  EXPECT_EQ(Body(program), "m0 = mm\nm1 = mm\nread m1 0x0 1\nread m0 0x1 1\n");
  EXPECT_FALSE(SwapOps(&program, 1)) << "read m1 needs what the operation before it binds";
  EXPECT_TRUE(SwapOps(&program, 2));
  EXPECT_EQ(Body(program), "m0 = mm\nm1 = mm\nread m0 0x1 1\nread m1 0x0 1\n");
}

TEST(Edit, MovingStopsAtWhatIsNeeded) {
  Program program = Parse("mm\nmm\nread m0 0 1\nread m1 1 1 # => EFAULT\n");
  EXPECT_EQ(MoveOp(&program, 3, 0), 2u);
  EXPECT_EQ(Body(program), "m0 = mm\nm1 = mm\nread m1 0x1 1 # => EFAULT\nread m0 0x0 1\n");
  EXPECT_EQ(MoveOp(&program, 0, 4), 2u);
  EXPECT_EQ(Body(program), "m0 = mm\nread m0 0x1 1 # => EFAULT\nm1 = mm\nread m1 0x0 1\n");
  EXPECT_EQ(BindingOp(program, ArgKind::kMm, 1), 2u);
  EXPECT_EQ(BindingOp(program, ArgKind::kMm, 2), 4u);
}

TEST(Edit, LabelsInTextAreWholeWords) {
  std::string text = "? m1 xm1 m10 m1x 0x40 f1|p1 refcount=1 m01 anon";
  RenameLabels(&text, [](ArgKind, uint32_t id) { return id + 1; });
  EXPECT_EQ(text, "? m2 xm1 m11 m1x 0x40 f2|p2 refcount=1 m01 anon");
}

// Follows every handle to the operation that binds it, by a mark that edits do not touch.
TEST(Edit, RandomEditsKeepEveryHandleOnItsBinding) {
  Random rnd(11);
  for (int round = 0; round < 4000; ++round) {
    Program program = Generate(rnd.Next(), {.world = {}, .ops = 24});
    const uint32_t n = static_cast<uint32_t>(program.ops.size());
    // The thread of an operation is its mark; operation i binds what marks say its users bind to.
    for (uint32_t i = 0; i < n; ++i) program.ops[i].reserved = static_cast<uint8_t>(i + 1);
    const auto binder_mark = [](const Program& p, size_t i, size_t a) -> int {
      const OpDesc& desc = DescOf(p.ops[i].code);
      const ArgKind kind = desc.args[a].kind;
      if (!IsHandle(kind) || (kind == ArgKind::kFile && p.ops[i].arg[a] == kNoFile)) return -1;
      const size_t at = BindingOp(p, kind, p.ops[i].arg[a]);
      return at < i ? p.ops[at].reserved : -2;
    };
    const Program before = program;
    switch (rnd.Below(3)) {
      case 0: {
        std::vector<bool> keep(n);
        for (uint32_t i = 0; i < n; ++i) keep[i] = !rnd.OneIn(5);
        RemoveOps(&program, keep);
        break;
      }
      case 1:
        MoveOp(&program, rnd.Below(n), rnd.Below(n + 1));
        break;
      default: {
        const Op ops[] = {Op{.code = Opcode::mm}, Op{.code = Opcode::drain},
                          Op{.code = Opcode::file, .arg = {4, 0}}};
        InsertOps(&program, rnd.Below(n + 1), ops);
        break;
      }
    }
    for (size_t i = 0; i < program.ops.size(); ++i) {
      const uint8_t mark = program.ops[i].reserved;
      if (mark == 0) continue;
      for (size_t a = 0; a < DescOf(program.ops[i].code).nargs; ++a) {
        ASSERT_EQ(binder_mark(program, i, a), binder_mark(before, mark - 1u, a))
            << PrintText(before) << "\n"
            << PrintText(program);
      }
    }
    for (Op& op : program.ops) op.reserved = 0;
    ASSERT_TRUE(Validate(program).ok()) << Validate(program);
  }
}

}  // namespace
}  // namespace mmdiff
