#include "harness/expectation.h"

#include <set>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "program/program.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;

State Sample() {
  State s;
  s.mms = {{.id = 0, .rss_anon = 16, .has_pinned = 1}};
  s.vmas = {{.mm = 0,
             .start = 0x40,
             .end = 0x50,
             .flags = kVmRead | kVmWrite | kVmLocked,
             .file = kNoFile,
             .pgoff = 0x40,
             .anon_vma = 1}};
  s.ptes = {{.mm = 0,
             .vpn = 0x41,
             .kind = PteKind::kPresent,
             .bits = kPteDirty | kPteYoung,
             .offset = 1,
             .folio = 0},
            {.mm = 0, .vpn = 0x42, .kind = PteKind::kSwap, .bits = kPteExclusive, .slot = 5},
            {.mm = 0, .vpn = 0x43, .kind = PteKind::kMigration, .bits = kPteWrite, .folio = 1},
            {.mm = 0, .vpn = 0x44, .kind = PteKind::kZero, .bits = kPteYoung}};
  s.folios = {{.id = 0,
               .flags = kFolioAnon | kFolioMlocked | kFolioPartiallyMapped,
               .refcount = 3,
               .mapcount = 1,
               .pincount = 2,
               .mlock_count = 1,
               .file = kNoFile,
               .order = 2,
               .node = 1,
               .lru = LruList::kUnevictable},
              {.id = 1, .flags = kFolioAnon, .refcount = 2 * kGupPinBias + 1, .file = kNoFile},
              {.id = 2, .flags = kFolioDirty, .refcount = 2, .file = 1, .index = 8, .order = 1}};
  s.pages = {{.folio = 0, .offset = 1, .mapcount = 1, .anon_exclusive = 1, .content = 0x100000041},
             {.folio = 2, .offset = 1, .content = 7}};
  s.swaps = {{.slot = 5, .count = 2, .cached = 1, .content = 9}};
  s.batches = {{.cpu = 1, .kind = BatchKind::kMlock, .tag = MlockTag::kLru, .folio = 0}};
  s.tlbs = {{.cpu = 0, .mm = 0, .vpn = 0x41, .folio = 0},
            {.cpu = 1, .mm = 0, .vpn = 0x41, .folio = 0}};
  s.stats.nr_mlock = 4;
  return s;
}

ExpectationResult Ask(const std::string& text) {
  return EvaluateExpectation(text, OpResult{}, Sample());
}

void ExpectHolds(const std::string& text) {
  const ExpectationResult r = Ask(text);
  EXPECT_EQ(r.verdict, ExpectationVerdict::holds) << text << ": " << r.message;
}
void ExpectFails(const std::string& text, const std::string& why) {
  const ExpectationResult r = Ask(text);
  EXPECT_EQ(r.verdict, ExpectationVerdict::fails) << text << ": " << r.message;
  EXPECT_THAT(r.message, HasSubstr(why)) << text;
}
void ExpectMalformed(const std::string& text, const std::string& why) {
  const ExpectationResult r = Ask(text);
  EXPECT_EQ(r.verdict, ExpectationVerdict::malformed) << text << ": " << r.message;
  EXPECT_THAT(r.message, HasSubstr(why)) << text;
}

TEST(Expectation, AsksAboutPageTableEntries) {
  ExpectHolds(
      "? m0 0x41 present !write dirty young exclusive offset=1 order=2 refcount=3 mapcount=1");
  ExpectHolds(
      "? m0 0x41 page_mapcount=1 pins=2 mlock_count=1 mlocked partially_mapped !deferred_split");
  ExpectHolds(
      "? m0 0x41 lru=unevictable batch=mlock content=0x100000041 content=4294967361 node=1 tlb=2");
  ExpectHolds(
      "? m0 0x41 vma vma_start=0x40 vma_end=0x50 vm_locked vm_write !vm_shared anon_vma "
      "zone=movable");
  ExpectHolds("? m0 0x42 swap !present exclusive slot=5 swap_count=2 tlb=0");
  ExpectHolds("? m0 0x43 migration write !exclusive pins=2 batch=none lru=none");
  ExpectHolds("? m0 0x44 zero young !anon !none");
  ExpectHolds("? m0 0x45 none vma !present !write !dirty");
  ExpectHolds("? m0 0x60 none !vma");
  ExpectFails("? m0 0x41 write", "expected write (present dirty|young folio 0 page 1");
  ExpectFails("? m0 0x41 !dirty", "expected no dirty");
  ExpectFails("? m0 0x41 refcount=2", "expected refcount=2, it is 3");
  ExpectFails("? m0 0x41 !refcount=3", "expected !refcount=3");
  ExpectFails("? m0 0x41 lru=none", "it is unevictable");
  ExpectFails("? m0 0x41 batch=none", "it is mlock");
  ExpectFails("? m0 0x42 refcount=0", "it is nothing (swap exclusive slot=5)");
  ExpectFails("? m0 0x41 slot=4294967295", "it is nothing");
  ExpectFails("? m0 0x45 present", "no entry");
}

