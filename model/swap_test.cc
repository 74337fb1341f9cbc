#include <gtest/gtest.h>

#include "model/test_machine_ops.h"

namespace mmdiff::model {
namespace {

TEST(LruBatch, FillsBeforeItIsFlushed) {
  ReclaimMachine m;  // four slots a batch
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 8, kRw | kMapNoHuge).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 3).value, 3u);
  EXPECT_EQ(m.state().batches.size(), 3u);
  EXPECT_EQ(m.folio_at(0, 0x40).refcount, 2u);
  EXPECT_EQ(m.state().stats.nr_inactive_anon, 0u);
  ASSERT_EQ(m.Write(0, 0x43, 1).value, 1u);
  EXPECT_TRUE(m.state().batches.empty());
  EXPECT_EQ(m.folio_at(0, 0x40).refcount, 1u);
  EXPECT_EQ(m.state().stats.nr_inactive_anon, 4u);
}

TEST(LruBatch, LargeFoliosNeverWait) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  ASSERT_EQ(m.Map(0, 0x50, 16, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.Write(0, 0x50, 1).value, 1u);
  EXPECT_TRUE(m.state().batches.empty()) << "it takes the waiting small one along";
  EXPECT_EQ(m.state().stats.nr_inactive_anon, 17u);
}

TEST(LruBatch, TheLastHolderFreesInsteadOfAdding) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.Unmap(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.state().folios.size(), 1u);
  EXPECT_EQ(m.state().folios[0].refcount, 1u);
  ASSERT_EQ(m.Drain().err, 0);
  EXPECT_TRUE(m.state().folios.empty());
  EXPECT_EQ(m.state().stats.nr_inactive_anon, 0u);
}

TEST(LruBatch, DrainIsOfOneCpuAndDrainAllOfEach) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 2, kRw | kMapNoHuge).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  m.cpu = 1;
  ASSERT_EQ(m.Write(0, 0x41, 1).value, 1u);
  ASSERT_EQ(m.Drain().err, 0);
  EXPECT_FALSE(m.has(0, 0x40, kFolioLru));
  EXPECT_TRUE(m.has(0, 0x41, kFolioLru));
  ASSERT_EQ(m.DrainAll().err, 0);
  EXPECT_TRUE(m.has(0, 0x40, kFolioLru));
}

TEST(MarkAccessed, TwoUsesActivate) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  // Still in the add batch: active where it stands.
  ASSERT_EQ(m.MarkAccessed(0, 0x40).err, 0);
  EXPECT_TRUE(m.has(0, 0x40, kFolioReferenced));
  ASSERT_EQ(m.MarkAccessed(0, 0x40).err, 0);
  EXPECT_TRUE(m.has(0, 0x40, kFolioActive));
  EXPECT_FALSE(m.has(0, 0x40, kFolioReferenced));
  ASSERT_EQ(m.Drain().err, 0);
  EXPECT_EQ(m.folio_at(0, 0x40).lru, LruList::kActiveAnon);
  // Cold: back, through a batch.
  ASSERT_EQ(m.Cold(0, 0x40, 1).err, 0);
  EXPECT_TRUE(m.has(0, 0x40, kFolioActive));
  ASSERT_EQ(m.Drain().err, 0);
  EXPECT_EQ(m.folio_at(0, 0x40).lru, LruList::kInactiveAnon);
  // On the list: through the activate batch.
  ASSERT_EQ(m.MarkAccessed(0, 0x40).err, 0);
  ASSERT_EQ(m.MarkAccessed(0, 0x40).err, 0);
  ASSERT_EQ(m.state().batches.size(), 1u);
  EXPECT_EQ(m.state().batches[0].kind, BatchKind::kActivate);
  ASSERT_EQ(m.Drain().err, 0);
  EXPECT_EQ(m.folio_at(0, 0x40).lru, LruList::kActiveAnon);
}

TEST(MarkAccessed, OnAnotherCpuDoesNotSeeTheAddBatch) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  m.cpu = 1;
  ASSERT_EQ(m.MarkAccessed(0, 0x40).err, 0);
  ASSERT_EQ(m.MarkAccessed(0, 0x40).err, 0);
  EXPECT_FALSE(m.has(0, 0x40, kFolioActive));
  EXPECT_FALSE(m.has(0, 0x40, kFolioReferenced));
}

TEST(MarkAccessed, Errors) {
  ReclaimMachine m;
  m.Mm(0);
  EXPECT_EQ(m.MarkAccessed(0, 0x40).err, kEFAULT);
  ASSERT_EQ(m.Map(0, 0x40, 2, kRw).err, 0);
  EXPECT_EQ(m.MarkAccessed(0, 0x40).err, kENOENT);
  ASSERT_EQ(m.Read(0, 0x40, 1).value, 1u);
  EXPECT_EQ(m.MarkAccessed(0, 0x40).err, kEFAULT) << "the zero page";
  EXPECT_EQ(m.MarkAccessed(3, 0x40).err, kESRCH);
}

TEST(LruBatch, AnEntryOfAnIsolatedFolioDoesNothing) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.Drain().err, 0);
  ASSERT_EQ(m.Free(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.state().batches.size(), 1u);
  ASSERT_EQ(m.Isolate(0, 0x40).err, 0) << "a waiting folio keeps its LRU flag";
  ASSERT_EQ(m.Drain().err, 0);
  EXPECT_TRUE(m.has(0, 0x40, kFolioSwapBacked));
}

}  // namespace
}  // namespace mmdiff::model
