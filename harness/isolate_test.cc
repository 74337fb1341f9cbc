#include "harness/isolate.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/starting.h"
#include "harness/toy_machine.h"
#include "program/text.h"

namespace mmdiff {
namespace {

using Kind = IsolatedOutcome::Kind;
using ::testing::HasSubstr;

constexpr char kProgram[] = R"(# mmdiff 1
world
m0 = mm
map m0 0x10 4 rw
write m0 0x10 4
m1 = fork m0
write m1 0x10 1
unmap m0 0x10 4
)";
constexpr uint32_t kForkOp = 3;

Program Parsed(const char* text) {
  auto program = ParseText(text);
  EXPECT_TRUE(program.ok()) << program.status();
  return program.value_or(Program());
}

// Runs kProgram; the toy commits `what` at the fork.
IsolatedOutcome RunToy(const ToyMachine::Misdeed& what, uint32_t time_ms = 20000) {
  Lockstep lockstep(ToyContestants([what](ToyMachine::Event& e) {
    if (e.code == Opcode::fork) what(e);
  }));
  const auto outcome = RunIsolated(Parsed(kProgram), lockstep, RunOptions(), {.time_ms = time_ms});
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  return outcome.value_or(IsolatedOutcome());
}

// A write through an address the compiler knows nothing of.
void Segfault() {
  volatile uintptr_t nowhere = 8;
  *reinterpret_cast<volatile int*>(nowhere) = 1;
}

TEST(IsolateTest, HealthyProgramIsOk) {
  const IsolatedOutcome outcome = RunToy([](ToyMachine::Event&) {});
  EXPECT_EQ(outcome.kind, Kind::kOk) << outcome.detail;
  EXPECT_EQ(outcome.signature.text, "");
}

TEST(IsolateTest, DivergenceHasTheSignatureOfAnInProcessRun) {
  const auto misdeed = [](ToyMachine::Event& e) { ++e.result.value; };
  const IsolatedOutcome outcome = RunToy(misdeed);
  EXPECT_EQ(outcome.kind, Kind::kFinding);
  EXPECT_EQ(outcome.op, kForkOp);
  Lockstep lockstep(ToyContestants([&](ToyMachine::Event& e) {
    if (e.code == Opcode::fork) misdeed(e);
  }));
  RunResult result;
  ASSERT_EQ(lockstep.Run(Parsed(kProgram), RunOptions(), &result), RunOutcome::divergence);
  EXPECT_EQ(outcome.signature, SignatureOf(result));
  EXPECT_EQ(outcome.detail, result.message);
}

TEST(IsolateTest, SegfaultIsAttributed) {
  const IsolatedOutcome outcome = RunToy([](ToyMachine::Event&) { Segfault(); });
  EXPECT_TRUE(outcome.kind == Kind::kCrash || outcome.kind == Kind::kSanitizer);
  EXPECT_EQ(outcome.op, kForkOp);
  EXPECT_EQ(outcome.impl, "toy");
  EXPECT_THAT(outcome.signature.text, HasSubstr("fork"));
  EXPECT_THAT(outcome.detail, HasSubstr("fork (operation 3) of toy"));
}

TEST(IsolateTest, CrashOfTheReferenceIsTheReferences) {
  Contestants contestants = ToyContestants(nullptr);
  contestants.references[0] =
      std::make_unique<ToyMachine>("reference", true, [](ToyMachine::Event& e) {
        if (e.code == Opcode::fork) raise(SIGKILL);
      });
  Lockstep lockstep(std::move(contestants));
  const auto outcome = RunIsolated(Parsed(kProgram), lockstep, RunOptions(), {});
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->kind, Kind::kCrash);
  EXPECT_EQ(outcome->op, kForkOp);
  EXPECT_EQ(outcome->impl, "reference");
}

TEST(IsolateTest, AssertionKeepsItsText) {
  const IsolatedOutcome outcome = RunToy([](ToyMachine::Event&) {
    fprintf(stderr, "toy: BUG: refcount below zero (toy.cc:7)\n");
    abort();
  });
  EXPECT_EQ(outcome.kind, Kind::kBug);
  EXPECT_EQ(outcome.op, kForkOp);
  EXPECT_THAT(outcome.detail, HasSubstr("refcount below zero"));
  EXPECT_THAT(outcome.signature.text, HasSubstr("refcount"));
  EXPECT_THAT(outcome.output, HasSubstr("toy.cc:7"));
}

TEST(IsolateTest, AbortWithoutWordsIsACrash) {
  const IsolatedOutcome outcome = RunToy([](ToyMachine::Event&) { raise(SIGABRT); });
  EXPECT_TRUE(outcome.kind == Kind::kCrash || outcome.kind == Kind::kSanitizer);
  EXPECT_EQ(outcome.op, kForkOp);
}

TEST(IsolateTest, UncaughtExceptionDoesNotReachTheParentsFrames) {
  bool caught = false;
  try {
    const IsolatedOutcome outcome = RunToy([](ToyMachine::Event&) { throw 7; });
    EXPECT_NE(outcome.kind, Kind::kOk);
    EXPECT_EQ(outcome.op, kForkOp);
  } catch (int) {
    caught = true;
  }
  EXPECT_FALSE(caught);
}

TEST(IsolateTest, SanitizerReportIsRead) {
  const IsolatedOutcome outcome = RunToy([](ToyMachine::Event&) {
    fprintf(stderr,
            "==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x602 at pc 0x4f\n");
    _exit(1);
  });
  EXPECT_EQ(outcome.kind, Kind::kSanitizer);
  EXPECT_THAT(outcome.detail, HasSubstr("heap-use-after-free"));
  EXPECT_EQ(outcome.signature, SignatureOfDeath(outcome.output, 0, "fork"));
  EXPECT_THAT(outcome.signature.text, Not(HasSubstr("602")));
}

