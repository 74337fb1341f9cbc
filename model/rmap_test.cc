#include <gtest/gtest.h>

#include "model/test_machine_ops.h"

namespace mmdiff::model {
namespace {

// A lazyfree folio of 16 pages at 0x40 of m0, isolated as i0; its entries are clean.
void MakeIsolatedLazyfree(ReclaimMachine& m) {
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 16).value, 16u);
  ASSERT_EQ(m.Free(0, 0x40, 16).value, 16u);
  ASSERT_FALSE(m.has(0, 0x40, kFolioSwapBacked));
  ASSERT_EQ(m.Isolate(0, 0x40).err, 0);
}

TEST(TryToUnmap, BatchedAndSingleUnmapsOfLazyfreeAgree) {
  ReclaimMachine batched, single(World{}, "-batch_unmap");
  for (ReclaimMachine* m : {&batched, &single}) {
    MakeIsolatedLazyfree(*m);
    EXPECT_EQ(m->TryToUnmap().value, 16u);
    EXPECT_EQ(m->recorded(ChoiceKind::kVisit), m == &batched ? 1u : 16u);
    EXPECT_EQ(m->mm(0).rss_anon, 0u);
    EXPECT_EQ(m->RemoveMapping().value, 16u);
    EXPECT_TRUE(m->state().folios.empty());
    EXPECT_EQ(m->RemoveMapping().err, kEBADF);
  }
  EXPECT_EQ(batched.state(), single.state());
  EXPECT_LT(batched.cost("atomic_ops"), single.cost("atomic_ops"));
}

TEST(TryToUnmap, BatchedAndSingleUnmapsOfAFileFolioAgree) {
  ReclaimMachine batched, single(World{}, "-batch_unmap");
  for (ReclaimMachine* m : {&batched, &single}) {
    m->File(0, 16, 4);
    m->Mm(0);
    // Mapped across the border of two page tables (0x3a to 0x4a), one entry writable and dirty.
    ASSERT_EQ(m->Map(0, 0x3a, 16, kRw | kMapShared, 0).err, 0);
    ASSERT_EQ(m->Read(0, 0x3a, 16).value, 16u);
    ASSERT_EQ(m->Write(0, 0x3c, 1).value, 1u);
    m->Fork(0, 1);
    ASSERT_EQ(m->Read(1, 0x3a, 3).value, 3u);
    ASSERT_EQ(m->Isolate(0, 0x3a).err, 0);
    EXPECT_EQ(m->TryToUnmap().value, 16u + 4u);
    EXPECT_TRUE(m->state().ptes.empty());
    EXPECT_TRUE(m->state().folios[0].flags & kFolioDirty);
    EXPECT_EQ(m->RemoveMapping().err, kEBUSY) << "a dirty file page is never written here";
    EXPECT_EQ(m->Putback().err, 0);
  }
  EXPECT_EQ(batched.state(), single.state());
}

TEST(TryToUnmap, ABatchEndsWhereTheWriteBitChanges) {
  ReclaimMachine m;
  m.File(0, 16, 4);
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw | kMapShared, 0).err, 0);
  ASSERT_EQ(m.Read(0, 0x40, 16).value, 16u);
  ASSERT_EQ(m.Write(0, 0x44, 1).value, 1u);
  ASSERT_EQ(m.Isolate(0, 0x40).err, 0);
  EXPECT_EQ(m.TryToUnmap().value, 16u);
  EXPECT_EQ(m.recorded(ChoiceKind::kVisit), 3u);
}

// The shape of CVE-2026-31398: a batch that ignores the write bit puts a whole folio back as
// writable as its first page is.
TEST(TryToUnmap, AnAbortedBatchKeepsEachWriteBit) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 16).value, 16u);
  m.Fork(0, 1);
  ASSERT_EQ(m.Exit(1).err, 0);  // all entries of m0 are read-only now, none exclusive
  ASSERT_EQ(m.Free(0, 0x40, 16).value, 16u);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);  // reused: writable, dirty, exclusive
  ASSERT_EQ(m.pte(0, 0x40).offset, 0u);
  ASSERT_TRUE(m.pte(0, 0x40).bits & kPteWrite);
  ASSERT_FALSE(m.pte(0, 0x41).bits & kPteWrite);
  ASSERT_EQ(m.Isolate(0, 0x40).err, 0);
  EXPECT_EQ(m.TryToUnmap().value, 0u);
  for (uint32_t vpn = 0x40; vpn < 0x50; ++vpn) {
    EXPECT_EQ(m.pte(0, vpn).kind, PteKind::kPresent);
    EXPECT_EQ((m.pte(0, vpn).bits & kPteWrite) != 0, vpn == 0x40) << vpn;
  }
  EXPECT_TRUE(m.has(0, 0x40, kFolioSwapBacked | kFolioDirty));
  EXPECT_EQ(m.state().stats.nr_isolated_anon, 16u);
  EXPECT_EQ(m.state().stats.nr_isolated_file, 0u);
}

