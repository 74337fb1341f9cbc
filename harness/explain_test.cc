#include "harness/explain.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/fake_implementation.h"
#include "harness/golden.h"
#include "nlohmann/json.hpp"
#include "program/text.h"

namespace mmdiff {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Call = FakeImplementation::Call;

// "fake" has two switches; with fast_fork on, a fork leaves a page above 0x41 writable in the
// child.
Contestants Make(bool fast_fork, bool lazy, const std::string& name) {
  Contestants out;
  auto fake = std::make_unique<FakeImplementation>(name, [fast_fork](Call& c) {
    if (c.code == Opcode::fork && fast_fork) {
      for (PteState& p : c.self.state.ptes) {
        if (p.mm == c.context.result_handle && p.vpn > 0x41) p.bits |= kPteWrite;
      }
      if (!c.context.choices->following())
        c.context.choices->Record(ChoiceKind::kVisit, 1, 0x42, 1);
    }
  });
  fake->AddSwitch("fast_fork", fast_fork);
  fake->AddSwitch("lazy", lazy);
  out.leaders.push_back(std::move(fake));
  out.references.push_back(std::make_unique<FakeImplementation>("reference", [](Call& c) {
    if (c.context.choices->Peek(ChoiceKind::kVisit) != nullptr) c.context.choices->Take();
  }));
  return out;
}

absl::StatusOr<Contestants> Factory(std::string_view specs) {
  if (specs == "reference,fake") return Make(true, false, "fake");
  if (specs == "reference,fake:-fast_fork") return Make(false, false, "fake:-fast_fork");
  if (specs == "reference,fake:+lazy") return Make(true, true, "fake:+lazy");
  return absl::InvalidArgumentError("no such thing");
}

Program Parse(const std::string& text) {
  auto program = ParseText(text, {.file_name = "", .snippet = true});
  EXPECT_TRUE(program.ok()) << program.status();
  return program.ok() ? *std::move(program) : Program{};
}

ExplainOptions NoTries() {
  ExplainOptions o;
  o.try_switches = o.try_arguments = false;
  return o;
}

const char kProgram[] =
    "m0 = mm\nmap m0 0x40 8 rw anon\nwrite m0 0x40 4\nread m0 0x41 1\nm1 = fork m0\nexit m0\n";

Explanation ExplainIt(const ExplainOptions& options = {}) {
  auto e = Explain(Parse(kProgram), "reference,fake", Factory, options);
  EXPECT_TRUE(e.ok()) << e.status();
  return *std::move(e);
}

TEST(Explain, NamesTheObjectAndTheOperationsThatTouchedIt) {
  const Explanation e = ExplainIt();
  EXPECT_EQ(e.outcome, RunOutcome::divergence);
  EXPECT_EQ(e.signature.text, "pte.write-fork-anon_small-reference_vs_fake");
  EXPECT_EQ(e.object, "m1 0x42 pte");
  ASSERT_EQ(e.slice.size(), 1u);
  EXPECT_EQ(e.slice[0].op_index, 4u);
  EXPECT_EQ(e.slice[0].op, "m1 = fork m0");
  EXPECT_EQ(e.slice[0].before_a, "absent");
  EXPECT_THAT(e.slice[0].after_a, Not(HasSubstr("write")));
  EXPECT_THAT(e.slice[0].after_b, HasSubstr("write"));
  EXPECT_THAT(e.choices, ElementsAre("Visit a=1 b=66 c=1"));
}

TEST(Explain, FindsTheSwitchThatMakesItGoAway) {
  const Explanation e = ExplainIt();
  ASSERT_EQ(e.switches.size(), 2u);
  EXPECT_EQ(e.switches[0].name, "fast_fork");
  EXPECT_TRUE(e.switches[0].goes_away);
  EXPECT_TRUE(e.switches[0].was_on);
  EXPECT_EQ(e.switches[0].instead, "ok");
  EXPECT_FALSE(e.switches[1].goes_away);
  EXPECT_FALSE(e.switches[1].was_on);
}

const ArgumentVerdict* Find(const Explanation& e, uint32_t op, const std::string& name) {
  for (const ArgumentVerdict& v : e.arguments) {
    if (v.op_index == op && v.name == name) return &v;
  }
  return nullptr;
}

TEST(Explain, TellsArgumentsThatMatterFromOthers) {
  const Explanation e = ExplainIt();
  // What the read reads is of no importance.
  ASSERT_NE(Find(e, 3, "vpn"), nullptr);
  EXPECT_FALSE(Find(e, 3, "vpn")->matters);
  EXPECT_FALSE(Find(e, 3, "npages")->matters);
  EXPECT_FALSE(Find(e, 4, "cpu")->matters);
  // How much is written is: fewer than three pages do not reach 0x42.
  const ArgumentVerdict* npages = Find(e, 2, "npages");
  ASSERT_NE(npages, nullptr);
  EXPECT_TRUE(npages->matters);
  EXPECT_THAT(npages->different, ElementsAre("1", "2"));
  EXPECT_THAT(npages->same, ElementsAre("3", "5", "8", "32"));
  EXPECT_TRUE(Find(e, 1, "flags")->matters);
  EXPECT_TRUE(e.complete);
}

TEST(Explain, FollowsFoliosByTheirOwnNumbers) {
  // The folio is numbered 1 by its owners and 0 in the canonical state once the first page is gone.
  const auto make = [](std::string_view) -> absl::StatusOr<Contestants> {
    return FakeContestants({{"fake", [](Call& c) {
                               if (c.code == Opcode::lock) c.self.Folio(1)->mlock_count = 1;
                             }}});
  };
  auto e = Explain(Parse("m0 = mm\nmap m0 0x40 1 rw anon\nmap m0 0x41 1 rw anon\nwrite m0 0x40 2\n"
                         "unmap m0 0x40 1\nlock m0 0x41 1\n"),
                   "reference,fake", make, NoTries());
  ASSERT_TRUE(e.ok());
  EXPECT_EQ(e->object, "folio 0 (m0 0x41)");
  ASSERT_EQ(e->slice.size(), 2u);
  EXPECT_EQ(e->slice[0].op, "write m0 0x40 2");
  EXPECT_EQ(e->slice[1].op, "lock m0 0x41 1");
  EXPECT_THAT(e->slice[1].after_b, HasSubstr("mlock_count=1"));
}

// The second folio of a program, unmapped but held, is lost by one side at `lock`.
Contestants LoseAFolio(const std::string& loser) {
  const auto hook = [loser](Call& c) {
    const bool mine = c.self.info().name == "fake";
    const uint32_t id = mine ? 11 : 1;
    if (c.code == Opcode::drain) ++c.self.Folio(id)->refcount;
    if (c.code != Opcode::lock || c.self.info().name != loser) return;
    std::erase_if(c.self.state.folios, [&](const FolioState& r) { return r.id == id; });
    std::erase_if(c.self.state.pages, [&](const PageState& r) { return r.folio == id; });
  };
  Contestants out;
  auto fake = std::make_unique<FakeImplementation>("fake", hook);
  fake->CountFoliosFrom(10);
  out.leaders.push_back(std::move(fake));
  out.references.push_back(std::make_unique<FakeImplementation>("reference", hook));
  return out;
}

TEST(Explain, FollowsFoliosThatTheSidesNumberDifferently) {
  for (const std::string loser : {"reference", "fake"}) {
    const auto make = [&](std::string_view) -> absl::StatusOr<Contestants> {
      return LoseAFolio(loser);
    };
    auto e = Explain(Parse("m0 = mm\nmap m0 0x40 1 rw anon\nmap m0 0x41 1 rw anon\n"
                           "write m0 0x40 2\ndrain\nunmap m0 0x41 1\nlock m0 0x40 1\n"),
                     "reference,fake", make, NoTries());
    ASSERT_TRUE(e.ok());
    ASSERT_EQ(e->slice.size(), 3u) << ExplanationText(*e);
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_NE(e->slice[i].after_a, "absent") << loser << " " << e->slice[i].op;
      EXPECT_EQ(e->slice[i].after_a, e->slice[i].after_b) << loser << " " << e->slice[i].op;
    }
    EXPECT_EQ(e->slice[2].after_a == "absent", loser == "reference");
    EXPECT_EQ(e->slice[2].after_b == "absent", loser == "fake");
  }
}

