#include "state/compare.h"

#include <cstring>
#include <set>
#include <string>
#include <type_traits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "program/program.h"
#include "state/diff.h"
#include "state/field.h"
#include "state/relations.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;

State Sample() {
  State s;
  s.mms = {{.id = 0, .rss_anon = 2}, {.id = 1}};
  s.vmas = {{.mm = 0,
             .start = 0x40,
             .end = 0x44,
             .flags = kVmRead | kVmWrite,
             .file = kNoFile,
             .pgoff = 0x40}};
  s.ptes = {
      {.mm = 0, .vpn = 0x40, .kind = PteKind::kPresent, .bits = kPteWrite | kPteDirty, .folio = 0},
      {.mm = 0, .vpn = 0x41, .kind = PteKind::kSwap, .bits = kPteExclusive, .slot = 5}};
  s.folios = {{.id = 0, .flags = kFolioAnon, .refcount = 1, .mapcount = 1, .file = kNoFile},
              {.id = 1, .flags = kFolioDirty, .file = 2, .index = 8},
              {.id = 2, .flags = kFolioAnon, .refcount = 1, .file = kNoFile}};
  s.pages = {{.folio = 0, .offset = 0, .mapcount = 1, .content = 0x100000040},
             {.folio = 1, .offset = 0},
             {.folio = 2, .offset = 0}};
  s.swaps = {{.slot = 5, .count = 1}};
  s.batches = {
      {.cpu = 1, .kind = BatchKind::kMlock, .tag = MlockTag::kNew, .position = 2, .folio = 0}};
  s.tlbs = {{.cpu = 0, .mm = 0, .vpn = 0x40, .folio = 0, .write = 1}};
  return s;
}

TEST(Relations, NamesAreUniqueAndFound) {
  std::set<std::string> names;
  for (const RelationInfo& info : AllRelations()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_EQ(std::string(info.name), std::string(RecordName(info.record)) + "." + info.field);
    EXPECT_EQ(FindRelation(info.name), &info);
  }
  EXPECT_EQ(FindRelation("pte.nothing"), nullptr);
  EXPECT_TRUE(names.count("pte.write") && names.count("result.err") &&
              names.count("choice.refused"));
}

TEST(Relations, AllowWhatTheirKindSays) {
  for (const bool superset : {false, true}) {
    for (const bool drained : {false, true}) {
      EXPECT_FALSE(RelationAllows(RelationKind::equal, superset, drained));
      EXPECT_EQ(RelationAllows(RelationKind::drained, superset, drained), !drained);
      EXPECT_EQ(RelationAllows(RelationKind::superset, superset, drained), superset);
      EXPECT_TRUE(RelationAllows(RelationKind::ignored, superset, drained));
    }
  }
}

TEST(Compare, EqualStatesAreEqual) {
  CompareResult r;
  EXPECT_TRUE(Compare(Sample(), Sample(), &r));
  EXPECT_TRUE(r.diffs.empty());
}

TEST(Compare, WhatIsNotSeenIsNotCompared) {
  State b = Sample();
  b.folios[0].refcount += 1;
  b.batches.clear();
  RelationSet seen = EveryRelation();
  CompareResult r;
  EXPECT_FALSE(Compare(Sample(), b, &r, nullptr, kMaxFieldDiffs, seen));
  seen.reset(static_cast<size_t>(RelationId::kfolio_refcount));
  EXPECT_FALSE(Compare(Sample(), b, &r, nullptr, kMaxFieldDiffs, seen));
  seen.reset(static_cast<size_t>(RelationId::kbatch_present));
  EXPECT_TRUE(Compare(Sample(), b, &r, nullptr, kMaxFieldDiffs, seen));
  b.ptes[0].bits ^= kPteWrite;
  EXPECT_FALSE(Compare(Sample(), b, &r, nullptr, kMaxFieldDiffs, seen));
}

