#include "kernel/worker.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernel/wire_state.h"
#include "program/text.h"
#include "state/digest.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;

WorkerOptions Fake(const std::string& misdeed = "", Machine machine = Machine::kProcess) {
  WorkerOptions options;
  options.machine = machine;
  options.executable = MMDIFF_FAKE_WORKER;
  if (machine == Machine::kQemu) {
    options.arguments = {"mmdiff=" + std::to_string(kLaunchWireFd), "poll"};
  }
  if (!misdeed.empty()) options.arguments.push_back("fake=" + misdeed);
  return options;
}

Program SmallProgram() {
  auto program =
      ParseText("m0 = mm\nmap m0 0x40 4 rw anon\nwrite m0 0x40 2\nm1 = fork m0\nwrite m1 0x40 1\n",
                {.file_name = "", .snippet = true});
  EXPECT_TRUE(program.ok()) << program.status();
  return *std::move(program);
}

WorkerRun RunOn(Worker* worker, uint32_t snap_from = MMDIFF_WIRE_IDLE) {
  const Program p = SmallProgram();
  return worker->Run(p.world, p.ops, snap_from, MMDIFF_WIRE_INVARIANTS);
}

// Each with a kernel that is a process and with one that is in a virtual machine.
class EitherWorker : public testing::TestWithParam<Machine> {};
INSTANTIATE_TEST_SUITE_P(Machines, EitherWorker, testing::Values(Machine::kProcess, Machine::kQemu),
                         [](const auto& info) {
                           return info.param == Machine::kQemu ? "Qemu" : "Process";
                         });

TEST_P(EitherWorker, RunsProgramsAndKeepsStatesFromWhereItIsAsked) {
  auto worker = Worker::Start(Fake("", GetParam()));
  ASSERT_TRUE(worker.ok()) << worker.status();
  EXPECT_EQ((*worker)->release(), "0-fake");
  EXPECT_EQ((*worker)->features(), GetParam() == Machine::kQemu ? "exact fake" : "fake");
  for (int i = 1; i <= 100; ++i) {
    const WorkerRun run = RunOn(worker->get(), 3);
    ASSERT_EQ(run.end, WorkerEnd::kOk) << run.text;
    EXPECT_EQ(run.answered, 5u);
    EXPECT_EQ((*worker)->runs(), static_cast<uint64_t>(i));
  }
  const mmdiff_wire& wire = (*worker)->wire();
  EXPECT_EQ(wire.results[2].state_at, MMDIFF_WIRE_IDLE);
  State state;
  std::string text;
  ASSERT_TRUE(ReadWireState(wire, wire.results[4].state_at, &state, &text));
  EXPECT_EQ(state.mms.size(), 2u);
  EXPECT_EQ(text, "");
  EXPECT_EQ(DigestOf(state), wire.results[4].digest);
}

TEST_P(EitherWorker, SaysHowAKernelEnded) {
  const auto end = [](const std::string& misdeed) {
    WorkerOptions options = Fake(misdeed, GetParam());
    options.program_ms = 200;
    auto worker = Worker::Start(options);
    EXPECT_TRUE(worker.ok()) << worker.status();
    const WorkerRun run = RunOn(worker->get());
    EXPECT_FALSE((*worker)->usable());
    return run;
  };
  WorkerRun run = end("abort@3");
  EXPECT_EQ(run.end, WorkerEnd::kDied);
  EXPECT_EQ(run.op_index, 3u);
  EXPECT_EQ(run.answered, 3u);
  EXPECT_THAT(run.text, HasSubstr("SIGABRT"));
  run = end("exit@0");
  EXPECT_EQ(run.end, WorkerEnd::kDied);
  EXPECT_EQ(run.op_index, 0u);
  EXPECT_THAT(run.text, HasSubstr("exit code 7"));
  run = end("hang@2");
  EXPECT_EQ(run.end, WorkerEnd::kHung);
  EXPECT_EQ(run.op_index, 2u);
  EXPECT_THAT(run.text, HasSubstr("200 ms"));
  run = end("warn@1");
  EXPECT_EQ(run.end, WorkerEnd::kReport);
  EXPECT_EQ(run.op_index, 1u);
  EXPECT_EQ(run.answered, 1u);
  EXPECT_THAT(run.console, HasSubstr("fake_add_rmap"));
  run = end("bad_page@1");
  EXPECT_EQ(run.end, WorkerEnd::kReport);
  EXPECT_EQ(run.op_index, 4u);
  EXPECT_EQ(run.answered, 5u);
  EXPECT_THAT(run.console, HasSubstr("Bad page state"));
  run = end("leak@4");
  EXPECT_EQ(run.end, WorkerEnd::kLeak);
  EXPECT_EQ(run.op_index, 4u);
  EXPECT_EQ(run.answered, 5u);
  EXPECT_THAT(run.text, HasSubstr("3 pages"));
}

