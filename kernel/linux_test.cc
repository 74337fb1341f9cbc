#include "kernel/linux.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "corpora/corpus_files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/explain.h"
#include "harness/isolate.h"
#include "harness/registry.h"
#include "harness/signature.h"
#include "minimize/predicates.h"
#include "minimize/reducer.h"
#include "program/generate.h"
#include "program/text.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;
using testing::Not;

LinuxOptions Fake(const std::string& misdeed = "", uint32_t replay_every = 0) {
  LinuxOptions options;
  options.name = "fake";
  options.worker.executable = MMDIFF_FAKE_WORKER;
  options.worker.program_ms = misdeed.starts_with("hang") ? 300 : 3000;
  if (!misdeed.empty()) options.worker.arguments = {"fake=" + misdeed};
  options.demands.table = 0;
  options.replay_every = replay_every;
  return options;
}

std::unique_ptr<Implementation> MakeFake(const LinuxOptions& options) {
  auto impl = LinuxImplementation::Make(options);
  EXPECT_TRUE(impl.ok()) << impl.status();
  return *std::move(impl);
}

std::unique_ptr<Implementation> Reference() { return *MakeImplementation("reference"); }

// "reference" and the fake kernel.
Contestants Pair(const LinuxOptions& options) {
  Contestants c;
  c.leaders.push_back(MakeFake(options));
  c.references.push_back(Reference());
  return c;
}

constexpr char kProgram[] =
    "m0 = mm\nmap m0 0x40 4 rw anon\nwrite m0 0x40 2\nm1 = fork m0\nwrite m1 0x40 1\nread m0 0x40 "
    "2\n";
Program Parse(const std::string& text = kProgram) {
  auto program = ParseText(text, {.file_name = "", .snippet = true});
  EXPECT_TRUE(program.ok()) << program.status();
  return program.ok() ? *std::move(program) : Program{};
}

RunOptions Fast() {
  RunOptions o;
  o.full_every = o.full_at_end_every = 0;
  return o;
}

TEST(Linux, AgreesWithTheReferenceOnEveryCommittedProgram) {
  Lockstep lockstep(Pair(Fake("", 50)));
  RunResult result;
  for (const CorpusProgram& p : ProgramsBelow("corpora/lockstep")) {
    ASSERT_EQ(lockstep.Run(p.program, RunOptions{}, &result), RunOutcome::ok)
        << p.name << ": " << result.message;
    EXPECT_EQ(result.ops_run, p.program.ops.size());
    EXPECT_EQ(result.ops_unsupported, 0u);
  }
  EXPECT_EQ(lockstep.counters().renumbered, 0u);
}

TEST(Linux, AgreesThoroughlyOnGeneratedPrograms) {
  Lockstep lockstep(Pair(Fake()));
  RunResult result;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    const Program program = Generate(seed, GenerateOptions{});
    const RunOptions options = seed % 3 == 0   ? Fast()
                               : seed % 3 == 1 ? RunOptions{}
                                               : RunOptions::Thorough();
    ASSERT_EQ(lockstep.Run(program, options, &result), RunOutcome::ok)
        << seed << ": " << result.message;
  }
  // Choices came over the wire and were followed.
  uint64_t followed = 0;
  for (const uint64_t n : lockstep.ChoiceUses()) followed += n;
  EXPECT_GT(followed, 0u);
}

// All that the model answers, the fake kernel answers: also the digest of the empty machine.
TEST(Linux, AnswersLikeTheModelItRuns) {
  auto fake = MakeFake(Fake());
  auto model = *MakeImplementation("model");
  const Program program = Parse();
  fake->Load(program, 6);
  fake->Reset(program.world);
  model->Reset(program.world);
  EXPECT_EQ(fake->digest(), model->digest());
  auto reference = Reference();
  reference->Reset(program.world);
  EXPECT_EQ(fake->digest(), reference->digest());
  State a, b;
  fake->Snapshot(&a);
  model->Snapshot(&b);
  EXPECT_EQ(a, b);
  EXPECT_EQ(fake->CheckInvariants(), "");
}