TEST(Explain, CallsAFolioTheSameOnBothSides) {
  const auto make = [](std::string_view) -> absl::StatusOr<Contestants> {
    Contestants out = FakeContestants({{"fake", [](Call& c) {
                                          if (c.code == Opcode::lock)
                                            c.self.Pte(0, 0x40)->bits ^= kPteYoung;
                                        }}});
    static_cast<FakeImplementation&>(*out.leaders[0]).CountFoliosFrom(10);
    return out;
  };
  auto e = Explain(Parse("m0 = mm\nmap m0 0x40 1 rw anon\nwrite m0 0x40 1\nlock m0 0x40 1\n"),
                   "reference,fake", make, NoTries());
  ASSERT_TRUE(e.ok());
  ASSERT_GE(e->slice.size(), 2u);
  EXPECT_THAT(e->slice[0].after_a, HasSubstr("folio 10"));
  EXPECT_EQ(e->slice[0].after_a, e->slice[0].after_b);
}

TEST(Explain, StopsAtItsLimit) {
  ExplainOptions limited;
  limited.max_runs = 3;
  const Explanation e = ExplainIt(limited);
  EXPECT_FALSE(e.complete);
  EXPECT_EQ(e.runs, 4u);
  EXPECT_THAT(ExplanationText(e), HasSubstr("Not everything was tried"));
  const Explanation none = ExplainIt(NoTries());
  EXPECT_TRUE(none.switches.empty() && none.arguments.empty());
}

TEST(Explain, HasLittleToSayOfAgreement) {
  auto e = Explain(Parse("m0 = mm\n"), "reference,fake", Factory);
  ASSERT_TRUE(e.ok());
  EXPECT_EQ(e->outcome, RunOutcome::ok);
  EXPECT_THAT(ExplanationText(*e), HasSubstr("nothing to explain"));
  EXPECT_EQ(Explain(Parse("m0 = mm\n"), "nobody", Factory).status().message(), "no such thing");
}

TEST(Explain, ReportsAFailedExpectation) {
  auto e = Explain(Parse("m0 = mm # => ENOMEM\n"), "reference,fake", Factory);
  ASSERT_TRUE(e.ok());
  EXPECT_EQ(e->outcome, RunOutcome::expectation);
  EXPECT_THAT(ExplanationText(*e), HasSubstr("expectation: line 1: `=> ENOMEM`"));
}

TEST(Explain, TextAndJsonAreAsTheyWere) {
  const Explanation e = ExplainIt();
  ExpectGolden("explain.txt", ExplanationText(e));
  ExpectGolden("explain.json", ExplanationJson(e) + "\n");
  EXPECT_EQ(ExplanationText(e), ExplanationText(ExplainIt()));
  const auto json = nlohmann::json::parse(ExplanationJson(e));
  EXPECT_EQ(json["divergence"]["relation"], "pte.write");
  EXPECT_EQ(json["op_index"], 4);
}

}  // namespace
}  // namespace mmdiff
