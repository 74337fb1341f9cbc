// Boots the default image, if it has been fetched, with a stand-in for mmdiff's part of it.
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernel/guest/guest.h"
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
    const RanProgram ran = RunProgram({"gcc", "-static", "-O2", "-Wall", "-Werror", "-I",
                                       MMDIFF_SOURCE_DIR, "-x", "c", "-o", init_, source});
    EXPECT_TRUE(ran.ok()) << ran.output;
    guest_.init = init_;
    absl::StatusOr<WorkerOptions> options = PrepareGuest(guest_);
    if (!options.ok()) return options.status();
    return Worker::Start(*options);
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