// Nobody has to announce the program, and what was announced may turn out otherwise.
TEST(Linux, RunsOperationsThatWereNotAnnounced) {
  const Program program = Parse();
  for (const bool announced : {false, true}) {
    auto fake = MakeFake(Fake());
    auto model = *MakeImplementation("model");
    if (announced) fake->Load(Parse("m0 = mm\nmap m0 0x80 4 rw anon\nm1 = fork m0\n"), 3);
    fake->Reset(program.world);
    model->Reset(program.world);
    uint32_t handles[2] = {0, 0};
    for (uint32_t i = 0; i < program.ops.size(); ++i) {
      const Op& op = program.ops[i];
      ChoiceLog a, b;
      const bool binds = DescOf(op.code).result == ArgKind::kMm;
      OpContext context{.op_index = i, .result_handle = handles[binds]++, .choices = &a};
      const OpResult ours = fake->Dispatch(op, context);
      context.choices = &b;
      EXPECT_EQ(ours, model->Dispatch(op, context)) << i;
      EXPECT_EQ(fake->digest(), model->digest()) << i;
      State sa, sb;
      fake->Snapshot(&sa);
      model->Snapshot(&sb);
      EXPECT_EQ(sa, sb) << i;
    }
  }
}

TEST(Linux, RunsOnlyThePrefixThatIsAskedFor) {
  Lockstep lockstep(Pair(Fake("abort@4")));
  RunResult result;
  RunOptions options = RunOptions::Thorough();
  options.max_ops = 4;
  EXPECT_EQ(lockstep.Run(Parse(), options, &result), RunOutcome::ok) << result.message;
  options.max_ops = 5;
  EXPECT_EQ(lockstep.Run(Parse(), options, &result), RunOutcome::invariant);
}

struct FaultCase {
  const char* misdeed;
  uint32_t op;
  const char* relation;
  const char* log_has;
};

TEST(Linux, MakesFindingsOfFaults) {
  constexpr FaultCase kCases[] = {
      {"abort@3", 3, "died", "SIGABRT"},
      {"exit@0", 0, "died", "exit code 7"},
      {"hang@2", 2, "hang", "300 ms"},
      {"warn@4", 4, "warning fake_add_rmap", "panic_on_warn set"},
      {"bad_page@2", 5, "bad_page", "pfn:01234"},
      {"leak@5", 5, "leak", "3 pages are still allocated"},
  };
  for (const FaultCase& c : kCases) {
    for (const RunOptions& options : {Fast(), RunOptions{}, RunOptions::Thorough()}) {
      Lockstep lockstep(Pair(Fake(c.misdeed)));
      RunResult r;
      for (int again = 0; again < 2; ++again) {
        ASSERT_EQ(lockstep.Run(Parse(), options, &r), RunOutcome::invariant) << c.misdeed;
        EXPECT_EQ(r.op_index, c.op) << c.misdeed;
        EXPECT_EQ(r.divergence.relation, c.relation);
        EXPECT_EQ(r.divergence.name_b, "fake");
        EXPECT_THAT(r.divergence.log, HasSubstr(c.log_has));
        EXPECT_THAT(r.message, Not(HasSubstr("not reproduced")));
        EXPECT_EQ(SignatureOf(r).text.find("invariant_" + Slug(c.relation, 40)), 0u);
        EXPECT_EQ(r.divergence.repeats.same, r.divergence.repeats.of) << c.misdeed;
        const bool hangs = c.relation == std::string("hang");
        EXPECT_TRUE(hangs || r.divergence.repeats.of == 3) << c.misdeed;
      }
      // The next program gets a kernel that lives.
      EXPECT_EQ(lockstep.Run(Parse("m0 = mm\n"), options, &r) == RunOutcome::ok, c.op != 0)
          << r.message;
    }
  }
}

TEST(Linux, TheStateBeforeACrashIsShown) {
  Lockstep lockstep(Pair(Fake("abort@4")));
  RunResult r;
  ASSERT_EQ(lockstep.Run(Parse(), Fast(), &r), RunOutcome::invariant);
  EXPECT_EQ(r.divergence.state_b.mms.size(), 2u);
}

