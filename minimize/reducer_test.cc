#include "minimize/reducer.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/demands.h"
#include "harness/simplicity.h"
#include "harness/toy_machine.h"
#include "minimize/predicates.h"
#include "program/fixup.h"
#include "program/random.h"
#include "program/text.h"

namespace mmdiff {
namespace {

using ::testing::HasSubstr;

Op MakeOp(Opcode code, std::vector<uint32_t> args) {
  Op op;
  op.code = code;
  std::copy(args.begin(), args.end(), op.arg);
  return op;
}

// What a toy finding looks like: something that is true of the machine after an operation.
using Condition = bool (*)(ToyMachine&);

// True of programs after one of whose operations `condition` holds.
Predicate Reaches(Condition condition) {
  return [condition](const Program& p) -> Verdict {
    ToyMachine machine("toy", false);
    machine.Reset(p.world);
    uint32_t next[kArgKinds + 1] = {};
    auto log = std::make_unique<ChoiceLog>();
    for (uint32_t i = 0; i < p.ops.size(); ++i) {
      OpContext ctx;
      ctx.op_index = i;
      ctx.result_handle = next[static_cast<size_t>(DescOf(p.ops[i].code).result)]++;
      ctx.choices = log.get();
      machine.Dispatch(p.ops[i], ctx);
      if (condition(machine)) return {true, i};
    }
    return false;
  };
}

uint32_t ValueOf(ToyMachine& m, uint32_t mm, uint32_t vpn) {
  const auto page = m.pages().find({mm, vpn});
  return page == m.pages().end() ? 0 : page->second;
}

struct ToyFinding {
  const char* name;
  Condition condition;
};
constexpr ToyFinding kFindings[] = {
    // A page written twice.
    {"WrittenTwice",
     [](ToyMachine& m) {
       return std::any_of(m.pages().begin(), m.pages().end(),
                          [](auto& p) { return p.second >= 2; });
     }},
    // A child that wrote a page its parent had written, where the parent's is as it was.
    {"ChildDiffers",
     [](ToyMachine& m) {
       return std::any_of(m.pages().begin(), m.pages().end(), [&](auto& p) {
         return p.first.first > 0 && p.second >= 2 &&
                ValueOf(m, p.first.first - 1, p.first.second) == 1;
       });
     }},
    // A written page of a process, in another one unmapped though its neighbour is there.
    {"HoleInAChild",
     [](ToyMachine& m) {
       return std::any_of(m.pages().begin(), m.pages().end(), [&](auto& p) {
         const auto& [mm, vpn] = p.first;
         return p.second == 1 && mm > 0 && m.pages().contains({mm - 1, vpn + 1}) &&
                m.pages().contains({mm - 1, vpn}) && !m.pages().contains({mm, vpn + 1});
       });
     }},
    // Two processes with pages of their own, and nothing shared.
    {"TwoWorlds",
     [](ToyMachine& m) {
       return m.mms().size() >= 2 && std::any_of(m.pages().begin(), m.pages().end(), [&](auto& p) {
                return p.first.first == 1 && p.second == 1 &&
                       !m.pages().contains({0, p.first.second});
              });
     }},
};

// The simplest of all programs of at most five operations from a small alphabet.
Program ExhaustiveMinimum(const Predicate& predicate) {
  std::vector<Op> alphabet = {MakeOp(Opcode::mm, {}), MakeOp(Opcode::fork, {0})};
  for (const uint32_t mm : {0u, 1u}) {
    for (const Opcode code : {Opcode::unmap, Opcode::write}) {
      alphabet.push_back(MakeOp(code, {mm, 0, 1}));
      alphabet.push_back(MakeOp(code, {mm, 1, 1}));
    }
  }
  alphabet.push_back(MakeOp(Opcode::map, {0, 0, 1, kMapRead | kMapWrite, kNoFile}));
  alphabet.push_back(MakeOp(Opcode::map, {1, 0, 1, kMapRead | kMapWrite, kNoFile}));
  alphabet.push_back(MakeOp(Opcode::map, {0, 0, 2, kMapRead | kMapWrite, kNoFile}));
  for (size_t length = 1; length <= 5; ++length) {
    Program best;
    std::vector<size_t> digits(length, 0);
    for (bool more = true; more;) {
      Program p;
      for (const size_t d : digits) p.ops.push_back(alphabet[d]);
      if (p.ops[0].code == Opcode::mm && Validate(p).ok() && predicate(p).same &&
          (best.ops.empty() || Simpler(p, best))) {
        best = p;
      }
      size_t i = 0;
      while (i < length && ++digits[i] == alphabet.size()) digits[i++] = 0;
      more = i < length;
    }
    if (!best.ops.empty()) return best;
  }
  return Program();
}

// A long program with noise in which the finding shows.
Program RandomProgram(uint64_t seed, const Predicate& predicate) {
  Random rnd(seed);
  constexpr Opcode kNoise[] = {Opcode::mm,    Opcode::fork,  Opcode::map,  Opcode::map,
                               Opcode::write, Opcode::write, Opcode::read, Opcode::unmap,
                               Opcode::drain, Opcode::lock,  Opcode::file, Opcode::pin};
  for (;;) {
    Program p;
    p.world.cpus = 4;
    for (int i = 0; i < 60; ++i) {
      const Opcode code = rnd.Pick(kNoise);
      Op op = MakeOp(
          code, {rnd.Below(4), rnd.Below(40), rnd.Between(1, 9), kMapRead | kMapWrite, kNoFile});
      op.cpu = static_cast<uint8_t>(rnd.Below(4));
      p.ops.push_back(op);
    }
    Fixup(&p);
    if (predicate(p).same) return p;
  }
}

class ToyReduceTest : public ::testing::TestWithParam<ToyFinding> {};

TEST_P(ToyReduceTest, ReachesTheTrueMinimum) {
  const Predicate predicate = Reaches(GetParam().condition);
  const Program minimum = ExhaustiveMinimum(predicate);
  ASSERT_FALSE(minimum.ops.empty());
  constexpr int kPrograms = 200;
  int exact = 0;
  for (uint64_t seed = 0; seed < kPrograms; ++seed) {
    const Program original = RandomProgram(seed, predicate);
    const ReduceResult result = Reduce(original, predicate);
    ASSERT_TRUE(result.reproduced);
    EXPECT_FALSE(result.exhausted);
    EXPECT_LE(result.program.ops.size(), minimum.ops.size() + 1) << PrintText(result.program);
    EXPECT_FALSE(Simpler(result.program, minimum)) << "the alphabet misses\n"
                                                   << PrintText(result.program) << "minimum\n"
                                                   << PrintText(minimum);
    exact += result.program.ops.size() == minimum.ops.size();
  }
  EXPECT_GE(exact, kPrograms * 95 / 100) << PrintText(minimum);
}

TEST_P(ToyReduceTest, IsDeterministic) {
  const Predicate predicate = Reaches(GetParam().condition);
  const Program original = RandomProgram(99, predicate);
  std::vector<Program> seen[2];
  ReduceResult results[2];
  for (int i = 0; i < 2; ++i) {
    results[i] = Reduce(original, [&](const Program& p) {
      seen[i].push_back(p);
      return predicate(p);
    });
  }
  EXPECT_EQ(results[0].program, results[1].program);
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(results[0].runs, seen[0].size());
}

TEST_P(ToyReduceTest, ResultIsAFixpoint) {
  const Predicate predicate = Reaches(GetParam().condition);
  const ReduceResult once = Reduce(RandomProgram(7, predicate), predicate);
  const ReduceResult twice = Reduce(once.program, predicate);
  EXPECT_EQ(once.program, twice.program);
  for (const PassStats& pass : twice.passes) EXPECT_EQ(pass.accepted, 0u) << pass.name;
}

TEST_P(ToyReduceTest, NeverRunsAProgramTwice) {
  const Predicate predicate = Reaches(GetParam().condition);
  std::vector<std::string> texts;
  Reduce(RandomProgram(3, predicate), [&](const Program& p) {
    texts.push_back(PrintText(p));
    return predicate(p);
  });
  std::sort(texts.begin(), texts.end());
  EXPECT_EQ(std::adjacent_find(texts.begin(), texts.end()), texts.end());
}

INSTANTIATE_TEST_SUITE_P(All, ToyReduceTest, ::testing::ValuesIn(kFindings),
                         [](const auto& info) { return std::string(info.param.name); });

Program Parsed(const char* text) {
  auto program = ParseText(text);
  EXPECT_TRUE(program.ok()) << program.status();
  return program.value_or(Program());
}

TEST(ReduceTest, OriginalThatDoesNotShowItIsGivenBack) {
  const Program original = Parsed("# mmdiff 1\nworld\nm0 = mm\ndrain\n");
  const ReduceResult result = Reduce(original, [](const Program&) { return false; });
  EXPECT_FALSE(result.reproduced);
  EXPECT_EQ(result.program, original);
  EXPECT_EQ(result.runs, 1u);
}

TEST(ReduceTest, ExpectationsAreDropped) {
  const Program original = Parsed("# mmdiff 1\nworld\nm0 = mm     # => ok\ndrain\n");
  ASSERT_FALSE(original.expectations.empty());
  const ReduceResult result = Reduce(original, [](const Program& p) { return !p.ops.empty(); });
  EXPECT_TRUE(result.program.expectations.empty());
  EXPECT_EQ(result.program.ops.size(), 1u);
}

TEST(ReduceTest, EverythingGoesIfEverythingMay) {
  const ReduceResult result = Reduce(Parsed("# mmdiff 1\nworld cpus=3\nm0 = mm\nread m0 0x3 4\n"),
                                     [](const Program&) { return true; });
  EXPECT_EQ(result.program, Program());
}

TEST(ReduceTest, LimitsEndTheWorkWithTheSimplestSoFar) {
  const Predicate predicate = Reaches(kFindings[0].condition);
  const Program original = RandomProgram(1, predicate);
  ReduceOptions options;
  options.max_runs = 10;
  const ReduceResult limited = Reduce(original, predicate, options);
  EXPECT_TRUE(limited.exhausted);
  EXPECT_EQ(limited.runs, 10u);
  EXPECT_TRUE(Simpler(limited.program, original));
  EXPECT_TRUE(predicate(limited.program).same);

  options = ReduceOptions();
  int asked = 0;
  options.stop = [&] { return ++asked == 5; };
  const ReduceResult stopped = Reduce(original, predicate, options);
  EXPECT_TRUE(stopped.exhausted);
  EXPECT_EQ(stopped.runs, 5u);
}

TEST(ReduceTest, ProgressTellsOfEachStep) {
  const Predicate predicate = Reaches(kFindings[1].condition);
  ReduceOptions options;
  size_t last = 1000, steps = 0;
  options.progress = [&](const ReduceProgress& p) {
    EXPECT_LE(p.ops, last);
    EXPECT_FALSE(p.pass.empty());
    last = p.ops;
    ++steps;
  };
  const ReduceResult result = Reduce(RandomProgram(5, predicate), predicate, options);
  uint64_t accepted = 0;
  for (const PassStats& pass : result.passes) accepted += pass.accepted;
  EXPECT_EQ(steps, accepted);
  EXPECT_EQ(last, result.program.ops.size());
}

// The toy of these tests goes wrong when a child writes where its parent has written before.
void AtChildWrite(ToyMachine::Event& e, const std::function<void()>& act) {
  if (e.code == Opcode::write && e.args[0] > 0 && ValueOf(e.machine, e.args[0], e.args[1]) >= 2)
    act();
}

constexpr char kLongProgram[] = R"(# mmdiff 1
world cpus=4
m0 = mm
f0 = file 8 order=2
map m0 0x40 16 rw
map m0 0x80 8 r f0 0
write m0 0x40 16           @cpu2
read m0 0x80 8
lock m0 0x40 4
m1 = fork m0
drain_all
p0 = pin m1 0x41 1 write
write m1 0x44 8            @cpu3
unpin p0
unmap m0 0x40 16
check
)";
constexpr char kShortest[] = R"(# mmdiff 1
world
m0 = mm
m1 = fork m0
map m1 0x0 1 rw
write m1 0x0 1
write m1 0x0 1
)";