TEST(Expectation, AsksAboutEverythingElse) {
  ExpectHolds("? m0 rss_anon=16 has_pinned !tlb_flush_pending map_count=0 !none");
  ExpectHolds("? m1 none");
  ExpectHolds("? f1 9 content=7 refcount=2 folio_dirty !none order=1");
  ExpectHolds("? f1 10 none");
  ExpectHolds("? f0 8 none");
  ExpectHolds("? stat nr_mlock=4 nr_allocated=0");
  ExpectHolds("? swap 5 count=2 cached content=9");
  ExpectHolds("? swap 4 none");
  ExpectFails("? m0 rss_anon=15", "it is 16");
  ExpectFails("? m1 rss_anon=0", "no such process");
  ExpectFails("? f0 8 refcount=1", "not cached");
  ExpectFails("? stat nr_mlock=0", "it is 4");
  ExpectFails("? swap 4 count=0", "a free slot");
}

TEST(Expectation, ExplainsWhatItCannotRead) {
  ExpectMalformed("? m0 0x41 dirt",
                  "unknown word 'dirt' about a page-table entry; did you mean 'dirty'?; known are "
                  "none present");
  ExpectMalformed("? m0 0x41 write=1", "'write' is a flag: write 'write' or '!write'");
  ExpectMalformed("? m0 0x41 refcount", "'refcount' needs a value");
  ExpectMalformed("? m0 0x41 refcount=many", "is not a number");
  ExpectMalformed("? m0 0x41 lru=somewhere", "knows none, inactive_anon");
  ExpectMalformed("? m0 0x41", "asks nothing");
  ExpectMalformed("?", "starts with what it asks about");
  ExpectMalformed("? swap count=1", "starts with what it asks about");
  ExpectMalformed("? x0 present", "starts with what it asks about");
  ExpectMalformed("? m0 0x41 =", "unknown word ''");
}

TEST(Expectation, AsksAboutResults) {
  const auto ask = [](const std::string& text, OpResult result) {
    return EvaluateExpectation(text, result, State{});
  };
  EXPECT_EQ(ask("=> ok", {}).verdict, ExpectationVerdict::holds);
  EXPECT_EQ(ask("=> ok", {.value = 5}).verdict, ExpectationVerdict::holds);
  EXPECT_EQ(ask("=> ok 5", {.value = 5}).verdict, ExpectationVerdict::holds);
  EXPECT_EQ(ask("=> ok 4", {.value = 5}).verdict, ExpectationVerdict::fails);
  EXPECT_EQ(ask("=> ENOMEM", {.err = 12, .value = 3}).verdict, ExpectationVerdict::holds);
  EXPECT_EQ(ask("=> ENOMEM 2", {.err = 12, .value = 3}).verdict, ExpectationVerdict::fails);
  EXPECT_THAT(ask("=> ENOMEM", {}).message, HasSubstr("it answered ok 0"));
  EXPECT_EQ(ask("=> EWHAT", {}).verdict, ExpectationVerdict::malformed);
  EXPECT_EQ(ask("hello", {}).verdict, ExpectationVerdict::malformed);
  EXPECT_FALSE(ExpectsState("=> ok"));
  EXPECT_TRUE(ExpectsState("? m0 none"));
}

TEST(Expectation, ListsEachWordOnce) {
  std::set<std::pair<std::string, std::string>> seen;
  for (const ExpectationWord& w : ExpectationWords()) {
    EXPECT_TRUE(seen.insert({w.subject, w.word}).second) << w.subject << " " << w.word;
    EXPECT_NE(std::string(w.doc), "");
  }
  EXPECT_TRUE(seen.count({"stat", "nr_unevictable"}));
}

}  // namespace
}  // namespace mmdiff
