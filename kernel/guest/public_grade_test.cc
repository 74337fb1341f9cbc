#include "kernel/guest/public_grade.h"

#include <gtest/gtest.h>

namespace mmdiff {
namespace {

bool Sees(const char* version, RelationId id) {
  return PublicSight(version)[static_cast<size_t>(id)];
}

TEST(PublicGrade, LacksExactlyWhatHasNoCall) {
  const OpcodeSet lacks = PublicLacks();
  for (const OpDesc& op : AllOps()) {
    EXPECT_EQ(lacks[static_cast<size_t>(op.code)], PublicCall(op.code)[0] == '\0') << op.name;
  }
  EXPECT_FALSE(lacks[static_cast<size_t>(Opcode::pageout)]);
  EXPECT_TRUE(lacks[static_cast<size_t>(Opcode::isolate)]);
}

TEST(PublicGrade, SeesAnswersEntriesAndContents) {
  for (const RelationId id :
       {RelationId::kresult_err, RelationId::kresult_data, RelationId::kpte_present,
        RelationId::kpte_write, RelationId::kpte_folio, RelationId::kpage_content,
        RelationId::kpage_anon_exclusive, RelationId::kpage_mapcount, RelationId::kfolio_order}) {
    EXPECT_TRUE(Sees("6.16.3", id)) << RelationOf(id).name;
  }
}

TEST(PublicGrade, SeesNoBatchesNoTlbsAndNoChoices) {
  for (const RelationId id :
       {RelationId::kbatch_present, RelationId::ktlb_present, RelationId::kchoice_refused,
        RelationId::kfolio_refcount, RelationId::kstat_nr_mlock}) {
    EXPECT_FALSE(Sees("7.1.13", id)) << RelationOf(id).name;
  }
}

TEST(PublicGrade, LruFlagsOfOlderVersionsSayNothing) {
  EXPECT_FALSE(Sees("6.16.3", RelationId::kfolio_lru_flag));
  EXPECT_TRUE(Sees("6.16.12", RelationId::kfolio_lru_flag));
}

TEST(PublicGrade, DemandsWhatCallsCanAskFor) {
  Program program;
  program.world.swap = 8;
  program.ops = {Op{.code = Opcode::mm},
                 Op{.code = Opcode::map, .arg = {0, 0, 4, kMapWrite | kMapNoHuge, kNoFile, 0}},
                 Op{.code = Opcode::pin, .arg = {0, 0, 1, kGupGet}}};
  WorldDemands demands;
  AddPublicDemands(&demands);
  EXPECT_FALSE(Meets(program, demands));
  ForceDemands(demands, kMaxOps, &program);
  EXPECT_TRUE(Meets(program, demands));
  EXPECT_EQ(program.world.swap, 0u);
  EXPECT_EQ(program.ops[1].arg[3], static_cast<uint32_t>(kMapWrite));
  EXPECT_EQ(program.ops[2].arg[3], static_cast<uint32_t>(kGupWrite | kGupLongterm | kGupFast));
}

}  // namespace
}  // namespace mmdiff