TEST(PredicatesTest, DivergenceIsMinimisedInProcess) {
  Lockstep lockstep(
      ToyContestants([](ToyMachine::Event& e) { AtChildWrite(e, [&] { ++e.result.value; }); }));
  RunResult result;
  const Program original = Parsed(kLongProgram);
  ASSERT_EQ(lockstep.Run(original, RunOptions(), &result), RunOutcome::divergence);
  const Signature signature = SignatureOf(result);
  const ReduceResult reduced =
      Reduce(original, DivergencePredicate(&lockstep, signature, RunOptions()));
  ASSERT_TRUE(reduced.reproduced);
  EXPECT_LE(reduced.program.ops.size(), 5u) << PrintText(reduced.program);
  ASSERT_EQ(lockstep.Run(reduced.program, RunOptions(), &result), RunOutcome::divergence);
  EXPECT_EQ(SignatureOf(result), signature);
  EXPECT_EQ(result.op_index + 1, reduced.program.ops.size());
}

TEST(PredicatesTest, AnotherSignatureIsAnotherFinding) {
  Lockstep lockstep(ToyContestants([](ToyMachine::Event& e) {
    AtChildWrite(e, [&] { ++e.result.value; });
    if (e.code == Opcode::mm) e.result.value += 7;  // the first to be seen, always
  }));
  Signature other{.text = "something-else", .hash = 1};
  const Predicate predicate = DivergencePredicate(&lockstep, other, RunOptions());
  EXPECT_FALSE(predicate(Parsed(kShortest)).same);
}