TEST(IsolateTest, ExitIsNoticed) {
  const IsolatedOutcome outcome = RunToy([](ToyMachine::Event&) { _exit(0); });
  EXPECT_EQ(outcome.kind, Kind::kExit);
  EXPECT_EQ(outcome.op, kForkOp);
  EXPECT_THAT(outcome.detail, HasSubstr("exit code 0"));
}

TEST(IsolateTest, HangIsKilledAndAttributed) {
  const IsolatedOutcome outcome = RunToy(
      [](ToyMachine::Event&) {
        signal(SIGTERM, SIG_IGN);
        for (volatile bool forever = true; forever;) {
        }
      },
      /*time_ms=*/150);
  EXPECT_EQ(outcome.kind, Kind::kHang);
  EXPECT_EQ(outcome.op, kForkOp);
  EXPECT_EQ(outcome.impl, "toy");
  EXPECT_EQ(outcome.signature, HangSignature("fork"));
}

TEST(IsolateTest, HangWhileWritingWithoutEndIsKilledAndTheOutputBounded) {
  const auto end = RunInChild(
      [](Beacon&) {
        for (;;) fputs("again and again and again and again\n", stderr);
        return std::string();
      },
      {.time_ms = 150, .output_bytes = 4096});
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->kind, ChildEnd::Kind::kTimedOut);
  EXPECT_EQ(end->output.size(), 4096u);
}

TEST(IsolateTest, GrandchildrenDieWithTheGroupAndDoNotHoldTheParentUp) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  const auto end = RunInChild(
      [&](Beacon&) {
        if (fork() == 0) {
          for (;;) pause();  // inherits every pipe
        }
        return std::string("done");
      },
      {.time_ms = 20000});
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->kind, ChildEnd::Kind::kReturned);
  EXPECT_EQ(end->answer, "done");
  close(fds[1]);
  char byte;
  EXPECT_EQ(read(fds[0], &byte, 1), 0);  // the end of the pipe: nobody else holds it
  close(fds[0]);
}

TEST(IsolateTest, ScribbledMemoryStaysInTheChild) {
  int witness = 1;
  const auto end = RunInChild(
      [&](Beacon&) {
        witness = 2;
        return std::string(300000, 'x');  // more than a pipe holds
      },
      {});
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->answer, std::string(300000, 'x'));
  EXPECT_EQ(witness, 1);
}

TEST(IsolateTest, MakersErrorIsGivenBack) {
  const auto outcome = RunIsolated(Parsed(kProgram), "nonsense",
                                   [](std::string_view) -> absl::StatusOr<Contestants> {
                                     return absl::InvalidArgumentError("no such implementation");
                                   },
                                   RunOptions(), {});
  EXPECT_EQ(outcome.status().message(), "no such implementation");
}

TEST(IsolateTest, EveryOperationIsAttributedToItself) {
  const Program program = Parsed(kProgram);
  for (uint32_t k = 0; k < program.ops.size(); ++k) {
    Lockstep lockstep(ToyContestants([k](ToyMachine::Event& e) {
      if (e.context.op_index == k) raise(SIGKILL);
    }));
    const auto outcome = RunIsolated(program, lockstep, RunOptions(), {});
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(outcome->op, k);
  }
}

TEST(BeaconTest, ShowsTheProgramThatRuns) {
  auto beacon = Beacon::Create();
  ASSERT_TRUE(beacon.ok());
  EXPECT_FALSE(beacon->lit());
  EXPECT_FALSE(beacon->program().has_value());
  const Program program = Parsed(kProgram);
  beacon->Begin(program);
  EXPECT_TRUE(beacon->lit());
  EXPECT_EQ(beacon->programs(), 1u);
  EXPECT_EQ(beacon->position(), Beacon::Position());
  beacon->progress()->leader = 1;
  beacon->progress()->op_index = 4;
  EXPECT_EQ(beacon->position(), (Beacon::Position{.op = 4, .leader = 1}));
  ASSERT_TRUE(beacon->program().has_value());
  EXPECT_EQ(*beacon->program(), program);
  beacon->End();
  EXPECT_FALSE(beacon->lit());
}

TEST(BeaconTest, KeepsTheLargestProgramAndCutsLargerOnes) {
  auto beacon = Beacon::Create();
  ASSERT_TRUE(beacon.ok());
  Program program = Parsed("# mmdiff 1\nworld\nm0 = mm\n");
  program.ops.resize(kMaxOps + 5);
  beacon->Begin(program);
  EXPECT_EQ(beacon->program()->ops.size(), kMaxOps);
}

// What takes long to start takes its time; the limit is for what comes after it.
TEST(Isolate, TimeIsCountedAnewAfterAStart) {
  IsolateLimits limits;
  limits.time_ms = 300;
  for (const bool told : {true, false}) {
    const auto end = RunInChild(
        [told](Beacon&) {
          if (told) {
            const Starting starting;
            usleep(700'000);
          } else {
            usleep(700'000);
          }
          return std::string("done");
        },
        limits);
    ASSERT_TRUE(end.ok());
    EXPECT_EQ(end->kind, told ? ChildEnd::Kind::kReturned : ChildEnd::Kind::kTimedOut);
  }
  // After it they are counted again.
  const auto end = RunInChild(
      [](Beacon&) {
        { const Starting starting; }
        pause();
        return std::string();
      },
      limits);
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->kind, ChildEnd::Kind::kTimedOut);
}

}  // namespace
}  // namespace mmdiff