TEST(Linux, TheStateBeforeAHangIsShownWithoutHangingAgain) {
  LinuxOptions options = Fake("hang@4");
  options.worker.program_ms = 1000;
  Lockstep lockstep(Pair(options));
  RunResult r;
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(lockstep.Run(Parse(), Fast(), &r), RunOutcome::invariant);
  EXPECT_EQ(r.divergence.relation, "hang");
  EXPECT_EQ(r.divergence.state_b.mms.size(), 2u);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(1900));
}

TEST(Linux, TriesFaultsAgainInAFreshProcess) {
  Lockstep lockstep(Pair(Fake("warn@3,after=2")));
  RunResult r;
  EXPECT_EQ(lockstep.Run(Parse(), Fast(), &r), RunOutcome::ok);
  EXPECT_EQ(lockstep.Run(Parse(), Fast(), &r), RunOutcome::ok);
  ASSERT_EQ(lockstep.Run(Parse(), Fast(), &r), RunOutcome::invariant);
  EXPECT_EQ(r.op_index, 3u);
  EXPECT_THAT(r.message, HasSubstr("not reproduced in a fresh process"));
  EXPECT_EQ(r.divergence.repeats.Text(), "the same in 0 of 3 more runs");
  EXPECT_EQ(lockstep.Run(Parse(), Fast(), &r), RunOutcome::ok);
}

TEST(Linux, SeesStateThatLeaksInASample) {
  // Two kernels that leak alike agree with each other: only the sample sees it.
  Contestants c;
  c.leaders.push_back(MakeFake(Fake("drift@2,after=1", 3)));
  c.leaders.push_back(MakeFake(Fake("drift@2,after=1")));
  Lockstep lockstep(std::move(c));
  RunResult r;
  EXPECT_EQ(lockstep.Run(Parse(), Fast(), &r), RunOutcome::ok) << r.message;
  EXPECT_EQ(lockstep.Run(Parse(), Fast(), &r), RunOutcome::ok) << r.message;
  ASSERT_EQ(lockstep.Run(Parse(), Fast(), &r), RunOutcome::invariant);
  EXPECT_EQ(r.divergence.relation, "state_leak");
  EXPECT_EQ(r.op_index, 2u);
  EXPECT_THAT(r.message, HasSubstr("op 2 gives"));
}

TEST(Linux, SeesStateThatLeaksBeforeADivergenceIsReported) {
  Lockstep lockstep(Pair(Fake("drift@2,after=1")));
  RunResult r;
  EXPECT_EQ(lockstep.Run(Parse(), Fast(), &r), RunOutcome::ok) << r.message;
  ASSERT_EQ(lockstep.Run(Parse(), Fast(), &r), RunOutcome::invariant) << r.message;
  EXPECT_EQ(r.divergence.relation, "state_leak");
  // Without being asked it says what it was.
  Lockstep other(Pair(Fake("drift@2,after=1")));
  RunOptions options = Fast();
  options.confirm = false;
  EXPECT_EQ(other.Run(Parse(), options, &r), RunOutcome::ok);
  EXPECT_EQ(other.Run(Parse(), options, &r), RunOutcome::divergence);
}

// Fuzzers meet the same findings again and again: starting a kernel for each would be most of their
// time.
TEST(Linux, ConfirmsAFindingOfAKindOnce) {
  Lockstep lockstep(Pair(Fake("drift@2,after=1")));
  RunResult r;
  std::set<std::string> confirmed;
  RunOptions options = Fast();
  options.confirmed = &confirmed;
  ASSERT_EQ(lockstep.Run(Parse(), options, &r), RunOutcome::ok);
  options.confirm = false;
  ASSERT_EQ(lockstep.Run(Parse(), options, &r), RunOutcome::divergence);
  const std::string divergence = SignatureOf(r).FileName();
  options.confirm = true;
  confirmed.insert("something else");
  ASSERT_EQ(lockstep.Run(Parse(), options, &r), RunOutcome::invariant);
  EXPECT_EQ(r.divergence.relation, "state_leak");
  confirmed.insert(divergence);
  ASSERT_EQ(lockstep.Run(Parse(), options, &r), RunOutcome::divergence);
}