TEST(PredicatesTest, WorldsStayAsImplementationsDemandThem) {
  const WorldDemands demands = {.table = 512, .batch = 31, .max_cpus = 2, .no_tlb = true};
  const auto contestants = [&] {
    Contestants all =
        ToyContestants([](ToyMachine::Event& e) { AtChildWrite(e, [&] { ++e.result.value; }); });
    static_cast<ToyMachine&>(*all.leaders[0]).Demand(demands, SetOf({Opcode::lock}));
    return all;
  };
  Lockstep undemanding(
      ToyContestants([](ToyMachine::Event& e) { AtChildWrite(e, [&] { ++e.result.value; }); }));
  RunResult result;
  const Program elsewhere = Parsed(kLongProgram);
  ASSERT_EQ(undemanding.Run(elsewhere, RunOptions(), &result), RunOutcome::divergence);
  const Signature signature = SignatureOf(result);
  Lockstep lockstep(contestants());
  const Predicate in_process = DivergencePredicate(&lockstep, signature, RunOptions());
  EXPECT_FALSE(in_process(elsewhere).same);
  Program suitable = elsewhere;
  MakeSuit({.world = demands}, kMaxOps, &suitable);
  EXPECT_FALSE(in_process(suitable).same) << "it has an operation that one lacks";
  MakeSuit(*DemandsOf(contestants()), kMaxOps, &suitable);
  const ReduceResult reduced = Reduce(suitable, in_process);
  ASSERT_TRUE(reduced.reproduced);
  EXPECT_LE(reduced.program.ops.size(), 5u) << PrintText(reduced.program);
  EXPECT_TRUE(Meets(reduced.program, demands)) << PrintText(reduced.program);
  const Predicate in_child = ChildPredicate("toy", [&](std::string_view) { return contestants(); },
                                            signature, RunOptions(), {});
  EXPECT_FALSE(in_child(elsewhere).same);
  EXPECT_TRUE(in_child(reduced.program).same);
}

