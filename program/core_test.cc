// Properties of the language's forms on arbitrary input: fix-up, binary and text agree.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "program/arg_kinds.h"
#include "program/binary.h"
#include "program/errno.h"
#include "program/fixup.h"
#include "program/random.h"
#include "program/text.h"
#include "program/world.h"

namespace mmdiff {
namespace {

std::vector<uint8_t> RandomBytes(Random* rnd, uint32_t max) {
  std::vector<uint8_t> bytes(rnd->Below(max));
  const bool small = rnd->OneIn(2);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(rnd->Below(small ? 64 : 256));
  return bytes;
}

// A program of arbitrary fields, not only of decodable ones.
Program RandomGarbage(Random* rnd) {
  Program program;
  if (rnd->OneIn(2)) {
    for (const WorldField& field : WorldFields()) {
      program.world.*field.member = static_cast<uint32_t>(rnd->Next() >> rnd->Between(32, 63));
    }
    program.world.orders = static_cast<uint32_t>(rnd->Next());
  }
  program.ops.resize(rnd->Below(24));
  for (Op& op : program.ops) {
    op.code = static_cast<Opcode>(rnd->Below(256));
    op.cpu = static_cast<uint8_t>(rnd->Next());
    op.thread = static_cast<uint8_t>(rnd->Next());
    op.reserved = static_cast<uint8_t>(rnd->Next());
    for (uint32_t& arg : op.arg) arg = static_cast<uint32_t>(rnd->Next() >> rnd->Between(32, 63));
  }
  const char* texts[] = {"=> ok", "=> ENOMEM 3", "? m0 0x40 present", "=> nonsense", "", "? a\nb"};
  for (uint32_t i = rnd->Below(4); i > 0; --i) {
    program.expectations.push_back({rnd->Below(24), 0, rnd->Pick(texts)});
  }
  return program;
}

TEST(Core, AnyBytesBecomeAProgramThatAllFormsKeep) {
  Random rnd(1);
  Program program, again;
  for (int i = 0; i < 100000; ++i) {
    const std::vector<uint8_t> bytes = RandomBytes(&rnd, 120);
    DecodeInto(bytes, &program);
    ASSERT_TRUE(Validate(program).ok()) << Validate(program) << "\n" << PrintText(program);
    again = program;
    Fixup(&again);
    ASSERT_EQ(again, program) << "fix-up is not idempotent\n" << PrintText(program);
    const std::vector<uint8_t> encoded = Encode(program);
    DecodeInto(encoded, &again);
    ASSERT_EQ(again, program) << PrintText(program);
    if (i % 8 != 0) continue;
    const std::string text = PrintText(program);
    const auto parsed = ParseText(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status() << "\n" << text;
    ASSERT_EQ(*parsed, program) << text;
    ASSERT_EQ(PrintText(*parsed), text);
  }
}

TEST(Core, FixupMakesAnyProgramValidAndKeepsValidOnes) {
  Random rnd(2);
  for (int i = 0; i < 50000; ++i) {
    Program program = RandomGarbage(&rnd);
    const Program before = program;
    Fixup(&program);
    ASSERT_TRUE(Validate(program).ok()) << Validate(program);
    EXPECT_EQ(Validate(before).ok(), before == program);
    Program again = program;
    Fixup(&again);
    ASSERT_EQ(again, program);
    const std::string text = PrintText(program);
    const auto parsed = ParseText(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status() << "\n" << text;
    ASSERT_EQ(*parsed, program) << text;
  }
}

TEST(Fixup, PutsAMissingProcessInFrontAndShiftsTheOthers) {
  Program program;
  Op write{.code = Opcode::write, .arg = {0, 4, 1}};
  Op mm{.code = Opcode::mm};
  Op write_second{.code = Opcode::write, .arg = {0, 8, 1}};
  program.ops = {write, mm, write_second};
  program.expectations = {{0, 0, "=> EFAULT"}};
  Fixup(&program);
  EXPECT_EQ(PrintText(program),
            "# mmdiff 1\nworld\nm0 = mm\nwrite m0 0x4 1 # => EFAULT\nm1 = mm\nwrite m1 0x8 1\n");
}

TEST(Fixup, DropsWhatHasNoHandleAndKeepsErrorsPossible) {
  Program program;
  program.ops = {Op{.code = Opcode::unpin},
                 Op{.code = Opcode::mm},
                 Op{.code = Opcode::migrate_begin, .arg = {0, 255, 2}},
                 Op{.code = Opcode::unmap, .arg = {0, 255, 256}},
                 Op{.code = Opcode::unmap, .arg = {0, 0, 0}},
                 Op{.code = Opcode::migrate_end, .arg = {77}}};
  program.expectations = {{0, 0, "=> ok"}, {5, 0, "=> EBADF"}};
  Fixup(&program);
  EXPECT_EQ(PrintText(program),
            "# mmdiff 1\nworld\nm0 = mm\ng0 = migrate_begin m0 0xff node=2\nunmap m0 0xff 256\n"
            "unmap m0 0x0 0\nmigrate_end g0 # => EBADF\n");
}

TEST(Fixup, CutsToTheLimitEvenWhenAProcessIsInserted) {
  Program program;
  program.ops.assign(kMaxOps + 5, Op{.code = Opcode::read, .arg = {0, 1, 1}});
  Fixup(&program);
  EXPECT_EQ(program.ops.size(), kMaxOps);
  EXPECT_EQ(program.ops[0].code, Opcode::mm);
  EXPECT_TRUE(Validate(program).ok());
}

TEST(Fixup, AllocatesNothingOnceTheVectorsAreLarge) {
  Random rnd(3);
  Program program;
  DecodeInto(std::vector<uint8_t>(4000, 7), &program);
  const Op* data = program.ops.data();
  const size_t capacity = program.ops.capacity();
  for (int i = 0; i < 200; ++i) {
    DecodeInto(RandomBytes(&rnd, 400), &program);
    ASSERT_EQ(program.ops.capacity(), capacity);
    ASSERT_EQ(program.ops.data(), data);
  }
}

TEST(Validate, NamesTheFaultAndTheRemedy) {
  Program program;
  program.ops = {Op{.code = Opcode::mm}, Op{.code = Opcode::read, .arg = {1, 0, 1}}};
  EXPECT_EQ(Validate(program).message(),
            "operation 1 (read): mm is m1; expected a handle of kind Mm that is bound before: m0");
  program.ops[1].arg[0] = 0;
  program.ops[1].arg[1] = 300;
  EXPECT_EQ(Validate(program).message(),
            "operation 1 (read): vpn is 0x12c; expected a page number from 0 to 0xff, because the "
            "arena has 256 pages");
  program.ops[1].arg[1] = 3;
  program.ops[1].arg[4] = 1;
  EXPECT_EQ(Validate(program).message(),
            "operation 1 (read): argument 4 is not used and must be 0, not 1");
  program.ops[1].arg[4] = 0;
  program.ops[1].cpu = 2;
  EXPECT_EQ(Validate(program).message(),
            "operation 1 (read): cpu 2 does not exist; the world has 2");
  program.ops[1].cpu = 1;
  EXPECT_TRUE(Validate(program).ok());
}

TEST(Binary, IsShortAndCutsAtWholeOperations) {
  Program program;
  program.ops = {Op{.code = Opcode::mm},
                 Op{.code = Opcode::map, .arg = {0, 0x40, 16, 3, kNoFile, 0}},
                 Op{.code = Opcode::write, .cpu = 1, .arg = {0, 0x40, 16}}};
  const std::vector<uint8_t> bytes = Encode(program);
  EXPECT_EQ(bytes.size(), 1u + 1 + 7 + 5);
  std::vector<uint8_t> cut(bytes.size() - 1);
  EXPECT_EQ(EncodeInto(program, cut.data(), cut.size()), 9u);
  cut.resize(9);
  Program shorter = program;
  shorter.ops.pop_back();
  EXPECT_EQ(Decode(cut), shorter);
  EXPECT_TRUE(Decode({}).ops.empty());
  EXPECT_EQ(Decode(bytes, 2).ops.size(), 2u);
}

TEST(Errno, NamesAndNumbersMatch) {
  for (const ErrnoName& e : AllErrnos()) {
    EXPECT_EQ(ErrnoOfName(e.name), e.number);
    EXPECT_STREQ(NameOfErrno(e.number), e.name);
  }
  EXPECT_EQ(AllErrnos().size(), 16u);
  EXPECT_EQ(ErrnoOfName("ENOMEM"), 12);
  EXPECT_EQ(ErrnoText(0), "ok");
  EXPECT_EQ(ErrnoText(77), "errno 77");
  EXPECT_EQ(NameOfErrno(77), nullptr);
}

TEST(Random, IsTheSameEverywhere) {
  Random rnd(42);
  EXPECT_EQ(rnd.Next(), 1546998764402558742u);
  for (int i = 0; i < 1000; ++i) {
    const uint32_t n = rnd.Between(3, 9);
    EXPECT_GE(n, 3u);
    EXPECT_LE(n, 9u);
  }
  EXPECT_EQ(rnd.Below(0), 0u);
}

}  // namespace
}  // namespace mmdiff
