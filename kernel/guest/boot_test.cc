// Boots the default image, if it has been fetched, with a stand-in for mmdiff's part of it.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/lockstep.h"
#include "kernel/guest/first_program.h"
#include "kernel/guest/guest.h"
#include "kernel/linux.h"
#include "kernel/run_program.h"
#include "kernel/worker.h"
#include "program/text.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;

class GuestBoot : public testing::Test {
 protected:
  void SetUp() override {
    setenv("MMDIFF_ROOT", MMDIFF_SOURCE_DIR, 1);
    const absl::StatusOr<Guest> guest = FindGuest("");
    if (!guest.ok()) GTEST_SKIP() << guest.status().message();
    guest_ = *guest;
    init_ = testing::TempDir() + "stand-in-init-" + std::to_string(getpid());
  }
  void TearDown() override { unlink(init_.c_str()); }

  // Compiles a program and starts the image with it as its first.
  absl::StatusOr<std::unique_ptr<Worker>> Boot(const std::string& source) {
    absl::StatusOr<WorkerOptions> options = Prepare(source);
    if (!options.ok()) return options.status();
    return Worker::Start(*options);
  }
  absl::StatusOr<WorkerOptions> Prepare(const std::string& source) {
    const RanProgram ran = RunProgram({"gcc", "-static", "-O2", "-Wall", "-Werror", "-I",
                                       MMDIFF_SOURCE_DIR, "-x", "c", "-o", init_, source});
    EXPECT_TRUE(ran.ok()) << ran.output;
    guest_.init = init_;
    return PrepareGuest(guest_);
  }

  Guest guest_;
  std::string init_;
};

TEST_F(GuestBoot, RunsProgramsThroughSharedMemory) {
  auto worker = Boot(MMDIFF_SOURCE_DIR "/kernel/guest/stand_in_init.c");
  ASSERT_TRUE(worker.ok()) << worker.status();
  EXPECT_EQ((*worker)->release(), "0-stand-in");
  EXPECT_EQ((*worker)->features(), "public stand_in");
  const Program program = ParseText("# mmdiff 1\nworld\nm0 = mm\nm1 = mm\nm2 = mm\n").value();
  for (int i = 0; i < 100; ++i) {
    const WorkerRun run =
        (*worker)->Run(program.world, program.ops, MMDIFF_WIRE_IDLE, MMDIFF_WIRE_INVARIANTS);
    ASSERT_EQ(run.end, WorkerEnd::kOk) << run.text << run.console;
    ASSERT_EQ(run.answered, 3u);
    EXPECT_EQ((*worker)->wire().results[2].value, 2u);
  }
}

struct HarmCase {
  uint8_t thread;
  uint32_t op;  // that it is put down to
  const char* relation;
  const char* log_has;
};

// What a guest does to itself is put down to the operation of the program that did it, is tried in
// fresh guests, and costs no other program anything.
TEST_F(GuestBoot, HarmIsPutDownToItsOperationAndTheRunGoesOn) {
  constexpr HarmCase kCases[] = {
      {1, 1, "oops sysrq_handle_crash", "sysrq triggered crash"},
      {2, 1, "hang", "no answer within"},
  };
  absl::StatusOr<WorkerOptions> worker = Prepare(MMDIFF_SOURCE_DIR "/kernel/guest/stand_in_init.c");
  ASSERT_TRUE(worker.ok()) << worker.status();
  LinuxOptions options;
  options.name = "guest";
  options.worker = *worker;
  options.worker.program_ms = 2000;
  options.failure_repeats = 2;
  Contestants contestants;
  contestants.leaders.push_back(LinuxImplementation::Make(options).value());
  Lockstep lockstep(std::move(contestants));
  const Program healthy =
      ParseText("# mmdiff 1\nworld table=512\nm0 = mm\nm1 = mm\nm2 = mm\n").value();
  RunOptions fast;
  fast.full_every = fast.full_at_end_every = 0;
  RunResult r;
  for (const HarmCase& c : kCases) {
    ASSERT_EQ(lockstep.Run(healthy, fast, &r), RunOutcome::ok) << r.message;
    Program harmful = healthy;
    harmful.ops[1].thread = c.thread;
    ASSERT_EQ(lockstep.Run(harmful, fast, &r), RunOutcome::invariant) << c.relation;
    EXPECT_EQ(r.op_index, c.op) << r.message;
    EXPECT_EQ(r.divergence.relation, c.relation) << r.message << r.divergence.log;
    EXPECT_THAT(r.divergence.log, HasSubstr(c.log_has));
    EXPECT_EQ(r.divergence.repeats.same, r.divergence.repeats.of) << r.message;
    EXPECT_GE(r.divergence.repeats.of, 1u);
    ASSERT_EQ(lockstep.Run(healthy, fast, &r), RunOutcome::ok) << r.message;
  }
}

TEST_F(GuestBoot, AProgramOfItsOwnIsRunAlone) {
  const std::string scratch = init_ + ".d";
  std::filesystem::create_directory(scratch);
  FirstProgram program{.source =
                           "#include <stdio.h>\n#include <unistd.h>\n"
                           "int main(void) { printf(\"I am %d\\n\", getppid()); return 3; }",
                       .orders = 4,
                       .scratch = scratch};
  absl::StatusOr<FirstProgramEnd> end = RunFirstProgram(guest_, program);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->output, "I am 1\n");
  EXPECT_EQ(end->how, "exit code 3");
  EXPECT_FALSE(end->ended);
  // One that takes the kernel with it, and one that never ends.
  program.source =
      "#include <fcntl.h>\n#include <stdio.h>\n#include <unistd.h>\n"
      "int main(void) { puts(\"now\"); fflush(stdout);\n"
      "return write(open(\"/proc/sysrq-trigger\", O_WRONLY), \"c\", 1) != 1; }";
  end = RunFirstProgram(guest_, program);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->how, "the guest ended");
  EXPECT_THAT(end->output, HasSubstr("now\n"));
  EXPECT_THAT(end->output, HasSubstr("sysrq triggered crash"));
  program.source = "#include <unistd.h>\nint main(void) { for (;;) pause(); }";
  program.run_ms = 500;
  end = RunFirstProgram(guest_, program);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->how, "did not end within 500 ms");
  program.source = "int main(void) { return nothing; }";
  EXPECT_TRUE(absl::IsInvalidArgument(RunFirstProgram(guest_, program).status()));
  std::filesystem::remove_all(scratch);
}

// The kernel's panic, in a machine that ends with exit code 0.
TEST_F(GuestBoot, APanicIsTold) {
  const std::string source = init_ + ".c";
  std::ofstream(source) << "int main(void) { return 0; }\n";
  const absl::Status s = Boot(source).status();
  unlink(source.c_str());
  EXPECT_TRUE(absl::IsFailedPrecondition(s)) << s;
  EXPECT_THAT(std::string(s.message()), HasSubstr("did not boot: it ended with exit code 0"));
  EXPECT_THAT(std::string(s.message()), HasSubstr("Attempted to kill init!"));
}

}  // namespace
}  // namespace mmdiff