// Whatever single field of whatever record differs, exactly its relation is reported.
TEST(Compare, FindsADifferenceInEachFieldAlone) {
  const auto expect = [&](auto change, const char* name) {
    State b = Sample();
    change(&b);
    CompareResult r;
    EXPECT_FALSE(Compare(Sample(), b, &r)) << name;
    ASSERT_EQ(r.diffs.size(), 1u) << name;
    EXPECT_STREQ(r.diffs[0].name(), name);
    EXPECT_NE(r.diffs[0].a, r.diffs[0].b) << name;
    EXPECT_FALSE(r.diffs[0].where.empty());
  };
#define MMDIFF_RELATION(record, field, relation, why) CHANGE_##record(field, 1, #record "." #field)
#define MMDIFF_RELATION_BIT(record, word, bit, mask, relation, why) \
  CHANGE_##record(word, mask, #record "." #bit)
#define MMDIFF_RELATION_REST(record, word, relation, why)                            \
  CHANGE_##record(word, (sizeof(s->UNNAMED_##record.word) > 1 ? 1u << 31 : 1u << 7), \
                  #record "." #word)
#define UNNAMED_vma vmas[0]
#define UNNAMED_pte ptes[0]
#define UNNAMED_folio folios[0]
#define CHANGE(array, f, mask, name)                                                              \
  expect(                                                                                         \
      [](State* s) {                                                                              \
        auto& v = s->array[0].f;                                                                  \
        v = static_cast<std::remove_reference_t<decltype(v)>>(static_cast<uint64_t>(v) ^ (mask)); \
      },                                                                                          \
      name);
#define CHANGE_vma(f, mask, name) CHANGE(vmas, f, mask, name)
#define CHANGE_pte(f, mask, name) CHANGE(ptes, f, mask, name)
#define CHANGE_page(f, mask, name) CHANGE(pages, f, mask, name)
#define CHANGE_folio(f, mask, name) CHANGE(folios, f, mask, name)
#define CHANGE_swap(f, mask, name) CHANGE(swaps, f, mask, name)
#define CHANGE_batch(f, mask, name) CHANGE(batches, f, mask, name)
#define CHANGE_tlb(f, mask, name) CHANGE(tlbs, f, mask, name)
#define CHANGE_mm(f, mask, name) CHANGE(mms, f, mask, name)
#define CHANGE_stat(f, mask, name) expect([](State* s) { s->stats.f ^= (mask); }, name);
#include "state/relations.def"
}

TEST(Compare, ReportsMissingAndExtraRecords) {
  const auto expect_missing = [](auto drop, const char* name, const char* where) {
    State less = Sample();
    drop(&less);
    CompareResult r;
    EXPECT_FALSE(Compare(Sample(), less, &r));
    ASSERT_FALSE(r.diffs.empty());
    EXPECT_STREQ(r.diffs[0].name(), name);
    EXPECT_EQ(r.diffs[0].where, where);
    EXPECT_EQ(r.diffs[0].a, "present");
    EXPECT_EQ(r.diffs[0].b, "absent");
    EXPECT_FALSE(Compare(less, Sample(), &r));
    ASSERT_FALSE(r.diffs.empty());
    EXPECT_STREQ(r.diffs[0].name(), name);
    EXPECT_EQ(r.diffs[0].b, "present");
  };
  expect_missing([](State* s) { s->vmas.clear(); }, "vma.present", "m0 0x40 vma");
  expect_missing([](State* s) { s->ptes.pop_back(); }, "pte.present", "m0 0x41 pte");
  expect_missing([](State* s) { s->pages.pop_back(); }, "page.present",
                 "folio 2 (unmapped) page 0");
  expect_missing([](State* s) { s->folios.erase(s->folios.begin() + 1); }, "folio.present",
                 "folio 1 (f2 page 8)");
  expect_missing([](State* s) { s->swaps.clear(); }, "swap.present", "swap slot 5");
  expect_missing([](State* s) { s->batches.clear(); }, "batch.present", "cpu1 mlock batch slot 2");
  expect_missing([](State* s) { s->tlbs.clear(); }, "tlb.present", "cpu0 tlb m0 0x40");
  expect_missing([](State* s) { s->mms.pop_back(); }, "mm.present", "m1");
}