TEST(TryToUnmap, AReferenceKeepsALazyfreePageButNotForSwap) {
  ReclaimMachine m;
  MakeIsolatedLazyfree(m);
  ASSERT_EQ(m.Pin(0, 0x47, 1, kGupGet | kGupFast).value, 1u);
  EXPECT_EQ(m.TryToUnmap().value, 0u);
  EXPECT_FALSE(m.has(0, 0x40, kFolioSwapBacked))
      << "it may still be discarded when the reference is gone";
  EXPECT_EQ(m.folio_at(0, 0x40).mapcount, 16u);
  ASSERT_EQ(m.Unpin().err, 0);
  EXPECT_EQ(m.TryToUnmap().value, 16u);
}

TEST(TryToUnmap, AWriteAfterMadvFreeIsNotLost) {
  ReclaimMachine m;
  MakeIsolatedLazyfree(m);
  ASSERT_EQ(m.Write(0, 0x4f, 1).value, 1u);
  EXPECT_EQ(m.TryToUnmap().value, 0u);
  EXPECT_TRUE(m.has(0, 0x40, kFolioSwapBacked | kFolioDirty));
  // All entries of an aborted batch are as dirty as its dirtiest.
  EXPECT_TRUE(m.pte(0, 0x40).bits & kPteDirty);
}

TEST(TryToUnmap, EndsAtALockedVmaAndMakesGoodTheMlock) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.Drain().err, 0);
  ASSERT_EQ(m.Isolate(0, 0x40).err, 0);
  ASSERT_EQ(m.LockOnFault(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.SwapAdd().err, 0);
  EXPECT_EQ(m.TryToUnmap().value, 0u);
  ASSERT_EQ(m.choices().size(), 1u);
  EXPECT_EQ(m.choices().at(0).c, 0u);
  EXPECT_TRUE(m.has(0, 0x40, kFolioMlocked));
  EXPECT_EQ(m.TryToUnmap(0, kTtuIgnoreMlock).value, 1u);
  EXPECT_EQ(m.pte(0, 0x40).kind, PteKind::kSwap);
  EXPECT_EQ(m.state().stats.nr_mlock, 0u) << "the last locked mapping took the mlock with it";
}

TEST(TryToUnmap, APinnedPageIsNotSwappedOut) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.Drain().err, 0);
  ASSERT_EQ(m.Isolate(0, 0x40).err, 0);
  ASSERT_EQ(m.SwapAdd().err, 0);
  ASSERT_EQ(m.Pin(0, 0x40, 1, kGupWrite).value, 1u);
  EXPECT_EQ(m.TryToUnmap().value, 0u);
  EXPECT_EQ(m.pte(0, 0x40).kind, PteKind::kPresent);
  EXPECT_EQ(m.page_at(0, 0x40).anon_exclusive, 1u);
  for (const SwapState& slot : m.state().swaps) EXPECT_EQ(slot.count, 0u);
}

