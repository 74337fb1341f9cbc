#include <gtest/gtest.h>

#include "model/test_machine_ops.h"

namespace mmdiff::model {
namespace {

constexpr uint32_t kLongtermWrite = kGupLongterm | kGupWrite;

TEST(LongtermPin, MovesThePageOutOfTheMovableZone) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  EXPECT_EQ(m.Pin(0, 0x40, 1, kLongtermWrite).value, 1u);
  const FolioState folio = m.folio_at(0, 0x40);
  EXPECT_EQ(folio.zone, ZoneKind::kNormal);
  EXPECT_EQ(folio.refcount - kGupPinBias, 2u) << "its mapping, and the lru_add batch";
  EXPECT_EQ(m.page_at(0, 0x40).anon_exclusive, 1u);
  EXPECT_EQ(m.Read(0, 0x40, 1).data, FoldData(0, StoredValue(2, 0x40)));
}

TEST(LongtermPin, DrainsTheMlockBatchOfAnotherCpu) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw | kMapNoHuge).err, 0);
  ASSERT_EQ(m.LockOnFault(0, 0x40, 1).value, 1u);
  m.cpu = 1;
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.state().batches.size(), 1u);
  ASSERT_EQ(m.state().batches[0].kind, BatchKind::kMlock);
  ASSERT_EQ(m.state().batches[0].cpu, 1u);
  m.cpu = 0;
  const uint64_t remote = m.cost("remote_drains");
  EXPECT_EQ(m.Pin(0, 0x40, 1, kLongtermWrite).value, 1u);
  EXPECT_EQ(m.cost("remote_drains") - remote, 1u);
  EXPECT_EQ(m.folio_at(0, 0x40).zone, ZoneKind::kNormal);
  EXPECT_TRUE(m.has(0, 0x40, kFolioMlocked | kFolioUnevictable));
  EXPECT_EQ(m.folio_at(0, 0x40).mlock_count, 1u);
}

TEST(LongtermPin, DrainsOnlyWhatTheReferenceCountCallsFor) {
  ReclaimMachine counting, always(World{}, "-gup_drain_by_refcount");
  uint64_t drains[2];
  for (ReclaimMachine* m : {&counting, &always}) {
    m->Mm(0);
    ASSERT_EQ(m->Map(0, 0x40, 8, kRw | kMapNoHuge).err, 0);
    ASSERT_EQ(m->Write(0, 0x40, 8).value, 8u);
    ASSERT_EQ(m->DrainAll().err, 0);
    const uint64_t before = m->cost("drains") + m->cost("remote_drains");
    EXPECT_EQ(m->Pin(0, 0x40, 8, kLongtermWrite).value, 8u);
    drains[m == &always] = m->cost("drains") + m->cost("remote_drains") - before;
    EXPECT_EQ(m->recorded(ChoiceKind::kGupDrain), m == &always ? 8u : 0u);
  }
  // FOLL_TOUCH puts no page into a batch the first time, so there is nothing to drain.
  EXPECT_EQ(drains[0], 0u);
  EXPECT_EQ(drains[1], 16u);
}

TEST(LongtermPin, FailsIfSomebodyElseHoldsThePage) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 2, kRw | kMapNoHuge).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 2).value, 2u);
  ASSERT_EQ(m.Pin(0, 0x41, 1, kGupGet, 0).value, 1u);
  EXPECT_EQ(m.Pin(0, 0x40, 2, kLongtermWrite, 1).err, kENOMEM);
  EXPECT_EQ(m.Unpin(1).err, kEBADF);
  EXPECT_EQ(m.folio_at(0, 0x40).zone, ZoneKind::kNormal) << "it moved before the other failed";
  EXPECT_EQ(m.folio_at(0, 0x41).zone, ZoneKind::kMovable);
  EXPECT_EQ(m.pte(0, 0x41).kind, PteKind::kPresent);
  ASSERT_EQ(m.Unpin(0).err, 0);
  EXPECT_EQ(m.Pin(0, 0x40, 2, kLongtermWrite, 2).value, 2u);
}

TEST(LongtermPin, WouldWaitForWhoeverIsolatedThePage) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.Drain().err, 0);
  ASSERT_EQ(m.Isolate(0, 0x40).err, 0);
  EXPECT_EQ(m.Pin(0, 0x40, 1, kLongtermWrite).err, kEAGAIN);
  EXPECT_EQ(m.folio_at(0, 0x40).refcount, 2u);
}

