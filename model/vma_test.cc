#include <gtest/gtest.h>

#include "model/test_machine.h"

namespace mmdiff::model {
namespace {

uint32_t Count(const TestMachine& m) { return static_cast<uint32_t>(m.vmas(0).size()); }

TEST(Vma, NewMappingMergesLeftRightAndBoth) {
  TestMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x10, 4, kRw).err, 0);
  ASSERT_EQ(m.Map(0, 0x14, 4, kRw).err, 0);
  EXPECT_EQ(Count(m), 1u);
  ASSERT_EQ(m.Map(0, 0x20, 4, kRw).err, 0);
  EXPECT_EQ(Count(m), 2u);
  ASSERT_EQ(m.Map(0, 0x18, 8, kRw).err, 0);
  ASSERT_EQ(Count(m), 1u);
  EXPECT_EQ(m.vmas(0)[0].start, 0x10u);
  EXPECT_EQ(m.vmas(0)[0].end, 0x24u);
  EXPECT_EQ(m.mm(0).total_vm, 20u);
}

TEST(Vma, FileMappingsMergeOnlyAtContiguousOffsets) {
  TestMachine m;
  m.Mm(0);
  m.File(0, 32, 0);
  ASSERT_EQ(m.Map(0, 0x10, 4, kRw, 0, 8).err, 0);
  ASSERT_EQ(m.Map(0, 0x14, 4, kRw, 0, 12).err, 0);
  EXPECT_EQ(Count(m), 1u);
  ASSERT_EQ(m.Map(0, 0x18, 4, kRw, 0, 12).err, 0);
  EXPECT_EQ(Count(m), 2u);
  ASSERT_EQ(m.Map(0, 0x0c, 4, kRw | kMapShared, 0, 4).err, 0);
  EXPECT_EQ(Count(m), 3u);
}

TEST(Vma, DifferentAnonVmasKeepNeighboursApartAndNothingElseDoes) {
  // Which of prev, middle and next have pages decides whether [prev][middle][next] can become one
  // VMA.
  for (uint32_t touched = 0; touched < 8; ++touched) {
    TestMachine m;
    m.Mm(0);
    // Faulted while they are not adjacent in kind, so each gets an anon_vma of its own.
    ASSERT_EQ(m.Map(0, 0x10, 4, kRw | kMapNoHuge).err, 0);
    ASSERT_EQ(m.Map(0, 0x18, 4, kRw | kMapNoHuge).err, 0);
    if (touched & 1) {
      ASSERT_EQ(m.Write(0, 0x10, 1).err, 0);
    }
    if (touched & 4) {
      ASSERT_EQ(m.Write(0, 0x18, 1).err, 0);
    }
    ASSERT_EQ(m.Map(0, 0x14, 4, kMapRead | kMapNoHuge).err, 0);
    ASSERT_EQ(Count(m), 3u);
    if (touched & 2) {
      ASSERT_EQ(m.Protect(0, 0x14, 4, kProtNone).err, 0);
      ASSERT_EQ(m.Protect(0, 0x14, 4, kProtRead | kProtWrite).err, 0);
      ASSERT_EQ(m.Write(0, 0x14, 1).err, 0);
    } else {
      ASSERT_EQ(m.Protect(0, 0x14, 4, kProtRead | kProtWrite).err, 0);
    }
    // Both outer VMAs with roots of their own: only two of the three can merge.
    EXPECT_EQ(Count(m), (touched & 5) == 5 ? 2u : 1u) << touched;
    EXPECT_EQ(m.mm(0).map_count, Count(m));
  }
}

TEST(Vma, ProtectOverAHoleChangesWhatLiesBefore) {
  TestMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x10, 4, kRw).err, 0);
  ASSERT_EQ(m.Map(0, 0x18, 4, kRw).err, 0);
  const OpResult r = m.Protect(0, 0x12, 8, kProtRead);
  EXPECT_EQ(r.err, kENOMEM);
  EXPECT_EQ(r.value, 2u);
  ASSERT_EQ(Count(m), 3u);
  EXPECT_EQ(m.vmas(0)[1].flags, static_cast<uint32_t>(kVmRead));
  EXPECT_EQ(m.vmas(0)[2].flags, kVmRead | kVmWrite | kVmAccount);
  EXPECT_EQ(m.Protect(0, 0x10, 4, kProtRead | kProtWrite).err, 0);
  EXPECT_EQ(Count(m), 2u) << "the parts merge again";
}

TEST(Vma, LimitRefusesAHolePunchAndASplitButNotAnEnd) {
  World world;
  world.maps = 2;
  TestMachine m(world);
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x10, 8, kRw).err, 0);
  ASSERT_EQ(m.Map(0, 0x20, 8, kRw).err, 0);
  EXPECT_EQ(m.Unmap(0, 0x12, 2).err, kENOMEM);
  EXPECT_EQ(m.Protect(0, 0x12, 2, kProtRead).err, kENOMEM);
  EXPECT_EQ(m.mm(0).total_vm, 16u);
  EXPECT_EQ(m.Unmap(0, 0x16, 2).value, 2u);
  EXPECT_EQ(m.mm(0).total_vm, 14u);
}

TEST(Vma, UnmapFreesPageTablesThatNoVmaNeeds) {
  TestMachine m;  // 32 entries a table
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x20, 0x60, kRw | kMapPopulate).err, 0);
  Kernel& k = static_cast<Model&>(m.impl()).kernel();
  const auto table = [&](uint32_t vpn) { return pmd_lookup(*k.FindMm(0), vpn); };
  ASSERT_NE(table(0x40), nullptr);
  EXPECT_EQ(m.Unmap(0, 0x30, 0x30).value, 0x30u);
  EXPECT_NE(table(0x20), nullptr);
  EXPECT_EQ(table(0x40), nullptr);
  EXPECT_NE(table(0x60), nullptr);
  EXPECT_EQ(m.Write(0, 0x60, 4).value, 4u);
}

}  // namespace
}  // namespace mmdiff::model