// Kills the processes that this one started, at times of its own.
class Killer {
 public:
  Killer() : thread_([this] { Kill(); }) {}
  ~Killer() {
    end_ = true;
    thread_.join();
  }
  uint32_t kills() const { return kills_; }

 private:
  void Kill() {
    const std::string children = absl::StrCat("/proc/self/task/", getpid(), "/children");
    for (uint32_t i = 0; !end_; ++i) {
      usleep(2000 + i * 7919 % 9000);
      std::ifstream in(children);
      for (pid_t pid; in >> pid;) kills_ += kill(pid, SIGKILL) == 0;
    }
  }
  std::atomic<bool> end_{false};
  std::atomic<uint32_t> kills_{0};
  std::thread thread_;
};

// Whoever kills a kernel (nobody has memory left) costs that program, which is told, and no other.
TEST(Linux, OutlivesKernelsThatAreKilledAtAnyTime) {
  Lockstep lockstep(Pair(Fake("drift@2")));
  RunResult r;
  uint32_t killed = 0, diverged = 0;
  {
    const Killer killer;
    for (int i = 0; killer.kills() < 40 || i < 200; ++i) {
      const RunOutcome outcome = lockstep.Run(Parse(), Fast(), &r);
      if (outcome == RunOutcome::divergence) {
        EXPECT_EQ(r.divergence.relation, "result.value");
        ++diverged;
      } else {
        EXPECT_NE(outcome, RunOutcome::ok);
        EXPECT_THAT(r.message, HasSubstr("SIGKILL"));
        ++killed;
      }
    }
  }
  EXPECT_GT(killed, 0u);
  EXPECT_GT(diverged, 0u);
  lockstep.Run(Parse(), Fast(), &r);  // the last kill may have come after the last program
  EXPECT_EQ(lockstep.Run(Parse(), Fast(), &r), RunOutcome::divergence) << r.message;
}

TEST(Linux, ARealDivergenceStaysOne) {
  Lockstep lockstep(Pair(Fake("drift@2")));
  RunResult r;
  EXPECT_EQ(lockstep.Run(Parse("m0 = mm\n"), Fast(), &r), RunOutcome::ok);
  for (int again = 0; again < 2; ++again) {
    ASSERT_EQ(lockstep.Run(Parse(), RunOptions{}, &r), RunOutcome::divergence) << r.message;
    EXPECT_EQ(r.divergence.relation, "result.value");
    EXPECT_EQ(r.op_index, 2u);
    EXPECT_EQ(r.divergence.repeats.Text(), "the same in 5 of 5 more runs");
  }
}

TEST(Linux, SaysHowOftenADivergenceComesAgain) {
  // Each third run goes right: not the first, and not the one for the states.
  Lockstep lockstep(Pair(Fake("drift@2,every=3")));
  RunResult r;
  ASSERT_EQ(lockstep.Run(Parse(), Fast(), &r), RunOutcome::divergence) << r.message;
  EXPECT_EQ(r.divergence.repeats.Text(), "the same in 3 of 5 more runs");
  RunOptions options = Fast();
  options.confirm = false;
  lockstep.Run(Parse(), options, &r);
  EXPECT_EQ(r.divergence.repeats.of, 0u);
}

TEST(Linux, LeavesOutWhatItCannotDo) {
  Lockstep lockstep(Pair(Fake("unsupported@3")));
  RunResult r;
  EXPECT_EQ(lockstep.Run(Parse(), RunOptions{}, &r), RunOutcome::ok) << r.message;
  EXPECT_EQ(r.ops_unsupported, 3u);
}

TEST(Linux, FolioNumbersOfItsOwnAreNoFaultIfItSaysSo) {
  LinuxOptions options = Fake("renumber");
  options.own_folio_numbers = false;
  RunResult r;
  Lockstep strict(Pair(options));
  ASSERT_EQ(strict.Run(Parse(), RunOptions{}, &r), RunOutcome::harness_fault);
  EXPECT_THAT(r.message, HasSubstr("number their folios differently"));
  options.own_folio_numbers = true;
  Lockstep lockstep(Pair(options));
  EXPECT_EQ(lockstep.Run(Parse(), RunOptions{}, &r), RunOutcome::ok) << r.message;
  EXPECT_GT(lockstep.counters().renumbered, 0u);
}

