#include <gtest/gtest.h>

#include "model/test_machine_ops.h"

namespace mmdiff::model {
namespace {

TEST(Mlock, LocksPopulatesAndCounts) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 4, kRw | kMapNoHuge).err, 0);
  EXPECT_EQ(m.Lock(0, 0x40, 4).value, 4u);
  EXPECT_EQ(m.mm(0).locked_vm, 4u);
  EXPECT_EQ(m.state().stats.nr_mlock, 4u);
  EXPECT_EQ(m.state().stats.nr_unevictable, 4u);
  EXPECT_EQ(m.folio_at(0, 0x42).mlock_count, 1u);
  EXPECT_EQ(m.Unlock(0, 0x40, 4).value, 4u);
  EXPECT_EQ(m.state().stats.nr_mlock, 0u);
  EXPECT_EQ(m.state().stats.nr_inactive_anon, 4u);
  EXPECT_EQ(m.mm(0).locked_vm, 0u);
}

TEST(Mlock, OnFaultLocksWhatComes) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 4, kRw | kMapNoHuge).err, 0);
  EXPECT_EQ(m.LockOnFault(0, 0x40, 4).err, 0);
  EXPECT_TRUE(m.state().folios.empty());
  ASSERT_EQ(m.Write(0, 0x41, 1).value, 1u);
  EXPECT_TRUE(m.has(0, 0x41, kFolioMlocked)) << "at once";
  EXPECT_FALSE(m.has(0, 0x41, kFolioLru)) << "the list work waits";
  ASSERT_EQ(m.state().batches.size(), 1u);
  EXPECT_EQ(m.state().batches[0].tag, MlockTag::kNew);
  ASSERT_EQ(m.Drain().err, 0);
  EXPECT_TRUE(m.has(0, 0x41, kFolioLru | kFolioUnevictable));
}

TEST(Mlock, CountsALargeFolioOnlyIfTheRangeHoldsAllOfIt) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 32, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 32).value, 32u);
  EXPECT_EQ(m.Lock(0, 0x40, 24).err, 0);
  EXPECT_TRUE(m.has(0, 0x40, kFolioMlocked | kFolioUnevictable));
  EXPECT_FALSE(m.has(0, 0x50, kFolioMlocked)) << "half of it is outside";
  EXPECT_EQ(m.state().stats.nr_mlock, 16u);
  // A partial unmap gives the mlock up.
  ASSERT_EQ(m.Unmap(0, 0x41, 1).value, 1u);
  EXPECT_FALSE(m.has(0, 0x40, kFolioMlocked));
  EXPECT_EQ(m.state().stats.nr_mlock, 0u);
}

TEST(Mlock, ALaterMlockIsNotUndoneByAWaitingMunlock) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  ASSERT_EQ(m.Lock(0, 0x40, 1).err, 0);
  m.Fork(0, 1);
  m.cpu = 1;
  ASSERT_EQ(m.LockOnFault(1, 0x40, 1).err, 0);
  EXPECT_EQ(m.folio_at(0, 0x40).mlock_count, 2u);
  m.cpu = 0;
  ASSERT_EQ(m.Unlock(0, 0x40, 1).err, 0);
  EXPECT_EQ(m.folio_at(1, 0x40).mlock_count, 1u);
  EXPECT_TRUE(m.has(1, 0x40, kFolioMlocked | kFolioUnevictable));
  ASSERT_EQ(m.Exit(1).err, 0);
  ASSERT_EQ(m.Drain().err, 0);
  EXPECT_FALSE(m.has(0, 0x40, kFolioMlocked));
  EXPECT_FALSE(m.has(0, 0x40, kFolioUnevictable));
}

TEST(Mlock, AMunlockOfAnIsolatedFolioDoesNotWaitForItsCount) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  ASSERT_EQ(m.Lock(0, 0x40, 1).err, 0);
  ASSERT_EQ(m.Isolate(0, 0x40).err, 0);
  EXPECT_EQ(m.folio_at(0, 0x40).mlock_count, 0u);
  ASSERT_EQ(m.Unlock(0, 0x40, 1).err, 0);
  EXPECT_FALSE(m.has(0, 0x40, kFolioMlocked));
  ASSERT_EQ(m.Putback().err, 0);
  ASSERT_EQ(m.Drain().err, 0);
  EXPECT_EQ(m.folio_at(0, 0x40).lru, LruList::kInactiveAnon);
}

TEST(Mlock, Errors) {
  World world;
  world.memlock = 4;
  ReclaimMachine m(world);
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 2, kRw).err, 0);
  ASSERT_EQ(m.Map(0, 0x44, 2, kRw).err, 0);
  EXPECT_EQ(m.Lock(0, 0x40, 5).err, kENOMEM);
  EXPECT_EQ(m.mm(0).locked_vm, 0u) << "over the limit: nothing is done";
  EXPECT_EQ(m.LockOnFault(0, 0x40, 4).err, kENOMEM);
  EXPECT_EQ(m.mm(0).locked_vm, 2u) << "what lies before the hole is locked";
  EXPECT_EQ(m.Lock(0, 0x3f, 2).err, kENOMEM);
  EXPECT_EQ(m.Lock(0, 0x40, 0).err, 0);
  EXPECT_EQ(m.Lock(5, 0x40, 1).err, kESRCH);
  EXPECT_EQ(m.Unlock(0, 0x40, 6).err, kENOMEM);
  EXPECT_EQ(m.mm(0).locked_vm, 0u);
  ASSERT_EQ(m.Map(0, 0x50, 1, 0).err, 0);
  EXPECT_EQ(m.Lock(0, 0x50, 1).err, kENOMEM) << "PROT_NONE cannot be populated";
  EXPECT_EQ(m.mm(0).locked_vm, 1u);

  world.memlock = 0;
  ReclaimMachine none(world);
  none.Mm(0);
  ASSERT_EQ(none.Map(0, 0x40, 2, kRw).err, 0);
  EXPECT_EQ(none.Lock(0, 0x40, 1).err, kEPERM);
  EXPECT_EQ(none.Unlock(0, 0x40, 1).err, 0);
}

TEST(Mlock, BatchedAndUnbatchedWorkAgreeWhenDrained) {
  ReclaimMachine batched, plain(World{}, "-mlock_batch,-lru_batch");
  for (ReclaimMachine* m : {&batched, &plain}) {
    m->Mm(0);
    ASSERT_EQ(m->Map(0, 0x40, 8, kRw | kMapNoHuge).err, 0);
    ASSERT_EQ(m->LockOnFault(0, 0x42, 3).err, 0);
    ASSERT_EQ(m->Write(0, 0x40, 7).value, 7u);
    ASSERT_EQ(m->Unlock(0, 0x43, 1).err, 0);
    ASSERT_EQ(m->DrainAll().err, 0);
    EXPECT_EQ(m->state().stats.nr_unevictable, 2u);
  }
  EXPECT_EQ(batched.state(), plain.state());
  EXPECT_LT(batched.cost("batch_flushes"), plain.cost("batch_flushes"));
}

}  // namespace
}  // namespace mmdiff::model
