#include <gtest/gtest.h>

#include "model/test_machine.h"

namespace mmdiff::model {
namespace {

void OnePage(TestMachine& m) {
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  for (m.cpu = 0; m.cpu < 2; ++m.cpu) ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  m.cpu = 0;
  ASSERT_EQ(m.tlb_entries(0, 0x40), 2u);
}

TEST(Tlb, RightsThatChangeAreFlushedOnEveryCpu) {
  TestMachine m;
  OnePage(m);
  ASSERT_EQ(m.Protect(0, 0x40, 1, kProtRead).err, 0);
  EXPECT_EQ(m.tlb_entries(0, 0x40), 0u);
  EXPECT_EQ(m.Write(0, 0x40, 1).err, kEFAULT);
  ASSERT_EQ(m.Read(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.Protect(0, 0x40, 1, kProtRead | kProtWrite).err, 0);
  EXPECT_EQ(m.tlb_entries(0, 0x40), 0u) << "x86 flushes a change of the write bit either way";
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  EXPECT_EQ(m.cost("faults"), 1u);
}

TEST(Tlb, CopyOnWriteFlushesTheOldPageOnAllCpus) {
  TestMachine m;
  OnePage(m);
  m.Fork(0, 1);
  for (m.cpu = 0; m.cpu < 2; ++m.cpu) ASSERT_EQ(m.Read(0, 0x40, 1).value, 1u);
  m.cpu = 0;
  const uint32_t old = m.pte(0, 0x40).folio;
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  EXPECT_NE(m.pte(0, 0x40).folio, old);
  EXPECT_EQ(m.tlb_entries(0, 0x40), 1u) << "CPU 1 must not keep the old page";
}

TEST(Tlb, FirstStoreThroughACleanEntrySetsTheDirtyBit) {
  TestMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw | kMapShared).err, 0);
  ASSERT_EQ(m.Read(0, 0x40, 1).value, 1u);  // shmem: writable at once, clean
  EXPECT_EQ(m.pte(0, 0x40).bits, kPteWrite | kPteYoung);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  EXPECT_EQ(m.pte(0, 0x40).bits, kPteWrite | kPteYoung | kPteDirty);
  EXPECT_EQ(m.cost("faults"), 1u);
}

TEST(Tlb, ReclaimPutsTheFlushOffForOtherCpusUntilSomebodyNeedsIt) {
  TestMachine m;
  OnePage(m);
  ASSERT_EQ(m.Run(&Model::drain_all, args::drain_all{}).err, 0);
  ASSERT_EQ(m.Run(&Model::isolate, args::isolate{0, 0x40}, 0).err, 0);
  ASSERT_EQ(m.Run(&Model::swap_add, args::swap_add{0}).err, 0);
  ASSERT_EQ(m.Run(&Model::try_to_unmap, args::try_to_unmap{0, kTtuBatchFlush}).value, 1u);
  EXPECT_EQ(m.mm(0).tlb_flush_pending, 1u);
  EXPECT_EQ(m.tlb_entries(0, 0x40), 2u);
  ASSERT_EQ(m.Protect(0, 0x40, 1, kProtRead).err, 0);
  EXPECT_EQ(m.mm(0).tlb_flush_pending, 0u);
  EXPECT_EQ(m.tlb_entries(0, 0x40), 0u);
}

World Forgetful() {
  World world;
  world.tlb = 0;
  return world;
}

TEST(Tlb, NothingOutlivesAnOperationOfAWorldWithoutTlb) {
  TestMachine m(Forgetful());
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 2, kRw).err, 0);
  for (m.cpu = 0; m.cpu < 2; ++m.cpu) ASSERT_EQ(m.Write(0, 0x40, 2).value, 2u);
  m.cpu = 0;
  EXPECT_EQ(m.tlb_entries(0, 0x40), 0u);
  EXPECT_EQ(m.Read(0, 0x41, 4).err, kEFAULT) << "the pages before the one that failed, too";
  EXPECT_EQ(m.tlb_entries(0, 0x41), 0u);
}

TEST(Tlb, NothingStaysPutOffInAWorldWithoutTlb) {
  TestMachine m(Forgetful());
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  for (m.cpu = 0; m.cpu < 2; ++m.cpu) ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  m.cpu = 0;
  ASSERT_EQ(m.Run(&Model::drain_all, args::drain_all{}).err, 0);
  ASSERT_EQ(m.Run(&Model::isolate, args::isolate{0, 0x40}, 0).err, 0);
  ASSERT_EQ(m.Run(&Model::swap_add, args::swap_add{0}).err, 0);
  ASSERT_EQ(m.Run(&Model::try_to_unmap, args::try_to_unmap{0, kTtuBatchFlush}).value, 1u);
  EXPECT_EQ(m.mm(0).tlb_flush_pending, 0u);
}

}  // namespace
}  // namespace mmdiff::model
