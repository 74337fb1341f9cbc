// Programs without some of their operations.
#include "program/leave_out.h"

#include <string>

#include "gtest/gtest.h"
#include "program/fixup.h"
#include "program/generate.h"
#include "program/text.h"

namespace mmdiff {
namespace {

Program Parsed(const std::string& text) {
  const absl::StatusOr<Program> program = ParseText(text);
  EXPECT_TRUE(program.ok()) << program.status() << "\n" << text;
  return program.ok() ? *program : Program();
}

const OpcodeSet kNoPhases = SetOf({Opcode::migrate_begin, Opcode::zap_begin});

TEST(LeaveOut, TakesWhatDependsOnItToo) {
  Program program = Parsed(
      "# mmdiff 1\nworld\nm0 = mm\nmap m0 0x0 4 rw\ng0 = migrate_begin m0 0x0 node=1\nz0 = "
      "zap_begin m0 "
      "0x0 1\nwrite m0 0x1 1\nmigrate_end g0\nzap_finish z0\nread m0 0x1 1\n");
  EXPECT_EQ(OpcodesText(Uses(program, kNoPhases)), "migrate_begin, zap_begin");
  EXPECT_EQ(LeaveOut(kNoPhases, &program), 4u);
  EXPECT_EQ(PrintText(program),
            "# mmdiff 1\nworld\nm0 = mm\nmap m0 0x0 4 rw\nwrite m0 0x1 1\nread m0 0x1 1\n");
  EXPECT_TRUE(Uses(program, kNoPhases).none());
  EXPECT_EQ(LeaveOut(kNoPhases, &program), 0u);
}

TEST(LeaveOut, RenumbersHandlesThatStay) {
  Program program = Parsed(
      "# mmdiff 1\nworld\nm0 = mm\nm1 = fork m0\nm2 = mm\nmap m1 0x0 1 rw\nmap m2 0x0 1 rw\n");
  EXPECT_EQ(LeaveOut(SetOf({Opcode::fork}), &program), 2u);
  EXPECT_EQ(PrintText(program), "# mmdiff 1\nworld\nm0 = mm\nm1 = mm\nmap m1 0x0 1 rw\n");
}

TEST(LeaveOut, WhatIsExpectedBeforeTheFirstOfThemStays) {
  Program program = Parsed(
      "# mmdiff 1\nworld\nm0 = mm\nmap m0 0x0 1 rw\nwrite m0 0x0 1 # => ok 1\n#? m0 0x0 dirty\n"
      "cold m0 0x0 1 # => ok 0\n#? m0 0x0 !young\nread m0 0x0 1 # => ok 1\n#? m0 0x0 young\n");
  EXPECT_EQ(LeaveOut(SetOf({Opcode::cold}), &program), 1u);
  EXPECT_EQ(PrintText(program),
            "# mmdiff 1\nworld\nm0 = mm\nmap m0 0x0 1 rw\nwrite m0 0x0 1 # => ok 1\n"
            "#? m0 0x0 dirty\nread m0 0x0 1\n");
}

TEST(LeaveOut, MayLeaveNothing) {
  Program program = Parsed("# mmdiff 1\nworld\nm0 = mm\nf0 = file 4\nmigrate m0 0x0 4 node=1\n");
  EXPECT_FALSE(HasNothingLeft(program));
  EXPECT_EQ(LeaveOut(SetOf({Opcode::migrate}), &program), 1u);
  EXPECT_TRUE(HasNothingLeft(program));
  EXPECT_EQ(LeaveOut(SetOf({Opcode::mm, Opcode::file}), &program), 2u);
  EXPECT_TRUE(program.ops.empty());
  EXPECT_TRUE(HasNothingLeft(program));
}

TEST(LeaveOut, LeavesValidPrograms) {
  size_t left_out = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    Random rnd(seed);
    OpcodeSet codes;
    for (size_t code = 0; code < kOpcodes; ++code) codes[code] = rnd.OneIn(6);
    Program program = Generate(seed, {.world = {}, .ops = 60});
    const size_t before = program.ops.size();
    const size_t gone = LeaveOut(codes, &program);
    EXPECT_EQ(program.ops.size() + gone, before);
    EXPECT_TRUE(Uses(program, codes).none());
    EXPECT_TRUE(Validate(program).ok()) << Validate(program);
    left_out += gone;
  }
  EXPECT_GT(left_out, 1000u);
}

}  // namespace
}  // namespace mmdiff
