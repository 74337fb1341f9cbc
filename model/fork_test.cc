#include <gtest/gtest.h>

#include "model/test_machine.h"

namespace mmdiff::model {
namespace {

// Maps 16 pages of one large folio in m0.
void MapLarge(TestMachine& m) {
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  ASSERT_EQ(m.folio_at(0, 0x40).order, 4);
}

TEST(Fork, SharesEachPageOnceAndTakesWriteAway) {
  TestMachine m;
  MapLarge(m);
  m.Fork(0, 1);
  const FolioState folio = m.folio_at(0, 0x40);
  EXPECT_EQ(folio.mapcount, 32u);
  EXPECT_EQ(folio.refcount, 32u);
  EXPECT_EQ(m.mm(1).rss_anon, 16u);
  EXPECT_EQ(m.mm(1).total_vm, 16u);
  for (uint32_t vpn = 0x40; vpn < 0x50; ++vpn) {
    EXPECT_EQ(m.pte(0, vpn).bits, kPteDirty | kPteYoung) << vpn;
    EXPECT_EQ(m.pte(1, vpn).bits, kPteDirty) << vpn;
    EXPECT_EQ(m.pte(1, vpn).folio, m.pte(0, vpn).folio) << vpn;
  }
  for (const PageState& page : m.state().pages) EXPECT_EQ(page.anon_exclusive, 0u);
  EXPECT_EQ(m.tlb_entries(0, 0x40), 0u) << "the parent must not write through an old translation";
}

TEST(Fork, CopiesAPinnedPageAndSharesItsNeighbours) {
  TestMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 4, kRw | kMapNoHuge).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 4).value, 4u);
  ASSERT_EQ(m.Run(&Model::pin, args::pin{0, 0x42, 1, kGupWrite}, 0).value, 1u);
  m.Fork(0, 1);
  EXPECT_NE(m.pte(1, 0x42).folio, m.pte(0, 0x42).folio);
  EXPECT_EQ(m.pte(0, 0x42).bits & kPteWrite, kPteWrite);
  EXPECT_EQ(m.pte(1, 0x42).bits & kPteWrite, kPteWrite);
  EXPECT_EQ(m.pte(1, 0x41).folio, m.pte(0, 0x41).folio);
  EXPECT_EQ(m.pte(1, 0x43).folio, m.pte(0, 0x43).folio);
  const OpResult read = m.Read(1, 0x42, 1);
  EXPECT_EQ(read.data, FoldData(0, StoredValue(2, 0x42)));
}

TEST(Fork, BatchAndSinglePagesGiveOneState) {
  TestMachine batch, single(World{}, "-batch_fork");
  for (TestMachine* m : {&batch, &single}) {
    MapLarge(*m);
    m->Fork(0, 1);
    ASSERT_EQ(m->Write(1, 0x43, 2).value, 2u);  // holes in the run of the child
    m->Fork(1, 2);
  }
  EXPECT_EQ(batch.state(), single.state());
  EXPECT_GT(batch.cost("pte_batches"), single.cost("pte_batches"));
  EXPECT_LT(batch.cost("atomic_ops"), single.cost("atomic_ops"));
}

TEST(Fork, ChildOfAnEndedLineReusesTheAnonVma) {
  TestMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 4, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  Kernel& k = static_cast<Model&>(m.impl()).kernel();
  for (uint32_t i = 0; i < 20; ++i) {  // each child outlives its parent
    m.Fork(i, i + 1);
    EXPECT_EQ(m.Exit(i).err, 0);
  }
  uint32_t chained = 0;
  k.vmas.ForEach(
      [&](Vma& vma) { chained = std::max<uint32_t>(chained, vma.anon_vma_chain.size()); });
  EXPECT_LE(chained, 4u);
}

TEST(Fork, AfterTheOthersEndedALargeFolioIsReusedUnlessTheStickyBitSaysShared) {
  TestMachine m, exact(World{}, "-mm_id");
  for (TestMachine* t : {&m, &exact}) {
    MapLarge(*t);
    t->Fork(0, 1);
    ASSERT_EQ(t->Exit(1).err, 0);
    ASSERT_EQ(t->Write(0, 0x44, 1).value, 1u);
    EXPECT_EQ(t->pte(0, 0x44).folio, t->pte(0, 0x45).folio) << "two processes: the answer is exact";
  }
  // A third process has no slot of its own. When the first two are gone it is still taken for one
  // of many.
  m.Fork(0, 1);
  m.Fork(0, 2);
  ASSERT_EQ(m.Exit(0).err, 0);
  ASSERT_EQ(m.Exit(1).err, 0);
  ASSERT_EQ(m.Write(2, 0x44, 1).value, 1u);
  EXPECT_NE(m.pte(2, 0x44).folio, m.pte(2, 0x45).folio);
  ASSERT_EQ(m.choices().size(), 1u) << "the kernel need not copy here, so it says that it did";
  EXPECT_EQ(m.choices().at(0).kind, ChoiceKind::kWpReuse);
}

}  // namespace
}  // namespace mmdiff::model