TEST_P(EitherWorker, KeepsTheLastPartOfTheConsole) {
  auto worker = Worker::Start(Fake("noise@1", GetParam()));
  ASSERT_TRUE(worker.ok()) << worker.status();
  const WorkerRun run = RunOn(worker->get());
  EXPECT_EQ(run.end, WorkerEnd::kDied);
  EXPECT_EQ(run.console.size(), Worker::kConsoleBytes);
}

TEST(Worker, SaysWhyNoneStarts) {
  WorkerOptions options = Fake();
  options.executable = "/no/such/kernel";
  absl::Status s = Worker::Start(options).status();
  EXPECT_TRUE(absl::IsNotFound(s)) << s;
  EXPECT_THAT(std::string(s.message()), HasSubstr("./mmdiff kernel build --debian 6.12"));

  options.executable = testing::TempDir() + "not-a-kernel";
  unlink(options.executable.c_str());
  std::ofstream(options.executable) << "text";
  s = Worker::Start(options).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(s)) << s;
  EXPECT_THAT(std::string(s.message()), HasSubstr("is not an executable"));
  chmod(options.executable.c_str(), 0755);
  s = Worker::Start(options).status();
  EXPECT_THAT(std::string(s.message()), HasSubstr("cannot execute: Exec format error"));

  s = Worker::Start(Fake("no_boot")).status();
  EXPECT_THAT(std::string(s.message()), HasSubstr("ended with exit code 3"));
  EXPECT_THAT(std::string(s.message()), HasSubstr("no init"));
  s = Worker::Start(Fake("bad_version")).status();
  EXPECT_THAT(std::string(s.message()), HasSubstr("version 3 of the wire and this mmdiff 2"));

  // Of a virtual machine it is said which, and what to do about it.
  options = Fake("no_boot", Machine::kQemu);
  options.name = "guest 6.18.15";
  options.remedy = "ask the doctor";
  s = Worker::Start(options).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(s)) << s;
  EXPECT_THAT(std::string(s.message()), HasSubstr("the guest 6.18.15 did not boot"));
  EXPECT_THAT(std::string(s.message()), HasSubstr("; ask the doctor. It printed:\nKernel panic"));
  options.executable = "/no/such/qemu";
  s = Worker::Start(options).status();
  EXPECT_TRUE(absl::IsNotFound(s)) << s;

  options = Fake();
  options.executable = "/bin/sleep";
  options.arguments = {};
  options.boot_ms = 100;
  s = Worker::Start(options).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(s)) << s;
}

// A process with `marker` on its command line, or -1.
pid_t PidOf(const std::string& marker) {
  for (pid_t pid = getpid() + 1; pid < getpid() + 10000; ++pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
    const std::string line{std::istreambuf_iterator<char>(file), {}};
    if (line.find(marker) != std::string::npos) return pid;
  }
  return -1;
}