TEST(Pin, FastTouchesNothingButReferenced) {
  for (const char* spec : {"", "-gup_fast"}) {
    ReclaimMachine m(World{}, spec);
    m.Mm(0);
    ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
    ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
    ASSERT_EQ(m.Drain().err, 0);
    for (uint32_t pin = 0; pin < 3; ++pin)
      EXPECT_EQ(m.Pin(0, 0x40, 1, kGupWrite | kGupFast, pin).value, 1u);
    EXPECT_TRUE(m.has(0, 0x40, kFolioReferenced));
    EXPECT_TRUE(m.state().batches.empty()) << "no activation";
    EXPECT_EQ(m.Pin(0, 0x40, 1, kGupWrite, 3).value, 1u);
    EXPECT_EQ(m.state().batches.size(), 1u) << "the slow walk marks it accessed";
    EXPECT_EQ(m.folio_at(0, 0x40).refcount, 1 + 4 * kGupPinBias + 1);
    for (uint32_t pin = 0; pin < 4; ++pin) EXPECT_EQ(m.Unpin(pin).err, 0);
    EXPECT_EQ(m.folio_at(0, 0x40).refcount, 2u);
  }
}

TEST(Pin, AReadPinOfASharedPageUnsharesIt) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  m.Fork(0, 1);
  ASSERT_EQ(m.Pin(1, 0x40, 1, kGupGet, 0).value, 1u);
  EXPECT_EQ(m.pte(0, 0x40).folio, m.pte(1, 0x40).folio) << "'get' shares";
  ASSERT_EQ(m.Pin(1, 0x40, 1, 0, 1).value, 1u);
  EXPECT_NE(m.pte(0, 0x40).folio, m.pte(1, 0x40).folio);
  EXPECT_EQ(m.page_at(1, 0x40).anon_exclusive, 1u);
  EXPECT_FALSE(m.pte(1, 0x40).bits & kPteWrite);
  // The pin and the process stay on one page, whatever the parent writes.
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  EXPECT_EQ(m.PinRead(1).data, m.Read(1, 0x40, 1).data);
}

TEST(Pin, DeviceWritesReachTheProcess) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Pin(0, 0x44, 2, kGupWrite).value, 2u);
  EXPECT_EQ(m.folio_at(0, 0x40).pincount, 2u);
  EXPECT_EQ(m.PinWrite().value, 2u);
  EXPECT_EQ(m.Read(0, 0x44, 2).data, FoldData(FoldData(0, StoredValue(3, 0)), StoredValue(3, 1)));
  ASSERT_EQ(m.Dontneed(0, 0x40, 16).value, 16u);
  EXPECT_EQ(m.state().folios.size(), 1u) << "the pin keeps the folio";
  EXPECT_EQ(m.UnpinDirty().err, 0);
  EXPECT_TRUE(m.state().folios.empty());
}

TEST(Pin, TheZeroPageIsHeldWithoutAReference) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 1, kRw).err, 0);
  EXPECT_EQ(m.Pin(0, 0x40, 1, 0).value, 1u);
  EXPECT_EQ(m.pte(0, 0x40).kind, PteKind::kZero);
  EXPECT_EQ(m.PinRead().data, FoldData(0, 0));
  EXPECT_EQ(m.PinWrite().value, 1u);
  EXPECT_EQ(m.Read(0, 0x40, 1).data, FoldData(0, 0));
  EXPECT_EQ(m.Unpin().err, 0);
}

TEST(Pin, ErrorsAndPartialSuccess) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 2, kRw).err, 0);
  ASSERT_EQ(m.Map(0, 0x50, 1, kMapRead).err, 0);
  EXPECT_EQ(m.Pin(0, 0x40, 0, 0).err, kEINVAL);
  EXPECT_EQ(m.Pin(0, 0x40, 1, kGupLongterm | kGupGet).err, kEINVAL);
  EXPECT_EQ(m.mm(0).has_pinned, 0u);
  EXPECT_EQ(m.Pin(0, 0x50, 1, kGupWrite).err, kEFAULT);
  EXPECT_EQ(m.mm(0).has_pinned, 1u) << "set before the attempt";
  EXPECT_EQ(m.Pin(0, 0x41, 4, kGupWrite, 7).value, 1u);
  EXPECT_EQ(m.Unpin(7).err, 0);
  EXPECT_EQ(m.Unpin(7).err, kEBADF);
  EXPECT_EQ(m.Pin(9, 0x40, 1, 0).err, kESRCH);
}

TEST(Populate, BreaksCopyOnWriteOfPrivateMemory) {
  ReclaimMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 2, kRw | kMapNoHuge | kMapPopulate).err, 0);
  EXPECT_EQ(m.mm(0).rss_anon, 2u);
  EXPECT_TRUE(m.state().batches.empty()) << "populate drains";
  m.Fork(0, 1);
  EXPECT_EQ(m.Lock(1, 0x40, 2).err, 0);
  EXPECT_NE(m.pte(0, 0x40).folio, m.pte(1, 0x40).folio);
  EXPECT_TRUE(m.pte(1, 0x41).bits & kPteWrite);
}

}  // namespace
}  // namespace mmdiff::model
