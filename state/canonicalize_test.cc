#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "program/program.h"
#include "state/digest.h"
#include "state/state.h"

namespace mmdiff {
namespace {

using testing::ElementsAre;

// Three folios with own numbers 7, 4 and 9: 9 is mapped first, 4 is in the page cache, 7 is only
// isolated.
State Sample() {
  State s;
  s.mms = {{.id = 0, .rss_anon = 1}};
  s.vmas = {{.mm = 0, .start = 0x40, .end = 0x44, .flags = kVmRead, .file = kNoFile}};
  s.ptes = {{.mm = 0, .vpn = 0x41, .kind = PteKind::kPresent, .folio = 9},
            {.mm = 0, .vpn = 0x42, .kind = PteKind::kSwap, .slot = 3}};
  s.folios = {{.id = 4, .file = 0, .index = 2},
              {.id = 7, .refcount = 1, .file = kNoFile},
              {.id = 9, .refcount = 2, .file = kNoFile}};
  s.pages = {{.folio = 4, .offset = 0, .content = 40},
             {.folio = 7, .offset = 0, .content = 70},
             {.folio = 9, .offset = 0, .content = 90}};
  s.swaps = {{.slot = 3, .count = 1}};
  s.batches = {{.cpu = 1, .kind = BatchKind::kLruAdd, .position = 0, .folio = 9}};
  s.tlbs = {{.cpu = 0, .mm = 0, .vpn = 0x41, .folio = 9}};
  return s;
}

TEST(Canonicalize, NumbersFoliosByFirstAppearance) {
  State s = Sample();
  std::vector<uint32_t> own;
  Canonicalize(&s, &own);
  EXPECT_THAT(own, ElementsAre(9, 4, 7));
  EXPECT_EQ(s.ptes[0].folio, 0u);
  EXPECT_EQ(s.ptes[1].folio, kNoFolio);
  EXPECT_EQ(s.batches[0].folio, 0u);
  EXPECT_EQ(s.tlbs[0].folio, 0u);
  ASSERT_EQ(s.pages.size(), 3u);
  EXPECT_EQ(s.pages[0].content, 90u);
  EXPECT_EQ(s.pages[1].content, 40u);
  EXPECT_EQ(s.pages[2].content, 70u);
  EXPECT_EQ(s.folios[2].refcount, 1u);
}

TEST(Canonicalize, SwapCacheComesAfterPageCacheAndBeforeBatches) {
  State s;
  s.folios = {{.id = 0, .file = kNoFile},
              {.id = 1, .file = kNoFile},
              {.id = 2, .file = kNoFile, .slot = 8},
              {.id = 3, .file = kNoFile, .slot = 4},
              {.id = 4, .file = kShmemFile, .index = 0},
              {.id = 5, .file = 1, .index = 9}};
  s.batches = {{.cpu = 0, .kind = BatchKind::kMlock, .position = 0, .folio = 1}};
  std::vector<uint32_t> own;
  Canonicalize(&s, &own);
  EXPECT_THAT(own, ElementsAre(5, 4, 3, 2, 1, 0));
}

// Two folios that only a migration holds: their own numbers do not matter, what they are does.
TEST(Canonicalize, HeldFoliosGoByWhatTheyAre) {
  const auto state = [](uint32_t from, uint32_t to) {
    State s;
    s.folios = {{.id = from, .flags = kFolioAnon, .refcount = 1, .file = kNoFile},
                {.id = to, .refcount = 1, .file = kNoFile}};
    s.pages = {{.folio = from, .offset = 0, .content = 5}, {.folio = to, .offset = 0}};
    Canonicalize(&s);
    return s;
  };
  EXPECT_EQ(state(3, 8), state(8, 3));
  State other = state(3, 8);
  std::swap(other.pages[0].content, other.pages[1].content);
  Canonicalize(&other);
  EXPECT_NE(other, state(3, 8));
}

TEST(Canonicalize, IsIdempotent) {
  State once = Sample();
  Canonicalize(&once);
  State twice = once;
  Canonicalize(&twice);
  EXPECT_EQ(once, twice);
}

// Any order of the arrays and any order-keeping numbering of what is mapped or cached is the same
// state.
TEST(Canonicalize, DoesNotDependOnOrderOrNumbers) {
  State want = Sample();
  Canonicalize(&want);
  std::mt19937 rnd(1);
  for (int round = 0; round < 200; ++round) {
    State s = Sample();
    std::vector<uint32_t> numbers = {4, 7, 9};
    const auto below_1000 = [&] { return static_cast<uint32_t>(rnd() % 1000); };
    std::vector<uint32_t> fresh = {below_1000(), 1000 + below_1000(), 2000 + below_1000()};
    std::shuffle(fresh.begin(), fresh.end(), rnd);
    const auto renumber = [&](uint32_t* id) {
      const auto it = std::find(numbers.begin(), numbers.end(), *id);
      if (it != numbers.end()) *id = fresh[static_cast<size_t>(it - numbers.begin())];
    };
    for (auto& r : s.ptes) renumber(&r.folio);
    for (auto& r : s.folios) renumber(&r.id);
    for (auto& r : s.pages) renumber(&r.folio);
    for (auto& r : s.batches) renumber(&r.folio);
    for (auto& r : s.tlbs) renumber(&r.folio);
    std::shuffle(s.ptes.begin(), s.ptes.end(), rnd);
    std::shuffle(s.folios.begin(), s.folios.end(), rnd);
    std::shuffle(s.pages.begin(), s.pages.end(), rnd);
    Canonicalize(&s);
    ASSERT_EQ(s, want) << "round " << round;
  }
}

// An entry that maps a folio which does not exist must not be taken for one that does.
TEST(Canonicalize, KeepsDanglingFoliosApart) {
  State s = Sample();
  s.ptes.push_back({.mm = 0, .vpn = 0x43, .kind = PteKind::kPresent, .folio = 1});
  Canonicalize(&s);
  for (const FolioState& f : s.folios) EXPECT_NE(s.ptes[2].folio, f.id);
  EXPECT_NE(s.ptes[2].folio, kNoFolio);
}

TEST(Digest, ChangesWithEveryFieldOfEveryRecord) {
  const State base = Sample();
  const Digest digest = DigestOf(base);
  const auto expect_changes = [&](auto change, const char* what) {
    State s = Sample();
    change(&s);
    EXPECT_NE(DigestOf(s), digest) << what;
  };
#define MMDIFF_RELATION(record, field, relation, why) CHANGE_##record(field)
#define MMDIFF_RELATION_REST(record, field, relation, why) CHANGE_##record(field)
#define MMDIFF_RELATION_KEY(record, field) CHANGE_##record(field)
#define CHANGE(array, f)                                                                     \
  expect_changes(                                                                            \
      [](State* s) {                                                                         \
        auto& v = s->array[0].f;                                                             \
        v = static_cast<std::remove_reference_t<decltype(v)>>(static_cast<uint64_t>(v) ^ 1); \
      },                                                                                     \
      #array "." #f);
#define CHANGE_vma(f) CHANGE(vmas, f)
#define CHANGE_pte(f) CHANGE(ptes, f)
#define CHANGE_page(f) CHANGE(pages, f)
#define CHANGE_folio(f) CHANGE(folios, f)
#define CHANGE_swap(f) CHANGE(swaps, f)
#define CHANGE_batch(f) CHANGE(batches, f)
#define CHANGE_tlb(f) CHANGE(tlbs, f)
#define CHANGE_mm(f) CHANGE(mms, f)
#define CHANGE_stat(f) expect_changes([](State* s) { s->stats.f ^= 1; }, "stats." #f);
#include "state/relations.def"
}

TEST(Digest, DoesNotDependOnOrder) {
  State s = Sample();
  const Digest digest = DigestOf(s);
  std::reverse(s.folios.begin(), s.folios.end());
  std::reverse(s.ptes.begin(), s.ptes.end());
  EXPECT_EQ(DigestOf(s), digest);
}

}  // namespace
}  // namespace mmdiff