TEST(Linux, BreachesOfTheWireAreFaultsOfTheHarness) {
  for (const char* misdeed : {"bad_choices@2", "bad_state@5", "short@3"}) {
    Lockstep lockstep(Pair(Fake(misdeed)));
    RunResult r;
    EXPECT_EQ(lockstep.Run(Parse(), RunOptions{}, &r), RunOutcome::harness_fault) << misdeed;
    EXPECT_THAT(r.message, HasSubstr("the kernel's worker")) << misdeed;
  }
  Lockstep lockstep(Pair(Fake("no_boot")));
  RunResult r;
  EXPECT_EQ(lockstep.Run(Parse(), RunOptions{}, &r), RunOutcome::harness_fault);
  EXPECT_THAT(r.message, HasSubstr("did not boot"));
}

TEST(Linux, RefusesProgramsOfAnotherGeometry) {
  LinuxOptions options = Fake();
  options.demands.table = kLinuxTable;
  Lockstep lockstep(Pair(options));
  RunResult r;
  EXPECT_EQ(lockstep.Run(Parse(), RunOptions{}, &r), RunOutcome::harness_fault);
  EXPECT_THAT(r.message, HasSubstr("mmdiff fmt --world table=512"));
  Program large = Parse();
  large.world.table = 512;
  EXPECT_EQ(lockstep.Run(large, RunOptions{}, &r), RunOutcome::ok) << r.message;
}

TEST(Linux, FaultsAreReducedAndExplained) {
  Program program = Parse(
      "m0 = mm\nmap m0 0x40 8 rw anon\nwrite m0 0x40 2\nread m0 0x40 1\nm1 = fork m0\n"
      "write m1 0x40 1\nread m0 0x40 2\n");
  Lockstep lockstep(Pair(Fake("warn@3")));
  RunResult r;
  ASSERT_EQ(lockstep.Run(program, RunOptions::Thorough(), &r), RunOutcome::invariant);
  const Signature signature = SignatureOf(r);
  const ReduceResult reduced =
      Reduce(program, DivergencePredicate(&lockstep, signature, RunOptions::Thorough()), {});
  EXPECT_TRUE(reduced.reproduced);
  EXPECT_EQ(reduced.program.ops.size(), 4u);
  const auto make = [](std::string_view) -> absl::StatusOr<Contestants> {
    return Pair(Fake("warn@3"));
  };
  ExplainOptions few;
  few.max_runs = 5;
  const auto explained = Explain(reduced.program, "reference,fake", make, few);
  ASSERT_TRUE(explained.ok());
  EXPECT_THAT(ExplanationText(*explained), HasSubstr("What fake said\n    ----"));
  EXPECT_THAT(ExplanationJson(*explained), HasSubstr("\"log\": \"----"));
}

// A child has copies of everything but the kernel's process, and must not use its parent's.
TEST(Linux, StartsAKernelOfItsOwnInAForkedChild) {
  Lockstep lockstep(Pair(Fake("drift@2,after=1")));
  RunResult r;
  ASSERT_EQ(lockstep.Run(Parse("m0 = mm\n"), Fast(), &r), RunOutcome::ok);
  const auto outcome = RunIsolated(Parse(), lockstep, Fast(), IsolateLimits{});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_TRUE(outcome->ok()) << outcome->detail;
  EXPECT_EQ(lockstep.Run(Parse("m0 = mm\n"), Fast(), &r), RunOutcome::ok) << r.message;
}