struct Death {
  const char* name;
  void (*act)();
  IsolatedOutcome::Kind kind;
};
const Death kDeaths[] = {
    {"Signal", [] { raise(SIGKILL); }, IsolatedOutcome::Kind::kCrash},
    {"Assertion",
     [] {
       fputs("toy: BUG: exclusive page is shared (toy.cc:1)\n", stderr);
       abort();
     },
     IsolatedOutcome::Kind::kBug},
    {"Sanitizer",
     [] {
       fputs("==1==ERROR: AddressSanitizer: double-free on address 0x1\n", stderr);
       exit(1);
     },
     IsolatedOutcome::Kind::kSanitizer},
};

class DeathReduceTest : public ::testing::TestWithParam<Death> {};

TEST_P(DeathReduceTest, IsMinimisedInChildren) {
  const Death& death = GetParam();
  const ContestantsFactory make = [&](std::string_view) -> absl::StatusOr<Contestants> {
    return ToyContestants([&death](ToyMachine::Event& e) { AtChildWrite(e, death.act); });
  };
  const Program original = Parsed(kLongProgram);
  const auto outcome = RunIsolated(original, "toy", make, RunOptions(), {});
  ASSERT_TRUE(outcome.ok());
  ASSERT_EQ(outcome->kind, death.kind) << outcome->detail;
  ReduceOptions options;
  options.max_runs = 150;  // a fork each: enough to get there, not to try everything afterwards
  const ReduceResult reduced =
      Reduce(original, ChildPredicate("toy", make, outcome->signature, RunOptions(), {}), options);
  ASSERT_TRUE(reduced.reproduced);
  EXPECT_LE(reduced.program.ops.size(), 5u) << PrintText(reduced.program);
  const auto again = RunIsolated(reduced.program, "toy", make, RunOptions(), {});
  EXPECT_EQ(again->signature, outcome->signature);
  EXPECT_EQ(again->op + 1, reduced.program.ops.size());
}

