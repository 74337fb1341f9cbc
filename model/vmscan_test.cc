#include <gtest/gtest.h>

#include "model/test_machine_ops.h"

namespace mmdiff::model {
namespace {

void MapAndWrite(ReclaimMachine& m, uint32_t n, uint32_t flags = kRw) {
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, n, flags).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, n).value, n);
  ASSERT_EQ(m.Drain().err, 0);
}

TEST(Pageout, SwapsOutAndInAgain) {
  for (const char* spec : {"", "-batch_unmap,-unmap_walk_done,-lru_batch"}) {
    ReclaimMachine m(World{}, spec);
    MapAndWrite(m, 16);
    EXPECT_EQ(m.Pageout(0, 0x40, 16).value, 16u);
    EXPECT_TRUE(m.state().folios.empty());
    EXPECT_EQ(m.mm(0).rss_swap, 16u);
    ASSERT_EQ(m.state().swaps.size(), 16u);
    EXPECT_EQ(m.state().swaps[3].content, StoredValue(2, 0x43));
    EXPECT_EQ(m.Read(0, 0x43, 1).data, FoldData(0, StoredValue(2, 0x43)));
    EXPECT_TRUE(m.pte(0, 0x43).bits & kPteWrite) << "the entry was exclusive";
    EXPECT_EQ(m.mm(0).rss_swap, 15u);
  }
}

TEST(Pageout, ASharedSlotIsNotExclusiveAfterFork) {
  ReclaimMachine m;
  MapAndWrite(m, 1);
  ASSERT_EQ(m.Pageout(0, 0x40, 1).value, 1u);
  m.Fork(0, 1);
  EXPECT_EQ(m.state().swaps[0].count, 2u);
  ASSERT_EQ(m.Write(1, 0x40, 1).value, 1u);
  EXPECT_EQ(m.Read(0, 0x40, 1).data, FoldData(0, StoredValue(2, 0x40)));
}

TEST(Pageout, NoRoomInSwapSplitsThenActivates) {
  World world;
  world.swap = 8;
  ReclaimMachine m(world);
  MapAndWrite(m, 16);
  EXPECT_EQ(m.Pageout(0, 0x40, 16).value, 8u);
  EXPECT_EQ(m.mm(0).rss_swap, 8u);
  EXPECT_EQ(m.mm(0).rss_anon, 8u);
  ASSERT_EQ(m.Drain().err, 0);
  for (const FolioState& folio : m.state().folios) {
    EXPECT_EQ(folio.order, 0u);
    EXPECT_EQ(folio.lru, LruList::kActiveAnon);
  }
}

TEST(Pageout, LeavesWhatSomebodyElseUses) {
  ReclaimMachine m;
  MapAndWrite(m, 4, kRw | kMapNoHuge);
  m.Fork(0, 1);
  EXPECT_EQ(m.Pageout(0, 0x40, 2).value, 0u) << "mapped twice";
  ASSERT_EQ(m.Exit(1).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 4).value, 4u);
  ASSERT_EQ(m.Pin(0, 0x41, 1, kGupWrite).value, 1u);
  EXPECT_EQ(m.Pageout(0, 0x40, 2).value, 1u) << "pinned";
  EXPECT_EQ(m.pte(0, 0x41).kind, PteKind::kPresent);
  ASSERT_EQ(m.LockOnFault(0, 0x43, 1).err, 0);
  EXPECT_EQ(m.Pageout(0, 0x42, 2).err, kEINVAL);
  EXPECT_EQ(m.pte(0, 0x42).kind, PteKind::kSwap) << "what lies before the locked VMA is done";
}

TEST(Reclaim, GivesAReferencedPageASecondChance) {
  ReclaimMachine m;
  MapAndWrite(m, 1);
  EXPECT_EQ(m.Reclaim(0, 0x40, 1).value, 0u);
  EXPECT_TRUE(m.has(0, 0x40, kFolioReferenced | kFolioLru));
  EXPECT_EQ(m.Reclaim(0, 0x40, 1).value, 1u) << "not used since";
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.Drain().err, 0);
  EXPECT_EQ(m.Reclaim(0, 0x40, 1).value, 0u);
  EXPECT_FALSE(m.pte(0, 0x40).bits & kPteYoung);
}

TEST(Reclaim, UseByTwoProcessesActivates) {
  ReclaimMachine m;
  MapAndWrite(m, 1);
  m.Fork(0, 1);
  ASSERT_EQ(m.Read(1, 0x40, 1).value, 1u);
  EXPECT_EQ(m.Reclaim(0, 0x40, 1).value, 0u);
  EXPECT_EQ(m.folio_at(0, 0x40).lru, LruList::kActiveAnon);
}