// One start of what is slow to start, for any number of children.
TEST(Linux, LendsAVirtualMachineToChildren) {
  const std::string log = testing::TempDir() + "lent-" + std::to_string(getpid());
  const std::string script = log + ".sh";
  std::ofstream(script) << "#!/bin/sh\necho x >>" << log << "\nexec " << MMDIFF_FAKE_WORKER
                        << " \"$@\"\n";
  ASSERT_EQ(chmod(script.c_str(), 0755), 0);
  const auto boots = [&log] {
    std::ifstream in(log);
    return std::count(std::istreambuf_iterator<char>(in), {}, '\n');
  };
  LinuxOptions options = Fake("abort@4");
  options.worker.executable = script;
  options.worker.machine = Machine::kQemu;
  options.worker.arguments.insert(options.worker.arguments.begin(), {"mmdiff=3", "poll"});
  Lockstep lockstep(Pair(options));
  const Program healthy = Parse("m0 = mm\nmap m0 0x40 4 rw anon\n");
  RunOptions unconfirmed = Fast();
  unconfirmed.confirm = false;
  for (int i = 0; i < 10; ++i) {
    const auto outcome = RunIsolated(healthy, lockstep, RunOptions::Thorough(), IsolateLimits{});
    ASSERT_TRUE(outcome.ok() && outcome->ok()) << outcome->detail;
  }
  EXPECT_EQ(boots(), 1);
  // What kills it costs a start: one to settle it, one for whoever comes next.
  const auto died = RunIsolated(Parse(), lockstep, unconfirmed, IsolateLimits{});
  ASSERT_TRUE(died.ok());
  EXPECT_EQ(died->op, 4u) << died->detail;
  EXPECT_EQ(boots(), 2);
  const auto outcome = RunIsolated(healthy, lockstep, Fast(), IsolateLimits{});
  EXPECT_TRUE(outcome.ok() && outcome->ok()) << outcome->detail;
  EXPECT_EQ(boots(), 3);
  unlink(script.c_str());
  unlink(log.c_str());
}

TEST(Linux, SaysWhatToDoWhenThereIsNoKernel) {
  LinuxOptions options = Fake();
  options.worker.executable = "/no/such/kernel";
  const absl::Status s = LinuxImplementation::Make(options).status();
  EXPECT_TRUE(absl::IsNotFound(s));
  EXPECT_THAT(std::string(s.message()), HasSubstr("./mmdiff kernel build"));
}

TEST(Linux, GivesTheCoverageOfTheLastProgram) {
  EXPECT_EQ(MakeFake(Fake())->CoverageEdges(), 0u);
  Lockstep lockstep(Pair(Fake("coverage@6")));  // dies in operation 6
  Implementation& fake = lockstep.leader(0);
  ASSERT_EQ(fake.CoverageEdges(), kOpcodes);
  const auto counts = [&fake] {
    std::vector<uint8_t> hits(kOpcodes, 0);
    fake.CopyCoverage(hits.data());
    return hits;
  };
  RunResult result;
  // Also where the program was run again for its states.
  for (const RunOptions& options : {Fast(), RunOptions{}, RunOptions::Thorough()}) {
    ASSERT_EQ(lockstep.Run(Parse(), options, &result), RunOutcome::ok) << result.message;
    std::vector<uint8_t> expected(kOpcodes, 0);
    for (const Op& op : Parse().ops) ++expected[static_cast<size_t>(op.code)];
    EXPECT_EQ(counts(), expected);
    ASSERT_EQ(lockstep.Run(Parse("m0 = mm\n"), options, &result), RunOutcome::ok);
    std::fill(expected.begin(), expected.end(), 0);
    expected[static_cast<size_t>(Opcode::mm)] = 1;
    EXPECT_EQ(counts(), expected);
  }
  // A program that did not end has none, and not that of the one before it.
  ASSERT_EQ(lockstep.Run(Parse(std::string(kProgram) + "exit m1\n"), Fast(), &result),
            RunOutcome::invariant);
  EXPECT_EQ(counts(), std::vector<uint8_t>(kOpcodes, 0));
  ASSERT_EQ(lockstep.Run(Parse("m0 = mm\n"), Fast(), &result), RunOutcome::ok);
  EXPECT_EQ(counts()[static_cast<size_t>(Opcode::mm)], 1);
}

}  // namespace
}  // namespace mmdiff
