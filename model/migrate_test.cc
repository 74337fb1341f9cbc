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

TEST(Migrate, MovesContentsAndMappings) {
  ReclaimMachine m;
  MapAndWrite(m, 16);
  EXPECT_EQ(m.Migrate(0, 0x40, 16, 1).value, 1u);
  const FolioState folio = m.folio_at(0, 0x40);
  EXPECT_EQ(folio.node, 1u);
  EXPECT_EQ(folio.order, 4u);
  EXPECT_EQ(folio.refcount, 16u);
  EXPECT_TRUE(m.pte(0, 0x4f).bits & kPteWrite);
  EXPECT_EQ(m.page_at(0, 0x4f).anon_exclusive, 1u);
  EXPECT_EQ(m.page_at(0, 0x4f).content, StoredValue(2, 0x4f));
  EXPECT_EQ(m.tlb_entries(0, 0x40), 0u);
  EXPECT_EQ(m.state().folios.size(), 1u);
}

TEST(Migrate, AbortPutsEachEntryBack) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 4, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 4).value, 4u);
  m.Fork(0, 1);
  ASSERT_EQ(m.Exit(1).err, 0);
  ASSERT_EQ(m.Write(0, 0x42, 1).value, 1u);  // the one that is writable
  PteState before[4];
  for (uint32_t i = 0; i < 4; ++i) before[i] = m.pte(0, 0x40 + i);
  EXPECT_EQ(m.MigrateBegin(0, 0x40, 1).value, 4u);
  EXPECT_EQ(m.pte(0, 0x40).kind, PteKind::kMigration);
  EXPECT_EQ(m.Read(0, 0x40, 1).err, kEAGAIN);
  EXPECT_EQ(m.mm(0).rss_anon, 4u);
  EXPECT_EQ(m.MigrateAbort().value, 4u);
  for (uint32_t i = 0; i < 4; ++i) EXPECT_EQ(m.pte(0, 0x40 + i), before[i]) << i;
  EXPECT_EQ(m.MigrateEnd().err, kEBADF);
  EXPECT_EQ(m.state().folios.size(), 1u);
}

TEST(Migrate, ForkBetweenThePhasesTakesTheExclusiveBit) {
  ReclaimMachine m;
  MapAndWrite(m, 1);
  ASSERT_EQ(m.MigrateBegin(0, 0x40, 1).value, 1u);
  m.Fork(0, 1);
  EXPECT_EQ(m.MigrateEnd().value, 2u);
  EXPECT_EQ(m.folio_at(0, 0x40).mapcount, 2u);
  EXPECT_EQ(m.page_at(0, 0x40).anon_exclusive, 0u);
  EXPECT_FALSE(m.pte(0, 0x40).bits & kPteWrite);
  EXPECT_FALSE(m.pte(1, 0x40).bits & kPteWrite);
  ASSERT_EQ(m.Write(1, 0x40, 1).value, 1u);
  EXPECT_EQ(m.Read(0, 0x40, 1).data, FoldData(0, StoredValue(2, 0x40)));
}

TEST(Migrate, EntriesThatAreGoneAreNotMissed) {
  ReclaimMachine m;
  MapAndWrite(m, 4);
  ASSERT_EQ(m.MigrateBegin(0, 0x40, 1).value, 4u);
  ASSERT_EQ(m.Dontneed(0, 0x40, 2).value, 2u);
  EXPECT_EQ(m.MigrateEnd().value, 2u);
  EXPECT_EQ(m.mm(0).rss_anon, 2u);
  EXPECT_EQ(m.folio_at(0, 0x42).refcount, 2u);
}

TEST(Migrate, OfAProcessThatEndsMeanwhile) {
  ReclaimMachine m;
  MapAndWrite(m, 4);
  ASSERT_EQ(m.MigrateBegin(0, 0x40, 1).value, 4u);
  ASSERT_EQ(m.Exit(0).err, 0);
  m.Mm(1);  // takes over what the dead process's anon_vma was made of
  ASSERT_EQ(m.Map(1, 0x40, 4, kRw).err, 0);
  ASSERT_EQ(m.Write(1, 0x40, 4).value, 4u);
  EXPECT_EQ(m.MigrateEnd().value, 0u);
  ASSERT_EQ(m.DrainAll().err, 0);
  EXPECT_EQ(m.state().folios.size(), 1u);
}

