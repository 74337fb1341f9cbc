#include "harness/lockstep.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/fake_implementation.h"
#include "harness/trace.h"
#include "program/text.h"

namespace mmdiff {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Call = FakeImplementation::Call;

constexpr char kProgram[] =
    "m0 = mm\nmap m0 0x40 4 rw anon\nwrite m0 0x40 2\nm1 = fork m0\nwrite m1 0x40 1\nread m0 0x40 "
    "2\n";

Program Parse(const std::string& text) {
  auto program = ParseText(text, {.file_name = "", .snippet = true});
  EXPECT_TRUE(program.ok()) << program.status();
  return program.ok() ? *std::move(program) : Program{};
}

// After the fork the child keeps write access to a shared page.
void KeepWrite(Call& c) {
  if (c.code == Opcode::fork) c.self.Pte(1, 0x40)->bits |= kPteWrite;
}

// Everything is looked at only when a digest or a result says so.
RunOptions Fast() {
  RunOptions o;
  o.full_every = o.full_at_end_every = 0;
  return o;
}

RunResult RunOn(Contestants contestants, const RunOptions& options,
                const std::string& text = kProgram) {
  Lockstep lockstep(std::move(contestants));
  RunResult result;
  lockstep.Run(Parse(text), options, &result);
  return result;
}

TEST(Lockstep, AgreesWithItself) {
  for (const RunOptions& options : {Fast(), RunOptions{}, RunOptions::Thorough()}) {
    const RunResult r = RunOn(FakeContestants({{"fake", nullptr}}), options);
    EXPECT_EQ(r.outcome, RunOutcome::ok) << r.message;
    EXPECT_EQ(r.ops_run, 6u);
    EXPECT_EQ(r.ops_with_effect, 6u);
    EXPECT_NE(r.last_digest, 0u);
  }
}

TEST(Lockstep, SamplesAsOftenAsAsked) {
  EXPECT_EQ(RunOn(FakeContestants({{"fake", nullptr}}), Fast()).full_compares, 0u);
  RunOptions o = Fast();
  o.full_every = 2;
  EXPECT_EQ(RunOn(FakeContestants({{"fake", nullptr}}), o).full_compares, 3u);
  o = Fast();
  o.full_at_end_every = 1;
  EXPECT_EQ(RunOn(FakeContestants({{"fake", nullptr}}), o).full_compares, 1u);
  EXPECT_EQ(RunOn(FakeContestants({{"fake", nullptr}}), Fast(), std::string(kProgram) + "check\n")
                .full_compares,
            1u);
}

TEST(Lockstep, FindsADivergenceInTheState) {
  const RunResult r = RunOn(FakeContestants({{"fake", KeepWrite}}), Fast());
  ASSERT_EQ(r.outcome, RunOutcome::divergence);
  EXPECT_EQ(r.op_index, 3u);
  EXPECT_EQ(r.ops_run, 4u);
  const Divergence& d = r.divergence;
  EXPECT_EQ(d.relation, "pte.write");
  EXPECT_EQ(d.op.code, Opcode::fork);
  EXPECT_EQ(d.name_a, "reference");
  EXPECT_EQ(d.name_b, "fake");
  ASSERT_EQ(d.compare.diffs.size(), 1u);
  EXPECT_EQ(d.compare.diffs[0].where, "m1 0x40 pte");
  EXPECT_EQ(d.compare.diffs[0].a, "clear");
  EXPECT_EQ(d.compare.diffs[0].b, "set");
  EXPECT_THAT(d.partition, ElementsAre(ElementsAre("reference"), ElementsAre("fake")));
  EXPECT_THAT(r.message, HasSubstr("after op 3 m1 = fork m0: reference has clear, fake has set"));
  EXPECT_NE(FindPte(d.state_a, 1, 0x40)->bits, FindPte(d.state_b, 1, 0x40)->bits);
}

TEST(Lockstep, FindsADivergenceInEachPartOfAResult) {
  const auto run = [](auto change) {
    return RunOn(FakeContestants({{"fake",
                                   [=](Call& c) {
                                     if (c.code == Opcode::read) change(c.result);
                                   }}}),
                 Fast());
  };
  RunResult r = run([](OpResult& o) { o.err = 12; });
  EXPECT_EQ(r.divergence.relation, "result.err");
  EXPECT_THAT(r.message, HasSubstr("reference has ok, fake has ENOMEM"));
  r = run([](OpResult& o) { o.value = 7; });
  EXPECT_EQ(r.divergence.relation, "result.value");
  EXPECT_EQ(r.divergence.results[0].result.value, 2u);
  EXPECT_EQ(r.divergence.results[1].result.value, 7u);
  r = run([](OpResult& o) { o.data ^= 1; });
  EXPECT_EQ(r.divergence.relation, "result.data");
}

TEST(Lockstep, ReportsThePartition) {
  RunResult r =
      RunOn(FakeContestants({{"a", nullptr}, {"b", KeepWrite}, {"c", KeepWrite}}), Fast());
  ASSERT_EQ(r.outcome, RunOutcome::divergence);
  EXPECT_THAT(r.divergence.partition,
              ElementsAre(ElementsAre("reference", "a"), ElementsAre("b", "c")));
  EXPECT_EQ(r.divergence.name_b, "b");

  const auto drop_dirty = [](Call& c) {
    if (c.code == Opcode::fork) c.self.Pte(1, 0x40)->bits &= kPteYoung;
  };
  r = RunOn(FakeContestants({{"a", drop_dirty}, {"b", KeepWrite}, {"c", nullptr}}), Fast());
  EXPECT_THAT(r.divergence.partition,
              ElementsAre(ElementsAre("reference", "c"), ElementsAre("a"), ElementsAre("b")));
}

TEST(Lockstep, ComparesLeadersDirectlyWithoutAReference) {
  Contestants contestants = FakeContestants({{"a", nullptr}, {"b", nullptr}, {"c", KeepWrite}});
  contestants.references.clear();
  const RunResult r = RunOn(std::move(contestants), Fast());
  ASSERT_EQ(r.outcome, RunOutcome::divergence);
  EXPECT_EQ(r.divergence.name_a, "a");
  EXPECT_EQ(r.divergence.name_b, "c");
  EXPECT_THAT(r.divergence.partition, ElementsAre(ElementsAre("a", "b"), ElementsAre("c")));
}

TEST(Lockstep, RunsOneImplementationAlone) {
  Contestants contestants = FakeContestants({{"a", KeepWrite}});
  contestants.references.clear();
  const RunResult r = RunOn(std::move(contestants), RunOptions::Thorough());
  EXPECT_EQ(r.outcome, RunOutcome::ok) << r.message;
}

TEST(Lockstep, ReportsADigestThatDoesNotFit) {
  const auto wrong = [](Call& c) { c.self.digest_error = c.code == Opcode::fork; };
  RunResult r = RunOn(FakeContestants({{"fake", wrong}}), Fast());
  EXPECT_EQ(r.outcome, RunOutcome::harness_fault);
  EXPECT_EQ(r.op_index, 3u);
  EXPECT_THAT(r.message, HasSubstr("digest: what fake keeps does not fit"));
  r = RunOn(FakeContestants({{"fake", nullptr}}, wrong), Fast());
  EXPECT_THAT(r.message, HasSubstr("digest: what reference keeps does not fit"));
  // The same error on both sides, or with nobody to compare with, shows at the next sample only.
  EXPECT_EQ(RunOn(FakeContestants({{"fake", wrong}}, wrong), Fast()).outcome, RunOutcome::ok);
  EXPECT_EQ(RunOn(FakeContestants({{"fake", wrong}}, wrong), RunOptions::Thorough()).outcome,
            RunOutcome::harness_fault);
  Contestants alone = FakeContestants({{"fake", wrong}});
  alone.references.clear();
  EXPECT_EQ(RunOn(std::move(alone), RunOptions::Thorough()).outcome, RunOutcome::harness_fault);
}

TEST(Lockstep, ReportsFoliosNumberedDifferently) {
  const auto renumber = [](Call& c) {
    if (c.code != Opcode::write || c.arg[0] != 0) return;
    for (auto& r : c.self.state.ptes) r.folio += 5;
    for (auto& r : c.self.state.folios) r.id += 5;
    for (auto& r : c.self.state.pages) r.folio += 5;
  };
  const RunResult r = RunOn(FakeContestants({{"fake", renumber}}), Fast());
  EXPECT_EQ(r.outcome, RunOutcome::harness_fault);
  EXPECT_THAT(r.message, HasSubstr("number their folios differently"));
}

TEST(Lockstep, ReportsABrokenInvariantOfEitherSide) {
  const auto broken = [](Call& c) {
    if (c.code == Opcode::fork)
      c.self.invariant = "refcount: folio 0 has 2 references, its holders add up to 1";
  };
  RunResult r = RunOn(FakeContestants({{"fake", broken}}), RunOptions::Thorough());
  ASSERT_EQ(r.outcome, RunOutcome::invariant);
  EXPECT_EQ(r.divergence.relation, "refcount");
  EXPECT_EQ(r.divergence.name_b, "fake");
  EXPECT_EQ(r.op_index, 3u);
  EXPECT_THAT(r.message, HasSubstr("its holders add up to 1"));
  r = RunOn(FakeContestants({{"fake", nullptr}}, broken), RunOptions::Thorough());
  EXPECT_EQ(r.divergence.name_b, "reference");
  RunOptions off = RunOptions::Thorough();
  off.check_invariants = false;
  EXPECT_EQ(RunOn(FakeContestants({{"fake", broken}}), off).outcome, RunOutcome::ok);
}

void RecordOrder(Call& c) {
  if (c.code == Opcode::write && !c.context.choices->following()) {
    c.context.choices->Record(ChoiceKind::kFaultOrder, 0, c.arg[1]);
  }
}

TEST(Lockstep, ReferenceFollowsTheChoicesOfItsLeader) {
  const auto follow = [](Call& c) {
    if (c.code != Opcode::write) return;
    const Choice* choice = c.context.choices->Peek(ChoiceKind::kFaultOrder);
    ASSERT_NE(choice, nullptr);
    EXPECT_EQ(choice->b, c.arg[1]);
    c.context.choices->Take();
  };
  const RunResult r =
      RunOn(FakeContestants({{"a", RecordOrder}, {"b", RecordOrder}}, follow), Fast());
  EXPECT_EQ(r.outcome, RunOutcome::ok) << r.message;
}

TEST(Lockstep, BrokenChoicesAreDivergences) {
  RunResult r = RunOn(FakeContestants({{"fake", RecordOrder}}), Fast());
  ASSERT_EQ(r.outcome, RunOutcome::divergence);
  EXPECT_EQ(r.divergence.relation, "choice.left_over");
  EXPECT_EQ(r.op_index, 2u);
  EXPECT_THAT(r.message, HasSubstr("FaultOrder(a=0 b=64 c=0)"));

  const auto refuse = [](Call& c) {
    if (c.code == Opcode::write)
      c.context.choices->Refuse(ChoiceKind::kFaultOrder, "no such order");
  };
  r = RunOn(FakeContestants({{"fake", nullptr}}, refuse), Fast());
  EXPECT_EQ(r.divergence.relation, "choice.refused");
  EXPECT_THAT(r.message, HasSubstr("reference has no such order, fake has FaultOrder"));

  const auto flood = [](Call& c) {
    if (c.code != Opcode::read || c.context.choices->following()) return;
    for (size_t i = 0; i <= ChoiceLog::kCapacity; ++i)
      c.context.choices->Record(ChoiceKind::kVisit, 0);
  };
  const auto take_all = [](Call& c) {
    while (c.context.choices->Peek(ChoiceKind::kVisit) != nullptr) c.context.choices->Take();
  };
  r = RunOn(FakeContestants({{"fake", flood}}, take_all), Fast());
  EXPECT_EQ(r.divergence.relation, "choice.overflow");
}

TEST(Lockstep, UnsupportedLeavesTheComparison) {
  const auto unsupported = [](Call& c) { c.result.unsupported = c.code == Opcode::fork; };
  RunResult r = RunOn(FakeContestants({{"fake", unsupported}}), RunOptions::Thorough());
  EXPECT_EQ(r.outcome, RunOutcome::ok) << r.message;
  EXPECT_EQ(r.ops_unsupported, 3u);
  EXPECT_FALSE(r.ops[3].supported);
  // The others are still compared.
  r = RunOn(FakeContestants({{"a", unsupported}, {"b", KeepWrite}}), RunOptions::Thorough());
  ASSERT_EQ(r.outcome, RunOutcome::divergence);
  EXPECT_THAT(r.divergence.partition, ElementsAre(ElementsAre("reference"), ElementsAre("b")));
}

TEST(Lockstep, CountsOutcomesAndEffects) {
  Lockstep lockstep(FakeContestants({{"fake", nullptr}}));
  RunResult r;
  const Program p =
      Parse("m0 = mm\nread m0 0x40 1\nread m0 0x40 1\nlock m0 0x40 1\nmap m0 0x40 1 rw anon\n");
  lockstep.Run(p, Fast(), &r);
  lockstep.Run(p, Fast(), &r);
  const LockstepCounters& c = lockstep.counters();
  EXPECT_EQ(c.programs, 2u);
  EXPECT_EQ(c.ops, 10u);
  EXPECT_EQ(c.ops_with_effect, 4u);  // mm and map
  EXPECT_EQ(c.outcomes[static_cast<size_t>(Opcode::read)][14], 4u);
  EXPECT_EQ(c.outcomes[static_cast<size_t>(Opcode::lock)][0], 2u);
  EXPECT_TRUE(r.ops[0].effect);
  EXPECT_FALSE(r.ops[1].effect);
  EXPECT_EQ(r.ops[1].result.err, 14);
  lockstep.ResetCounters();
  EXPECT_EQ(lockstep.counters().ops, 0u);
}

TEST(Lockstep, BindsHandlesByCountingEarlierBindings) {
  std::vector<uint32_t> handles;
  const auto note = [&](Call& c) {
    if (!c.context.choices->following()) handles.push_back(c.context.result_handle);
  };
  Contestants contestants = FakeContestants({{"fake", note}});
  contestants.references.clear();
  RunOn(std::move(contestants), Fast(),
        "m0 = mm\nf0 = file 4\nm1 = fork m0\nf1 = file 4\nm2 = mm\np0 = pin m0 0x40 1\n");
  EXPECT_THAT(handles, ElementsAre(0, 0, 1, 1, 2, 0));
}

TEST(Lockstep, NotesItsProgress) {
  RunProgress progress;
  uint32_t seen = 0;
  const auto look = [&](Call& c) {
    EXPECT_EQ(progress.op_index.load(), c.context.op_index);
    EXPECT_EQ(progress.in_reference.load(), c.self.info().is_reference ? 1u : 0u);
    EXPECT_EQ(progress.leader.load(), c.self.info().name == "b" ? 1u : progress.leader.load());
    ++seen;
  };
  RunOptions o = Fast();
  o.progress = &progress;
  RunOn(FakeContestants({{"a", look}, {"b", look}}, look), o);
  EXPECT_EQ(seen, 24u);
  EXPECT_EQ(progress.op_index.load(), RunProgress::kIdle);
}

TEST(Lockstep, RunsAPrefix) {
  RunOptions o = Fast();
  o.max_ops = 3;
  EXPECT_EQ(RunOn(FakeContestants({{"fake", KeepWrite}}), o).outcome, RunOutcome::ok);
  o.max_ops = 4;
  EXPECT_EQ(RunOn(FakeContestants({{"fake", KeepWrite}}), o).outcome, RunOutcome::divergence);
}

TEST(Lockstep, ChecksExpectations) {
  RunOptions o = Fast();
  o.check_expectations = true;
  const auto run = [&](const std::string& tail) {
    return RunOn(FakeContestants({{"fake", nullptr}}), o,
                 "m0 = mm\nmap m0 0x40 4 rw anon\nwrite m0 0x40 2  " + tail);
  };
  EXPECT_EQ(run("# => ok 2\n#? m0 0x40 present write content=0x300000040 refcount=1\n").outcome,
            RunOutcome::ok);
  RunResult r = run("# => EFAULT\n");
  EXPECT_EQ(r.outcome, RunOutcome::expectation);
  EXPECT_THAT(
      r.message,
      HasSubstr("line 3: `=> EFAULT` after op 2 write m0 0x40 2 on fake: it answered ok 2"));
  r = run("\n#? m0 0x40 present !dirty\n");
  EXPECT_EQ(r.outcome, RunOutcome::expectation);
  EXPECT_THAT(r.message, HasSubstr("expected no dirty"));
  r = run("\n#? m0 0x40 shiny\n");
  EXPECT_EQ(r.outcome, RunOutcome::harness_fault);
  EXPECT_THAT(r.message, HasSubstr("unknown word 'shiny'"));
  // A divergence is worth more than an expectation.
  r = RunOn(FakeContestants({{"fake", KeepWrite}}), o,
            "m0 = mm\nmap m0 0x40 4 rw anon\nwrite m0 0x40 2\nm1 = fork m0  # => ENOMEM\n");
  EXPECT_EQ(r.outcome, RunOutcome::divergence);
}

TEST(Lockstep, RefusesProgramsThatAnImplementationCannotRun) {
  const auto run = [](const WorldDemands& demands, const OpcodeSet& lacks) {
    Contestants contestants = FakeContestants({{"fake", nullptr}});
    static_cast<FakeImplementation&>(*contestants.leaders[0]).Demand(demands, lacks);
    Lockstep lockstep(std::move(contestants));
    RunResult r;
    const RunOutcome outcome = lockstep.Run(Parse(kProgram), Fast(), &r);
    EXPECT_EQ(r.message.empty(), outcome == RunOutcome::ok);
    return r.message;
  };
  EXPECT_EQ(run({.max_cpus = 2}, SetOf({Opcode::split})), "");
  EXPECT_THAT(run({.table = 512, .no_tlb = true}, {}),
              HasSubstr("fmt --world \"table=512 tlb=0\""));
  EXPECT_THAT(run({}, SetOf({Opcode::fork, Opcode::split})),
              HasSubstr("fake has no counterpart for fork;"));
}

TEST(Trace, IsTheSameEveryTime) {
  std::string text;
  uint64_t digest = 0;
  for (int i = 0; i < 3; ++i) {
    Lockstep lockstep(FakeContestants({{"fake", nullptr}}));
    Trace trace(true), brief(false);
    RunResult r;
    RunOptions o = Fast();
    o.observer = &brief;
    lockstep.Run(Parse(kProgram), o, &r);
    o.observer = &trace;
    lockstep.Run(Parse(kProgram), o, &r);
    EXPECT_EQ(trace.digest(), brief.digest());
    EXPECT_EQ(brief.text(), "");
    if (i > 0) {
      EXPECT_EQ(trace.text(), text);
      EXPECT_EQ(trace.digest(), digest);
    }
    text = trace.text();
    digest = trace.digest();
  }
  EXPECT_THAT(text, HasSubstr("# op => result digest | ...: reference | fake\n"));
  EXPECT_THAT(text, HasSubstr("3 m1 = fork m0 => ok "));
  EXPECT_THAT(text, HasSubstr(" | ok 2 data="));
}

TEST(Trace, ShowsEveryDifference) {
  const auto digest = [](FakeImplementation::Hook hook) {
    Lockstep lockstep(FakeContestants({{"fake", std::move(hook)}}));
    Trace trace(false);
    RunResult r;
    RunOptions o = Fast();
    o.observer = &trace;
    lockstep.Run(Parse(kProgram), o, &r);
    return trace.digest();
  };
  const uint64_t plain = digest(nullptr);
  EXPECT_NE(digest(KeepWrite), plain);
  EXPECT_NE(digest([](Call& c) { c.result.value += c.code == Opcode::read; }), plain);
  EXPECT_NE(digest([](Call& c) { c.result.data += c.code == Opcode::read; }), plain);
}

}  // namespace
}  // namespace mmdiff
