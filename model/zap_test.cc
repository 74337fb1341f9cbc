#include <gtest/gtest.h>

#include "model/test_machine.h"

namespace mmdiff::model {
namespace {

TEST(Zap, OneRunOfALargeFolioIsOneSlotAndOneRemoval) {
  TestMachine batch, single(World{}, "-batch_zap");
  for (TestMachine* m : {&batch, &single}) {
    m->Mm(0);
    ASSERT_EQ(m->Map(0, 0x40, 16, kRw).err, 0);
    ASSERT_EQ(m->Write(0, 0x40, 1).value, 1u);
    EXPECT_EQ(m->Dontneed(0, 0x40, 16).value, 16u);
    EXPECT_TRUE(m->state().folios.empty());
    EXPECT_EQ(m->mm(0).rss_anon, 0u);
  }
  EXPECT_LT(batch.cost("atomic_ops"), single.cost("atomic_ops"));
  // Sixteen single pages do not fit into a gather of eight; one run does.
  EXPECT_LT(batch.cost("gather_flushes"), single.cost("gather_flushes"));
}

TEST(Zap, PartOfALargeFolioQueuesItForASplit) {
  TestMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 1).value, 1u);
  EXPECT_EQ(m.Dontneed(0, 0x44, 3).value, 3u);
  const FolioState folio = m.folio_at(0, 0x40);
  EXPECT_EQ(folio.mapcount, 13u);
  EXPECT_EQ(folio.refcount, 13u);
  EXPECT_TRUE(folio.flags & kFolioPartiallyMapped);
  EXPECT_TRUE(folio.flags & kFolioDeferredSplit);
  EXPECT_EQ(m.state().stats.nr_anon_mapped, 13u);
}

TEST(Zap, DirtBehindTheFirstPageOfARunIsNotLost) {
  TestMachine m;
  m.Mm(0);
  m.File(0, 16, 4);
  ASSERT_EQ(m.Map(0, 0x40, 4, kRw | kMapShared, 0).err, 0);
  ASSERT_EQ(m.Read(0, 0x40, 4).value, 4u);
  ASSERT_EQ(m.Write(0, 0x42, 1).value, 1u);
  EXPECT_EQ(m.Dontneed(0, 0x40, 4).value, 4u);
  ASSERT_EQ(m.state().folios.size(), 1u);
  EXPECT_TRUE(m.state().folios[0].flags & kFolioDirty);
  EXPECT_EQ(m.state().folios[0].mapcount, 0u);
  EXPECT_EQ(m.Read(0, 0x42, 1).data, FoldData(0, StoredValue(4, 0x42)));
}

TEST(Zap, PagesStayUntilTheTranslationsAreGone) {
  TestMachine m;
  m.Mm(0);
  ASSERT_EQ(m.Map(0, 0x40, 2, kRw | kMapNoHuge).err, 0);
  ASSERT_EQ(m.Write(0, 0x40, 2).value, 2u);
  ASSERT_EQ(m.Run(&Model::drain, args::drain{}).err, 0);
  EXPECT_EQ(m.Run(&Model::zap_begin, args::zap_begin{0, 0x40, 1}, 0).value, 1u);
  EXPECT_EQ(m.pte(0, 0x40).kind, PteKind::kNone);
  EXPECT_EQ(m.tlb_entries(0, 0x40), 1u);
  EXPECT_EQ(m.state().folios.size(), 2u);
  // The stale translation still reaches the old page, and its mm cannot be written to meanwhile.
  EXPECT_EQ(m.Read(0, 0x40, 1).data, FoldData(0, StoredValue(2, 0x40)));
  EXPECT_EQ(m.Unmap(0, 0x40, 2).err, kEAGAIN);
  EXPECT_EQ(m.Run(&Model::zap_finish, args::zap_finish{0}).err, 0);
  EXPECT_EQ(m.tlb_entries(0, 0x40), 0u);
  EXPECT_EQ(m.state().folios.size(), 1u);
  EXPECT_EQ(m.Run(&Model::zap_finish, args::zap_finish{0}).err, kEBADF);
  EXPECT_EQ(m.Unmap(0, 0x40, 2).value, 2u);
}

TEST(Zap, ExitLeavesNothingBehind) {
  TestMachine m;
  m.Mm(0);
  m.File(0, 16, 2);
  ASSERT_EQ(m.Map(0, 0x40, 16, kRw | kMapLocked).err, 0);
  ASSERT_EQ(m.Map(0, 0x10, 8, kRw, 0).err, 0);
  ASSERT_EQ(m.Map(0, 0x20, 8, kRw | kMapShared).err, 0);
  ASSERT_EQ(m.Write(0, 0x10, 3).value, 3u);
  ASSERT_EQ(m.Write(0, 0x20, 3).value, 3u);
  EXPECT_EQ(m.Exit(0).err, 0);
  EXPECT_EQ(m.Run(&Model::drain_all, args::drain_all{}).err, 0);
  EXPECT_TRUE(m.state().mms.empty());
  EXPECT_TRUE(m.state().tlbs.empty());
  for (const FolioState& folio : m.state().folios)
    EXPECT_EQ(folio.file, 0u) << "only the file keeps pages";
  EXPECT_EQ(m.state().stats.nr_anon_mapped, 0u);
  EXPECT_EQ(m.state().stats.nr_file_mapped, 0u);
  EXPECT_EQ(m.state().stats.nr_mlock, 0u);
}

}  // namespace
}  // namespace mmdiff::model