TEST(Migrate, MprotectBetweenThePhasesTakesTheWriteBit) {
  ReclaimMachine m;
  MapAndWrite(m, 1);
  ASSERT_EQ(m.MigrateBegin(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.Protect(0, 0x40, 1, kProtRead).err, 0);
  EXPECT_TRUE(m.pte(0, 0x40).bits & kPteExclusive);
  EXPECT_EQ(m.MigrateEnd().value, 1u);
  EXPECT_FALSE(m.pte(0, 0x40).bits & kPteWrite);
  EXPECT_EQ(m.page_at(0, 0x40).anon_exclusive, 1u);
}

TEST(Migrate, HeldOrPinnedPagesStay) {
  ReclaimMachine m;
  MapAndWrite(m, 3, kRw | kMapNoHuge);
  ASSERT_EQ(m.Pin(0, 0x40, 1, kGupWrite | kGupFast, 0).value, 1u);
  ASSERT_EQ(m.Pin(0, 0x41, 1, kGupGet | kGupFast, 1).value, 1u);
  const OpResult r = m.Migrate(0, 0x40, 3, 1);
  EXPECT_EQ(r.err, kEAGAIN);
  EXPECT_EQ(r.value, 1u);
  EXPECT_EQ(m.folio_at(0, 0x42).node, 1u);
  for (uint32_t vpn : {0x40u, 0x41u}) {
    EXPECT_EQ(m.folio_at(0, vpn).node, 0u);
    EXPECT_TRUE(m.pte(0, vpn).bits & kPteWrite);
    EXPECT_TRUE(m.has(0, vpn, kFolioLru)) << "LRU batches are off while it runs";
  }
}

TEST(Migrate, AReferenceInABatchFailsThePhasesButNotTheWhole) {
  ReclaimMachine m;
  MapAndWrite(m, 1);
  m.cpu = 1;
  ASSERT_EQ(m.MarkAccessed(0, 0x40).err, 0);
  ASSERT_EQ(m.MarkAccessed(0, 0x40).err, 0);
  m.cpu = 0;
  ASSERT_EQ(m.MigrateBegin(0, 0x40, 1).value, 1u);
  EXPECT_EQ(m.MigrateEnd().err, kEAGAIN);
  EXPECT_EQ(m.folio_at(0, 0x40).node, 0u);
  ASSERT_EQ(m.Drain().err, 0);
  EXPECT_EQ(m.Migrate(0, 0x40, 1, 1).value, 1u);
}

TEST(Migrate, MlockOfASmallPageGoesAlong) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  ASSERT_EQ(m.Lock(0, 0x40, 1).err, 0);
  ASSERT_EQ(m.MigrateBegin(0, 0x40, 1).value, 1u);
  EXPECT_EQ(m.state().stats.nr_mlock, 0u);
  ASSERT_EQ(m.MigrateEnd().value, 1u);
  EXPECT_TRUE(m.has(0, 0x40, kFolioMlocked | kFolioUnevictable | kFolioLru));
  EXPECT_EQ(m.folio_at(0, 0x40).mlock_count, 1u)
      << "the drain put it on the list before it was counted";
}

TEST(Migrate, MlockOfALargeFolioIsLostUntilReclaim) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Lock(0, 0x40, 16).err, 0);
  ASSERT_TRUE(m.has(0, 0x40, kFolioMlocked | kFolioUnevictable));
  ASSERT_EQ(m.Migrate(0, 0x40, 16, 1).value, 1u);
  EXPECT_FALSE(m.has(0, 0x40, kFolioMlocked)) << "its pages are mapped one by one";
  EXPECT_EQ(m.state().stats.nr_mlock, 0u);
  EXPECT_EQ(m.mm(0).locked_vm, 16u);
}

TEST(Migrate, PageCacheFolio) {
  ReclaimMachine m;
  m.File(0, 16, 4);
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw | kMapShared, 0).err, 0);
  ASSERT_EQ(m.Write(0, 0x41, 1).value, 1u);
  m.Mm(1);
  ASSERT_EQ(m.Map(1, 0x7a, 16, kRw | kMapShared, 0).err, 0);  // over two page tables
  ASSERT_EQ(m.Read(1, 0x7a, 16).value, 16u);
  ASSERT_EQ(m.DrainAll().err, 0);
  EXPECT_EQ(m.Migrate(1, 0x7a, 16, 1).value, 1u);
  EXPECT_EQ(m.state().folios.size(), 1u);
  EXPECT_EQ(m.state().folios[0].node, 1u);
  EXPECT_EQ(m.Read(1, 0x7b, 1).data, FoldData(0, StoredValue(3, 0x41)));
}