TEST(Worker, IsNotUsableAfterAForkAndLeftAloneThere) {
  auto worker = Worker::Start(Fake());
  ASSERT_TRUE(worker.ok()) << worker.status();
  const pid_t child = fork();
  if (child == 0) {
    const bool usable = (*worker)->usable();
    worker->reset();
    _exit(usable ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(RunOn(worker->get()).end, WorkerEnd::kOk);
}

TEST(Worker, DiesWithTheProcessThatStartedIt) {
  const std::string marker = "after=" + std::to_string(1000000 + getpid());
  const pid_t child = fork();
  if (child == 0) {
    auto worker = Worker::Start(Fake("abort@0," + marker));
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  pid_t left = PidOf(marker);
  for (int i = 0; i < 200 && left >= 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    left = PidOf(marker);
  }
  EXPECT_EQ(left, -1);
}

// Runs `body` in a child that ends as it says, and waits for it.
int InChild(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST_P(EitherWorker, IsLentToAChild) {
  auto worker = Worker::Start(Fake("abort@3,after=3", GetParam()));
  ASSERT_TRUE(worker.ok()) << worker.status();
  Worker& w = **worker;
  EXPECT_EQ(InChild([&] { return !w.usable(); }), 0);
  w.Lend();
  EXPECT_EQ(InChild([&] { return w.usable() && RunOn(&w).end == WorkerEnd::kOk; }), 0);
  // What the child destroys is only its copy.
  EXPECT_EQ(InChild([&] {
              worker->reset();
              return true;
            }),
            0);
  w.TakeBack();
  ASSERT_TRUE(w.usable());
  EXPECT_EQ(w.runs(), 1u);
  EXPECT_EQ(RunOn(&w).end, WorkerEnd::kOk);
  EXPECT_EQ(InChild([&] { return !w.usable(); }), 0);
  // The child is told of a death like anybody, and its parent too.
  w.Lend();
  EXPECT_EQ(InChild([&] {
              if (RunOn(&w).end != WorkerEnd::kOk) return false;
              const WorkerRun run = RunOn(&w);
              return run.end == WorkerEnd::kDied && run.op_index == 3 && !w.usable();
            }),
            0);
  w.TakeBack();
  EXPECT_FALSE(w.usable());
}

TEST_P(EitherWorker, IsOfNoUseWhenAChildWasKilledInAProgram) {
  auto worker = Worker::Start(Fake("hang@2", GetParam()));
  ASSERT_TRUE(worker.ok()) << worker.status();
  (*worker)->Lend();
  const pid_t child = fork();
  if (child == 0) {
    RunOn(worker->get());
    _exit(0);
  }
  while ((*worker)->wire().op_index != 2) usleep(1000);
  kill(child, SIGKILL);
  int status;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  (*worker)->TakeBack();
  EXPECT_FALSE((*worker)->usable());
}

// QEMU's emulation has faults, which now and then end a boot.
TEST(Worker, TriesABootAgain) {
  const std::string script = testing::TempDir() + "flaky-" + std::to_string(getpid()) + ".sh";
  std::ofstream(script) << "#!/bin/sh\necho x >>" << script << ".boots\n"
                        << "[ $(wc -l <" << script << ".boots) -ge 3 ] && exec "
                        << MMDIFF_FAKE_WORKER << " \"$@\"\n"
                        << "echo 'Oops: int3: 0000 [#1]'\nexit 0\n";
  ASSERT_EQ(chmod(script.c_str(), 0755), 0);
  WorkerOptions options = Fake();
  options.executable = script;
  options.boots = 2;
  const absl::Status s = Worker::Start(options).status();
  EXPECT_THAT(std::string(s.message()), HasSubstr("did not boot: it ended with exit code 0"));
  unlink((script + ".boots").c_str());
  options.boots = 3;
  auto worker = Worker::Start(options);
  EXPECT_TRUE(worker.ok()) << worker.status();
  unlink((script + ".boots").c_str());
  unlink(script.c_str());
}

}  // namespace
}  // namespace mmdiff
