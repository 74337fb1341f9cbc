#include "harness/signature.h"

#include <csignal>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/fake_implementation.h"
#include "program/text.h"

namespace mmdiff {
namespace {

using testing::ElementsAre;
using Call = FakeImplementation::Call;

RunResult RunOn(Contestants contestants, const std::string& text) {
  auto program = ParseText(text, {.file_name = "", .snippet = true});
  EXPECT_TRUE(program.ok()) << program.status();
  Lockstep lockstep(std::move(contestants));
  RunResult result;
  if (program.ok()) lockstep.Run(*program, RunOptions::Thorough(), &result);
  return result;
}

// Changes the entry that the operation names.
FakeImplementation::Hook AtWrite(void (*change)(FakeImplementation&, PteState*)) {
  return [change](Call& c) {
    if (c.code == Opcode::write) change(c.self, c.self.Pte(c.arg[0], c.arg[1]));
  };
}

const char* const kSmall = "m0 = mm\nmap m0 0x40 4 rw anon\nwrite m0 0x40 2\n";

TEST(Signature, NamesRelationOperationObjectAndPartition) {
  const auto hook =
      AtWrite([](FakeImplementation&, PteState* p) { p->bits = kPteDirty | kPteYoung; });
  const Signature s = SignatureOf(RunOn(FakeContestants({{"model", hook}}), kSmall));
  EXPECT_EQ(s.text, "pte.write-write-anon_small-reference_vs_model");
  EXPECT_EQ(s.FileName().substr(0, s.text.size() + 1), s.text + "-");
  EXPECT_EQ(s.FileName().size(), s.text.size() + 9);
}

TEST(Signature, DoesNotDependOnPlacesOrCounts) {
  const auto hook =
      AtWrite([](FakeImplementation&, PteState* p) { p->bits = kPteDirty | kPteYoung; });
  const Signature a = SignatureOf(RunOn(FakeContestants({{"model", hook}}), kSmall));
  const Signature b = SignatureOf(
      RunOn(FakeContestants({{"model", hook}}),
            "m0 = mm\nm1 = fork m0\nmap m1 0x20 9 rw anon\nread m1 0x20 2\nwrite m1 0x24 3\n"));
  EXPECT_EQ(a, b);
}

TEST(Signature, TellsDifferentBugsApart) {
  const auto of = [](void (*change)(FakeImplementation&, PteState*)) {
    return SignatureOf(RunOn(FakeContestants({{"model", AtWrite(change)}}), kSmall)).text;
  };
  EXPECT_EQ(of([](FakeImplementation& f, PteState* p) { f.Folio(p->folio)->refcount = 9; }),
            "folio.refcount-write-anon_small-reference_vs_model");
  EXPECT_EQ(of([](FakeImplementation& f, PteState* p) { f.Page(p->folio)->content = 9; }),
            "page.content-write-anon_small-reference_vs_model");
  EXPECT_EQ(of([](FakeImplementation& f, PteState*) { f.state.stats.nr_mlock = 9; }),
            "stat.nr_mlock-write-reference_vs_model");
  EXPECT_EQ(of([](FakeImplementation& f, PteState*) { f.state.mms[0].rss_anon = 9; }),
            "mm.rss_anon-write-reference_vs_model");
  EXPECT_EQ(of([](FakeImplementation& f, PteState*) { f.state.vmas[0].flags |= kVmLocked; }),
            "vma.locked-write-locked_vma-reference_vs_model");
}

TEST(Signature, KnowsTheClassesOfObjects) {
  Divergence d;
  State& s = d.state_b;
  s.vmas = {{.mm = 0, .start = 0, .end = 9, .flags = kVmLocked | kVmShared}};
  s.ptes = {{.mm = 0, .vpn = 1, .kind = PteKind::kPresent, .folio = 0},
            {.mm = 0, .vpn = 2, .kind = PteKind::kSwap, .slot = 3},
            {.mm = 0, .vpn = 3, .kind = PteKind::kMigration, .folio = 1},
            {.mm = 0, .vpn = 4, .kind = PteKind::kZero}};
  s.folios = {{.id = 0,
               .flags = kFolioAnon | kFolioSwapBacked | kFolioMlocked,
               .pincount = 1,
               .file = kNoFile,
               .order = 4},
              {.id = 1, .flags = kFolioAnon, .refcount = kGupPinBias, .file = kNoFile},
              {.id = 2, .file = 0},
              {.id = 3, .flags = kFolioSwapBacked, .file = kShmemFile},
              {.id = 4,
               .flags = kFolioAnon | kFolioSwapBacked | kFolioSwapCache,
               .file = kNoFile,
               .slot = 8,
               .order = 2}};
  s.batches = {{.cpu = 1, .kind = BatchKind::kLruAdd, .position = 0, .folio = 3}};
  const auto classes = [&](RecordKey key) {
    FieldDiff diff;
    diff.key = key;
    return ObjectClasses(d, diff);
  };
  EXPECT_THAT(classes({Record::pte, 0, 1}),
              ElementsAre("anon", "large", "locked_vma", "mlocked", "pinned", "shared_vma"));
  EXPECT_THAT(classes({Record::pte, 0, 2}), ElementsAre("locked_vma", "shared_vma", "swap"));
  EXPECT_THAT(
      classes({Record::pte, 0, 3}),
      ElementsAre("anon", "lazyfree", "locked_vma", "migration", "pinned", "shared_vma", "small"));
  EXPECT_THAT(classes({Record::tlb, 1, 0, 4}), ElementsAre("locked_vma", "shared_vma", "zero"));
  EXPECT_THAT(classes({Record::folio, 2}), ElementsAre("file", "small"));
  EXPECT_THAT(classes({Record::batch, 1, 0, 0}), ElementsAre("shmem", "small"));
  EXPECT_THAT(classes({Record::swap, 10}), ElementsAre("anon", "large", "swapcache"));
  EXPECT_THAT(classes({Record::swap, 12}), ElementsAre());
  EXPECT_THAT(classes({Record::mm, 0}), ElementsAre());
}

TEST(Signature, OfResultsUsesThePageThatTheOperationNames) {
  const auto hook = [](Call& c) { c.result.err = c.code == Opcode::write ? 12 : c.result.err; };
  EXPECT_EQ(SignatureOf(RunOn(FakeContestants({{"model", hook}}), kSmall)).text,
            "result.err-write-anon_small-reference_vs_model");
}

TEST(Signature, OfChoicesNamesTheChoice) {
  const auto refuse = [](Call& c) {
    if (c.code == Opcode::write)
      c.context.choices->Refuse(ChoiceKind::kFaultOrder, "no such order");
  };
  EXPECT_EQ(SignatureOf(RunOn(FakeContestants({{"model", nullptr}}, refuse), kSmall)).text,
            "choice.refused-write-faultorder-anon_small-reference_vs_model");
}

TEST(Signature, PartitionIsNotPartOfWhatWentWrong) {
  const auto hook =
      AtWrite([](FakeImplementation&, PteState* p) { p->bits = kPteDirty | kPteYoung; });
  const Signature a = SignatureOf(RunOn(FakeContestants({{"model", hook}}), kSmall));
  const Signature b = SignatureOf(RunOn(FakeContestants({{"model:-batch", hook}}), kSmall));
  EXPECT_EQ(b.text, "pte.write-write-anon_small-reference_vs_model_batch");
  EXPECT_NE(a, b);
  EXPECT_EQ(a.what, b.what);
}

TEST(Signature, OfInvariantsExpectationsAndFaults) {
  const auto broken = [](Call& c) {
    if (c.code == Opcode::write) c.self.invariant = "refcount: folio 0 has 2 references";
  };
  EXPECT_EQ(SignatureOf(RunOn(FakeContestants({{"model", broken}}), kSmall)).text,
            "invariant_refcount-write-model");
  const auto digest = [](Call& c) { c.self.digest_error = 1; };
  EXPECT_EQ(SignatureOf(RunOn(FakeContestants({{"model", digest}}), kSmall)).text, "fault-digest");
  RunResult r;
  r.outcome = RunOutcome::expectation;
  r.message = "line 3: `=> ok 3` after op 2 write m0 0x40 2: it answered ok 2";
  EXPECT_EQ(SignatureOf(r).text, "expectation-ok_3");
  EXPECT_EQ(SignatureOf(RunResult{}).text, "");
}

TEST(Signature, OfDeaths) {
  const auto of = [](const char* text, int signal) {
    return SignatureOfDeath(text, signal, "fork").text;
  };
  EXPECT_EQ(of("", SIGSEGV), "crash-SIGSEGV-fork");
  EXPECT_EQ(of("", 0), "crash-exit-fork");
  EXPECT_EQ(of("noise\n==12==ERROR: AddressSanitizer: heap-use-after-free on address "
               "0x602000000010 at pc\n",
               SIGABRT),
            "asan-heap-use-after-free-fork");
  EXPECT_EQ(
      of("==12==ERROR: AddressSanitizer: attempting double-free on 0x60 in thread T0:\n", SIGABRT),
      "asan-double-free-fork");
  EXPECT_EQ(of("==1==ERROR: AddressSanitizer: SEGV on unknown address 0x0 (pc 0x1)\n", SIGABRT),
            "asan-segv-fork");
  EXPECT_EQ(of("model.cc:3:4: runtime error: signed integer overflow: 2147483647 + 1 cannot\n", 0),
            "ubsan-signed-integer-overflow-fork");
  EXPECT_EQ(of("a.cc:3:4: runtime error: index 12 out of bounds for type 'int [4]'\n", 0),
            "ubsan-index-out-of-bounds-for-type-fork");
  EXPECT_EQ(of("WARNING: ThreadSanitizer: data race (pid=12)\n", 66), "tsan-data-race-fork");
  EXPECT_EQ(of("==9==ERROR: LeakSanitizer: detected memory leaks\n", 0),
            "lsan-detected-memory-leaks-fork");
  EXPECT_EQ(of("mmdiff: model BUG: refcount below zero (model/folio.cc:12)\n", SIGABRT),
            "bug-refcount_below_zero-fork");
  EXPECT_EQ(of("t: a.cc:7: void F(): Assertion `a == b->c' failed.\n", SIGABRT), "bug-a_b_c-fork");
  EXPECT_EQ(HangSignature("fork").text, "hang-fork");
  EXPECT_EQ(HangSignature("").text, "hang");
  EXPECT_NE(HangSignature("fork"), HangSignature("exit"));
}

TEST(Signature, IsSafeAsAFileNameWhateverWentIn) {
  const Signature s = BugSignature(std::string(500, 'x') + "/../..\n\t;$(rm)", "fork");
  EXPECT_LE(s.text.size(), 120u);
  for (const char c : s.FileName()) {
    EXPECT_TRUE((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                c == '.')
        << c;
  }
  EXPECT_EQ(Slug("  A==b->C!! ", 40), "a_b_c");
  EXPECT_EQ(Slug("abcdef", 3), "abc");
}

}  // namespace
}  // namespace mmdiff
