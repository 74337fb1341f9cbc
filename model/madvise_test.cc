#include <gtest/gtest.h>

#include "model/test_machine_ops.h"

namespace mmdiff::model {
namespace {

TEST(MadvFree, MakesPagesCleanAndLazyfree) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 16).value, 16u);
  EXPECT_EQ(m.Free(0, 0x40, 16).value, 16u);
  EXPECT_FALSE(m.pte(0, 0x48).bits & (kPteDirty | kPteYoung));
  EXPECT_TRUE(m.pte(0, 0x48).bits & kPteWrite);
  EXPECT_FALSE(m.has(0, 0x40, kFolioSwapBacked));
  EXPECT_EQ(m.folio_at(0, 0x40).lru, LruList::kInactiveFile);
  EXPECT_EQ(m.tlb_entries(0, 0x48), 0u) << "a dirty translation would hide the next write";
  EXPECT_EQ(m.Pageout(0, 0x40, 16).value, 16u);
  EXPECT_EQ(m.Read(0, 0x48, 1).data, FoldData(0, 0));
}

TEST(MadvFree, OfAPartSplitsTheFolio) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 16).value, 16u);
  EXPECT_EQ(m.Free(0, 0x40, 8).value, 8u);
  EXPECT_EQ(m.recorded(ChoiceKind::kMaybeShared), 1u);
  ASSERT_EQ(m.Drain().err, 0);
  for (uint32_t i = 0; i < 16; ++i) {
    EXPECT_EQ(m.folio_at(0, 0x40 + i).order, 0u);
    EXPECT_EQ(m.has(0, 0x40 + i, kFolioSwapBacked), i >= 8) << i;
  }
}

TEST(MadvFree, LeavesAPartOfASharedFolio) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 16).value, 16u);
  m.Fork(0, 1);
  EXPECT_EQ(m.Free(0, 0x40, 8).value, 0u);
  EXPECT_EQ(m.folio_at(0, 0x40).order, 4u);
}

// MM_ID forgets who came third: the last of three owners still looks shared.
TEST(MadvFree, TheThirdOwnerAloneLooksSharedWithMmId) {
  ReclaimMachine sticky;
  sticky.Mm(0);
  ASSERT_EQ(sticky.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(sticky.Write(0, 0x40, 16).value, 16u);
  sticky.Fork(0, 1);
  sticky.Fork(0, 2);
  ASSERT_EQ(sticky.Exit(0).err, 0);
  ASSERT_EQ(sticky.Exit(1).err, 0);
  EXPECT_EQ(sticky.Free(2, 0x40, 8).value, 0u);
  EXPECT_EQ(sticky.choices().at(0).a, 1u);
}

TEST(MadvFree, ErrorsAndHoles) {
  ReclaimMachine m;
  m.File(0, 8, 0);
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 2, kRw | kMapNoHuge).err, 0);
  ASSERT_EQ(m.Map(0, 0x44, 2, kRw | kMapNoHuge).err, 0);
  ASSERT_EQ(m.Map(0, 0x46, 2, kRw, 0).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 2).value, 2u);
  ASSERT_EQ(m.Write(0, 0x44, 2).value, 2u);
  OpResult r = m.Free(0, 0x40, 5);
  EXPECT_EQ(r.err, kENOMEM);
  EXPECT_EQ(r.value, 3u) << "all that is mapped is done";
  r = m.Free(0, 0x44, 4);
  EXPECT_EQ(r.err, kEINVAL);
  EXPECT_EQ(r.value, 2u) << "up to the file";
  EXPECT_EQ(m.Free(0, 0x40, 0).err, 0);
  EXPECT_EQ(m.Free(0, 0xfe, 9).err, kENOMEM);
  ASSERT_EQ(m.LockOnFault(0, 0x40, 1).err, 0);
  EXPECT_EQ(m.Free(0, 0x40, 2).err, kEINVAL);
  EXPECT_EQ(m.Cold(0, 0x40, 2).err, kEINVAL);
}

TEST(MadvCold, TakesYoungAndActive) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 16).value, 16u);
  ASSERT_EQ(m.MarkAccessed(0, 0x40).err, 0);
  ASSERT_EQ(m.MarkAccessed(0, 0x40).err, 0);
  ASSERT_EQ(m.folio_at(0, 0x40).lru, LruList::kActiveAnon);
  EXPECT_EQ(m.Cold(0, 0x40, 16).err, 0);
  EXPECT_EQ(m.folio_at(0, 0x40).lru, LruList::kInactiveAnon);
  for (uint32_t i = 0; i < 16; ++i) {
    EXPECT_FALSE(m.pte(0, 0x40 + i).bits & kPteYoung);
    EXPECT_TRUE(m.pte(0, 0x40 + i).bits & kPteDirty);
    EXPECT_EQ(m.tlb_entries(0, 0x40 + i), 0u);
  }
}

TEST(Dontfork, SplitsMergesAndIsObeyed) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 6, kRw).err, 0);
  EXPECT_EQ(m.Dontfork(0, 0x42, 2).value, 2u);
  EXPECT_EQ(m.vmas(0).size(), 3u);
  m.Fork(0, 1);
  EXPECT_EQ(m.vmas(1).size(), 2u);
  EXPECT_EQ(m.mm(1).total_vm, 4u);
  EXPECT_EQ(m.Dofork(0, 0x3e, 8).err, kENOMEM) << "a hole before it";
  EXPECT_EQ(m.vmas(0).size(), 1u) << "but what is mapped is done, and merges";

  World world;
  world.maps = 2;
  ReclaimMachine tight(world);
  tight.Mm(0);
  ASSERT_EQ(tight.Map(0, 0x40, 6, kRw).err, 0);
  EXPECT_EQ(tight.Dontfork(0, 0x42, 2).err, kEAGAIN) << "no room for two more VMAs";
}

}  // namespace
}  // namespace mmdiff::model