TEST(Reclaim, SplitsAFolioOfWhichPagesAreUnmapped) {
  ReclaimMachine m;
  MapAndWrite(m, 16);
  ASSERT_EQ(m.Dontneed(0, 0x44, 8).value, 8u);
  ASSERT_TRUE(m.has(0, 0x40, kFolioPartiallyMapped));
  ASSERT_EQ(m.Reclaim(0, 0x40, 16).value, 0u);  // the first look takes young
  // Pages that nothing maps have no entry to be found by: they are not written, and go when they
  // are put back.
  EXPECT_EQ(m.Reclaim(0, 0x40, 16).value, 8u);
  EXPECT_TRUE(m.state().folios.empty());
  EXPECT_EQ(m.mm(0).rss_swap, 8u);
  EXPECT_EQ(m.state().swaps.size(), 8u) << "pages that nothing maps keep no slot";
}

TEST(Reclaim, ALockedMappingMakesItUnevictableAgain) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Lock(0, 0x40, 16).err, 0);
  // A PTE-mapped large folio loses its mlock when it is migrated; reclaim makes it good.
  ASSERT_EQ(m.Migrate(0, 0x40, 16, 1).value, 1u);
  ASSERT_FALSE(m.has(0, 0x40, kFolioMlocked));
  EXPECT_EQ(m.Reclaim(0, 0x40, 16).value, 0u);
  EXPECT_TRUE(m.has(0, 0x40, kFolioMlocked));
  ASSERT_EQ(m.Drain().err, 0);
  EXPECT_EQ(m.folio_at(0, 0x40).lru, LruList::kUnevictable);
}

TEST(RemoveMapping, WritesOnlyWhatItCanFree) {
  ReclaimMachine m;
  MapAndWrite(m, 1);
  ASSERT_EQ(m.Isolate(0, 0x40).err, 0);
  ASSERT_EQ(m.SwapAdd().err, 0);
  EXPECT_EQ(m.SwapAdd().err, kEEXIST);
  EXPECT_EQ(m.RemoveMapping().err, kEBUSY) << "mapped";
  ASSERT_EQ(m.Pin(0, 0x40, 1, kGupGet).value, 1u);
  ASSERT_EQ(m.TryToUnmap().value, 1u);
  EXPECT_EQ(m.RemoveMapping().err, kEBUSY) << "held";
  EXPECT_EQ(m.state().swaps[0].content, 0u);
  ASSERT_EQ(m.PinWrite().value, 1u);
  ASSERT_EQ(m.Unpin().err, 0);
  EXPECT_EQ(m.RemoveMapping().value, 1u);
  EXPECT_EQ(m.state().swaps[0].count, 1u);
  EXPECT_EQ(m.state().swaps[0].cached, 0u);
  EXPECT_EQ(m.RemoveMapping().err, kEBADF);
}

TEST(Isolate, IsForOneAndGoesBackThroughABatch) {
  ReclaimMachine m;
  MapAndWrite(m, 1);
  ASSERT_EQ(m.Isolate(0, 0x40, 0).err, 0);
  EXPECT_EQ(m.Isolate(0, 0x40, 1).err, kEBUSY);
  EXPECT_EQ(m.Putback(1).err, kEBADF);
  EXPECT_EQ(m.state().stats.nr_isolated_anon, 1u);
  EXPECT_EQ(m.Putback(0).err, 0);
  EXPECT_EQ(m.state().stats.nr_isolated_anon, 0u);
  EXPECT_FALSE(m.has(0, 0x40, kFolioLru));
  ASSERT_EQ(m.Drain().err, 0);
  EXPECT_TRUE(m.has(0, 0x40, kFolioLru));
}

TEST(SwapSlots, AreTheLowestAlignedRunAndGoWithTheirLastEntry) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  ASSERT_EQ(m.Map(0, 0x60, 4, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.Write(0, 0x60, 4).value, 4u);
  ASSERT_EQ(m.Drain().err, 0);
  ASSERT_EQ(m.Pageout(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.Pageout(0, 0x60, 4).value, 4u);
  EXPECT_EQ(m.pte(0, 0x40).slot, 0u);
  EXPECT_EQ(m.pte(0, 0x60).slot, 4u);
  EXPECT_EQ(m.Free(0, 0x60, 2).value, 0u) << "swap entries are dropped";
  EXPECT_EQ(m.mm(0).rss_swap, 3u);
  EXPECT_EQ(m.state().swaps.size(), 3u);
}

TEST(SwapCache, GoesWithTheLastEntryOfAnUnmappedFolio) {
  for (const char* spec : {"", "-batch_swap"}) {
    ReclaimMachine m(World{}, spec);
    MapAndWrite(m, 4);
    ASSERT_EQ(m.Isolate(0, 0x40).err, 0);
    ASSERT_EQ(m.SwapAdd().err, 0);
    ASSERT_EQ(m.TryToUnmap().value, 4u);
    ASSERT_EQ(m.Putback().err, 0);
    EXPECT_EQ(m.state().folios.size(), 1u);
    ASSERT_EQ(m.Free(0, 0x40, 3).err, 0);
    EXPECT_EQ(m.state().folios.size(), 1u);
    ASSERT_EQ(m.Free(0, 0x43, 1).err, 0);
    EXPECT_TRUE(m.state().folios.empty());
    EXPECT_TRUE(m.state().swaps.empty());
  }
}

}  // namespace
}  // namespace mmdiff::model