TEST(Migrate, Errors) {
  ReclaimMachine m;
  MapAndWrite(m, 1);
  EXPECT_EQ(m.MigrateBegin(0, 0x40, 2).err, kENODEV);
  EXPECT_EQ(m.Migrate(0, 0x40, 1, 2).err, kENODEV);
  EXPECT_EQ(m.MigrateBegin(0, 0x50, 1).err, kEFAULT);
  EXPECT_EQ(m.Migrate(0, 0x50, 4, 1).err, kENOENT);
  ASSERT_EQ(m.Isolate(0, 0x40).err, 0);
  EXPECT_EQ(m.MigrateBegin(0, 0x40, 1).err, kEBUSY);
  EXPECT_EQ(m.Migrate(0, 0x40, 1, 1).err, kEAGAIN);
  EXPECT_EQ(m.MigrateEnd(5).err, kEBADF);
}

TEST(Split, PiecesKeepWhatTheFolioWas) {
  ReclaimMachine m;
  MapAndWrite(m, 16);
  ASSERT_EQ(m.MarkAccessed(0, 0x40).err, 0);
  const uint32_t number = m.pte(0, 0x40).folio;
  EXPECT_EQ(m.Split(0, 0x47).value, 16u);
  EXPECT_EQ(m.pte(0, 0x40).folio, number);
  for (uint32_t i = 0; i < 16; ++i) {
    EXPECT_EQ(m.folio_at(0, 0x40 + i).order, 0u);
    EXPECT_EQ(m.folio_at(0, 0x40 + i).refcount, 1u);
    EXPECT_TRUE(m.has(0, 0x40 + i, kFolioReferenced | kFolioLru | kFolioSwapBacked));
    EXPECT_EQ(m.page_at(0, 0x40 + i).content, StoredValue(2, 0x40 + i));
    EXPECT_EQ(m.page_at(0, 0x40 + i).anon_exclusive, 1u);
    EXPECT_TRUE(m.pte(0, 0x40 + i).bits & kPteWrite);
  }
  EXPECT_EQ(m.Split(0, 0x40).err, kEINVAL) << "small";
}

TEST(Split, ZeroPagesAndUnmappedPagesGo) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 2).value, 2u);  // the other pages hold 0
  ASSERT_EQ(m.Dontneed(0, 0x48, 8).value, 8u);
  EXPECT_EQ(m.Split(0, 0x40).value, 16u);
  EXPECT_EQ(m.mm(0).rss_anon, 2u);
  EXPECT_EQ(m.state().folios.size(), 2u);
  EXPECT_EQ(m.pte(0, 0x42).kind, PteKind::kZero);
  EXPECT_EQ(m.pte(0, 0x48).kind, PteKind::kNone);
  EXPECT_EQ(m.state().stats.nr_allocated, 2u);
}

TEST(Split, AReferenceThatNothingExplainsForbidsIt) {
  ReclaimMachine m;
  MapAndWrite(m, 16);
  ASSERT_EQ(m.Pin(0, 0x44, 1, kGupGet).value, 1u);
  const State before = m.state();
  EXPECT_EQ(m.Split(0, 0x40).err, kEAGAIN);
  EXPECT_EQ(m.state(), before);
  ASSERT_EQ(m.Unpin().err, 0);
  EXPECT_EQ(m.Split(0, 0x40).value, 16u);
}

TEST(Split, OfAFolioInTheSwapCacheKeepsTheSlots) {
  ReclaimMachine m;
  MapAndWrite(m, 4);
  ASSERT_EQ(m.Isolate(0, 0x40).err, 0);
  ASSERT_EQ(m.SwapAdd().err, 0);
  ASSERT_EQ(m.Putback().err, 0);
  EXPECT_EQ(m.Split(0, 0x40).value, 4u);
  for (uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(m.folio_at(0, 0x40 + i).slot, i);
    EXPECT_EQ(m.folio_at(0, 0x40 + i).refcount, 2u);
  }
}

TEST(Split, OfAFileFolioUnmapsIt) {
  ReclaimMachine m;
  m.File(0, 16, 4);
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw | kMapShared, 0).err, 0);
  ASSERT_EQ(m.Write(0, 0x41, 1).value, 1u);
  EXPECT_EQ(m.Split(0, 0x41).value, 16u);
  EXPECT_EQ(m.mm(0).rss_file, 0u);
  EXPECT_EQ(m.state().folios.size(), 16u);
  for (const FolioState& folio : m.state().folios) {
    EXPECT_EQ(folio.refcount, 1u);
    EXPECT_TRUE(folio.flags & kFolioDirty);
  }
  EXPECT_EQ(m.Read(0, 0x41, 1).data, FoldData(0, StoredValue(3, 0x41)));
}

}  // namespace
}  // namespace mmdiff::model