TEST(Compare, RanksByRelationThenByKeyAndBoundsTheList) {
  State a = Sample(), b = Sample();
  b.stats.nr_mlock = 1;                        // last kind
  b.ptes[1].bits = 0;                          // pte.exclusive at 0x41
  b.ptes[0].bits = kPteDirty | kPteExclusive;  // pte.write and pte.exclusive at 0x40
  CompareResult r;
  EXPECT_FALSE(Compare(a, b, &r));
  ASSERT_EQ(r.diffs.size(), 4u);
  EXPECT_STREQ(r.diffs[0].name(), "pte.write");
  EXPECT_STREQ(r.diffs[1].name(), "pte.exclusive");
  EXPECT_EQ(r.diffs[1].where, "m0 0x40 pte");
  EXPECT_STREQ(r.diffs[2].name(), "pte.exclusive");
  EXPECT_EQ(r.diffs[2].where, "m0 0x41 pte");
  EXPECT_STREQ(r.diffs[3].name(), "stat.nr_mlock");
  EXPECT_FALSE(Compare(a, b, &r, nullptr, 1));
  EXPECT_EQ(r.diffs.size(), 1u);
  EXPECT_EQ(r.more, 3u);
}

TEST(Compare, LooksUpRecordsOfACanonicalState) {
  const State s = Sample();
  EXPECT_EQ(FindPte(s, 0, 0x41), &s.ptes[1]);
  EXPECT_EQ(FindPte(s, 0, 0x42), nullptr);
  EXPECT_EQ(FindPte(s, 1, 0x41), nullptr);
  EXPECT_EQ(FindVma(s, 0, 0x43), &s.vmas[0]);
  EXPECT_EQ(FindVma(s, 0, 0x44), nullptr);
  EXPECT_EQ(FindVma(s, 0, 0x3f), nullptr);
  EXPECT_EQ(FindVma(s, 1, 0x40), nullptr);
  EXPECT_EQ(FindMm(s, 1), &s.mms[1]);
  EXPECT_EQ(FindFolio(s, 2), &s.folios[2]);
  EXPECT_EQ(FindPage(s, 2, 0), &s.pages[2]);
  EXPECT_EQ(FindPage(s, 2, 1), nullptr);
  EXPECT_EQ(FindSwap(s, 5), &s.swaps[0]);
  EXPECT_EQ(FindSwap(s, 4), nullptr);
}

TEST(Diff, RendersEveryKindOfRecordSymbolically) {
  const std::string text = RenderState(Sample());
  EXPECT_THAT(text, HasSubstr("m0 0x40 vma: end=0x44 read|write anon pgoff=0x40\n"));
  EXPECT_THAT(text, HasSubstr("m0 0x40 pte: present write|dirty folio 0 page 0\n"));
  EXPECT_THAT(text, HasSubstr("m0 0x41 pte: swap exclusive slot=5\n"));
  EXPECT_THAT(
      text,
      HasSubstr("folio 0 (m0 0x40): order=0 anon refcount=1 mapcount=1 lru=none node=0 movable\n"));
  EXPECT_THAT(text, HasSubstr("folio 1 (f2 page 8): order=0 dirty"));
  EXPECT_THAT(text, HasSubstr("folio 0 (m0 0x40) page 0: content=0x100000040 mapcount=1\n"));
  EXPECT_THAT(text, HasSubstr("swap slot 5: count=1 content=0x0\n"));
  EXPECT_THAT(text, HasSubstr("cpu1 mlock batch slot 2: folio 0 tag=new\n"));
  EXPECT_THAT(text, HasSubstr("cpu0 tlb m0 0x40: folio 0 page 0 write\n"));
  EXPECT_THAT(text, HasSubstr("m0: rss_anon=2"));
  EXPECT_THAT(text, HasSubstr("statistics: anon_mapped=0"));
}

TEST(Diff, ShowsOnlyWhatDiffersSideBySide) {
  State b = Sample();
  b.ptes[0].bits = kPteDirty;
  b.swaps.clear();
  EXPECT_EQ(RenderDiff(Sample(), Sample(), "reference", "model"), "");
  EXPECT_EQ(RenderDiff(Sample(), b, "reference", "model"),
            "             reference                           model\n"
            "m0 0x40 pte  present write|dirty folio 0 page 0  present dirty folio 0 page 0\n"
            "swap slot 5  count=1 content=0x0                 absent\n");
  CompareResult r;
  Compare(Sample(), b, &r, nullptr, 1);
  EXPECT_EQ(RenderFieldDiffs(r, "reference", "model"),
            "                        reference  model\n"
            "m0 0x40 pte  pte.write  set        clear\n"
            "and 1 more fields\n");
}

}  // namespace
}  // namespace mmdiff