INSTANTIATE_TEST_SUITE_P(All, DeathReduceTest, ::testing::ValuesIn(kDeaths),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PredicatesTest, HangIsMinimisedInChildren) {
  const ContestantsFactory make = [](std::string_view) -> absl::StatusOr<Contestants> {
    return ToyContestants([](ToyMachine::Event& e) {
      AtChildWrite(e, [] {
        for (volatile bool forever = true; forever;) {
        }
      });
    });
  };
  const IsolateLimits limits{.time_ms = 60};
  const Program original = Parsed(kLongProgram);
  const auto outcome = RunIsolated(original, "toy", make, RunOptions(), limits);
  ASSERT_TRUE(outcome.ok());
  ASSERT_EQ(outcome->kind, IsolatedOutcome::Kind::kHang);
  ReduceOptions options;
  options.max_runs = 40;  // most of them hang, and that is what they cost
  const ReduceResult reduced = Reduce(
      original, ChildPredicate("toy", make, outcome->signature, RunOptions(), limits), options);
  ASSERT_TRUE(reduced.reproduced);
  EXPECT_LT(reduced.program.ops.size(), original.ops.size() / 2) << PrintText(reduced.program);
}

TEST(SimplicityTest, OrderIsTotalAndFewerOperationsWin) {
  const Predicate any = Reaches(kFindings[0].condition);
  std::vector<Program> programs = {Program(), Parsed(kShortest), Parsed(kLongProgram)};
  for (uint64_t seed = 0; seed < 12; ++seed) programs.push_back(RandomProgram(seed, any));
  for (const Program& a : programs) {
    for (const Program& b : programs) {
      EXPECT_EQ(!Simpler(a, b) && !Simpler(b, a), a.world == b.world && a.ops == b.ops);
      EXPECT_FALSE(Simpler(a, b) && Simpler(b, a));
      if (a.ops.size() < b.ops.size()) {
        EXPECT_TRUE(Simpler(a, b));
      }
      for (const Program& c : programs) {
        if (Simpler(a, b) && Simpler(b, c)) {
          EXPECT_TRUE(Simpler(a, c));
        }
      }
    }
  }
}

TEST(SimplicityTest, EachPartOfTheComplexityCounts) {
  const char* const kRising[][2] = {
      {"world\nm0 = mm\n", "world cpus=3\nm0 = mm\n"},
      {"world\nm0 = mm\nread m0 0x0 1\n", "world\nm0 = mm\nread m0 0x0 2\n"},
      {"world\nm0 = mm\nread m0 0x0 1\n", "world\nm0 = mm\nread m0 0x1 1\n"},
      {"world\nm0 = mm\nread m0 0x0 1\n", "world\nm0 = mm\nread m0 0x0 1 @cpu1\n"},
      {"world\nm0 = mm\nread m0 0x0 1\n", "world\nm0 = mm\nwrite m0 0x0 1\n"},
      {"world\nm0 = mm\nm1 = mm\nread m0 0x0 1\n", "world\nm0 = mm\nm1 = mm\nread m1 0x0 1\n"},
      {"world\nm0 = mm\nmap m0 0x0 1 rw\n", "world\nm0 = mm\nmap m0 0x0 1 rw|shared\n"},
      {"world\nm0 = mm\nread m0 0x50 1\n", "world\nm0 = mm\nread m0 0x0 2\n"},
  };
  for (const auto& [low, high] : kRising) {
    const std::string head = "# mmdiff 1\n";
    EXPECT_TRUE(Simpler(Parsed((head + low).c_str()), Parsed((head + high).c_str())))
        << low << high;
  }
}

}  // namespace
}  // namespace mmdiff