TEST(TryToUnmap, FlushMayWaitOnlyIfAnotherCpuRanTheProcess) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 2, kRw | kMapNoHuge).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 2).value, 2u);
  ASSERT_EQ(m.Drain().err, 0);
  ASSERT_EQ(m.Isolate(0, 0x40, 0).err, 0);
  ASSERT_EQ(m.Isolate(0, 0x41, 1).err, 0);
  ASSERT_EQ(m.SwapAdd(0).err, 0);
  ASSERT_EQ(m.SwapAdd(1).err, 0);
  EXPECT_EQ(m.TryToUnmap(0, kTtuBatchFlush).value, 1u);
  EXPECT_EQ(m.mm(0).tlb_flush_pending, 0u);
  EXPECT_EQ(m.tlb_entries(0, 0x40), 0u);
  m.cpu = 1;
  ASSERT_EQ(m.Read(0, 0x41, 1).value, 1u);
  m.cpu = 0;
  EXPECT_EQ(m.TryToUnmap(1, kTtuBatchFlush).value, 1u);
  EXPECT_EQ(m.mm(0).tlb_flush_pending, 1u);
  EXPECT_EQ(m.tlb_entries(0, 0x41), 2u);
  EXPECT_EQ(m.RemoveMapping(1).value, 1u) << "which flushes first";
  EXPECT_EQ(m.tlb_entries(0, 0x41), 0u);
  EXPECT_EQ(m.mm(0).tlb_flush_pending, 0u);
}

// m0 maps a folio; six children share its anon_vma but have unmapped it.
void MakeUnmappedChildren(ReclaimMachine& m) {
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 16).value, 16u);
  for (uint32_t child = 1; child <= 6; ++child) {
    m.Fork(0, child);
    ASSERT_EQ(m.Dontneed(child, 0x40, 16).value, 16u);
  }
  ASSERT_EQ(m.Isolate(0, 0x40).err, 0);
}

TEST(FolioReferenced, EarlyExitSkipsVmasThatCannotMapTheFolio) {
  ReclaimMachine early, full(World{}, "-referenced_early_exit");
  uint64_t walked[2];
  for (ReclaimMachine* m : {&early, &full}) {
    MakeUnmappedChildren(*m);
    const uint64_t before = m->cost("vmas_walked");
    EXPECT_EQ(m->Referenced().value, 1u);
    walked[m == &full] = m->cost("vmas_walked") - before;
    EXPECT_EQ(m->Referenced().value, 0u) << "young was cleared";
  }
  EXPECT_EQ(walked[0], 1u);
  EXPECT_EQ(walked[1], 7u);
  EXPECT_EQ(early.state(), full.state());
}

TEST(FolioReferenced, CountsVmasNotPages) {
  ReclaimMachine batched, single(World{}, "-batch_referenced");
  for (ReclaimMachine* m : {&batched, &single}) {
    m->Mm(0);
    ASSERT_EQ(m->Map(0, 0x40, 16, kRw).err, 0);
    ASSERT_EQ(m->Write(0, 0x40, 16).value, 16u);
    m->Fork(0, 1);
    ASSERT_EQ(m->Read(1, 0x43, 2).value, 2u);
    ASSERT_EQ(m->Isolate(0, 0x40).err, 0);
    EXPECT_EQ(m->Referenced().value, 2u);
    EXPECT_EQ(m->recorded(ChoiceKind::kVisit), m == &batched ? 2u : 32u);
  }
  EXPECT_EQ(batched.state(), single.state());
}

TEST(FolioReferenced, EndsAtALockedVmaOnlyIfItMapsAllOfTheFolio) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 16).value, 16u);
  ASSERT_EQ(m.Isolate(0, 0x40).err, 0);
  ASSERT_EQ(m.LockOnFault(0, 0x40, 8).value, 8u);
  EXPECT_EQ(m.Referenced().value, 1u) << "half of it is in a VMA that is not locked";
  EXPECT_FALSE(m.has(0, 0x40, kFolioMlocked));
  ASSERT_EQ(m.LockOnFault(0, 0x48, 8).value, 8u);
  EXPECT_EQ(m.Referenced().value, 1000u);
  EXPECT_TRUE(m.has(0, 0x40, kFolioMlocked));
}

TEST(UnmapWalk, EndsWhenNothingMapsTheFolio) {
  ReclaimMachine done, full(World{}, "-unmap_walk_done");
  uint64_t walked[2];
  for (ReclaimMachine* m : {&done, &full}) {
    MakeUnmappedChildren(*m);
    ASSERT_EQ(m->SwapAdd().err, 0);
    const uint64_t before = m->cost("vmas_walked");
    EXPECT_EQ(m->TryToUnmap().value, 16u);
    walked[m == &full] = m->cost("vmas_walked") - before;
  }
  EXPECT_EQ(walked[0], 1u);
  EXPECT_EQ(walked[1], 7u);
  EXPECT_EQ(done.state(), full.state());
}

}  // namespace
}  // namespace mmdiff::model
