// The lockstep target: configuration, counting into the page, and records of findings.
#include "targets/lockstep_target.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "program/binary.h"
#include "program/generate.h"
#include "program/mutate_bytes.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;

class LockstepTargetTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = testing::TempDir() + "mmdiff-target-" + std::to_string(getpid());
    std::filesystem::create_directories(dir_);
    Clear();
  }
  void TearDown() override {
    Clear();
    std::filesystem::remove_all(dir_);
  }
  void Clear() {
    for (const char* name :
         {"MMDIFF_IMPL", "MMDIFF_FINDINGS", "MMDIFF_STATS_PAGE", "MMDIFF_SEED", "MMDIFF_MAX_OPS",
          "MMDIFF_FULL_EVERY", "MMDIFF_ON_FINDING", "MMDIFF_MINIMISE"}) {
      unsetenv(name);
    }
  }
  std::string dir_;
};

TEST_F(LockstepTargetTest, DefaultsWithoutEnvironment) {
  const auto config = TargetConfigFromEnvironment();
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->keeper.specs, "reference,model");
  EXPECT_EQ(config->keeper.findings_dir, "crashes");
  EXPECT_EQ(config->max_ops, kMaxFuzzOps);
  EXPECT_EQ(config->on_finding, OnFinding::kContinue);
  EXPECT_TRUE(config->keeper.minimise);
}

TEST_F(LockstepTargetTest, EnvironmentIsRead) {
  setenv("MMDIFF_IMPL", "model", 1);
  setenv("MMDIFF_SEED", "77", 1);
  setenv("MMDIFF_MAX_OPS", "9", 1);
  setenv("MMDIFF_ON_FINDING", "abort", 1);
  setenv("MMDIFF_MINIMISE", "0", 1);
  const auto config = TargetConfigFromEnvironment();
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->keeper.specs, "model");
  EXPECT_EQ(config->keeper.seed, 77u);
  EXPECT_EQ(config->max_ops, 9u);
  EXPECT_EQ(config->on_finding, OnFinding::kAbort);
  EXPECT_FALSE(config->keeper.minimise);
}

TEST_F(LockstepTargetTest, WrongEnvironmentIsNamed) {
  setenv("MMDIFF_MAX_OPS", "many", 1);
  EXPECT_THAT(std::string(TargetConfigFromEnvironment().status().message()),
              HasSubstr("MMDIFF_MAX_OPS=many"));
  Clear();
  setenv("MMDIFF_ON_FINDING", "shout", 1);
  EXPECT_THAT(std::string(TargetConfigFromEnvironment().status().message()), HasSubstr("shout"));
}

TEST_F(LockstepTargetTest, RunsAreCounted) {
  const std::string path = dir_ + "/page";
  auto reader = SharedStats::Create(path);
  ASSERT_TRUE(reader.ok());
  TargetConfig config;
  config.keeper.specs = "reference,model";
  config.keeper.findings_dir = dir_ + "/found";
  config.stats_page = path;
  config.max_ops = kMaxFuzzOps;
  auto target = LockstepTarget::Create(config);
  ASSERT_TRUE(target.ok()) << target.status();
  uint64_t operations = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Program program = Generate(seed, {});
    const std::vector<uint8_t> bytes = Encode(program);
    EXPECT_TRUE((*target)->Run(bytes.data(), bytes.size()));
    operations += program.ops.size();
  }
  const StatsPage& page = reader->page();
  EXPECT_EQ(page.programs.load(), 20u);
  EXPECT_EQ(page.operations.load(), operations);
  EXPECT_GT(page.effective.load(), operations / 10);
  EXPECT_LE(page.effective.load(), operations);
  EXPECT_GT(page.outcomes.load(), 5u);
  EXPECT_EQ(page.sightings.load(), 0u);
  EXPECT_EQ(page.phase.load(), WorkerPhase::kIdle);
}

TEST_F(LockstepTargetTest, AnyBytesRun) {
  TargetConfig config;
  config.keeper.specs = "reference";
  config.keeper.findings_dir = dir_ + "/found";
  config.max_ops = 16;
  auto target = LockstepTarget::Create(config);
  ASSERT_TRUE(target.ok());
  EXPECT_TRUE((*target)->Run(nullptr, 0));
  std::vector<uint8_t> noise(1000);
  for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<uint8_t>(i * 131);
  EXPECT_TRUE((*target)->Run(noise.data(), noise.size()));
  EXPECT_LE((*target)->counters().ops, 32u);
}

TEST_F(LockstepTargetTest, CreationFailsWithTheReason) {
  TargetConfig config;
  config.keeper.specs = "nothing";
  config.keeper.findings_dir = dir_;
  EXPECT_THAT(std::string(LockstepTarget::Create(config).status().message()), HasSubstr("nothing"));
  config.keeper.specs = "reference";
  config.stats_page = dir_ + "/missing";
  EXPECT_THAT(std::string(LockstepTarget::Create(config).status().message()), HasSubstr("missing"));
}

TEST_F(LockstepTargetTest, ADeathThatDoesNotHappenAgainIsKeptAsItIs) {
  KeeperOptions options;
  options.specs = "reference,model";
  options.findings_dir = dir_ + "/found";
  auto keeper = FindingKeeper::Create(options);
  ASSERT_TRUE(keeper.ok()) << keeper.status();
  const Program program = Generate(3, {});
  IsolatedOutcome outcome;
  outcome.kind = IsolatedOutcome::Kind::kCrash;
  outcome.signature = CrashSignature("SIGSEGV", "fork");
  outcome.detail = "SIGSEGV in fork";
  outcome.output = "last words";
  const auto kept = keeper->KeepDeath(program, outcome);
  ASSERT_TRUE(kept.ok()) << kept.status();
  EXPECT_TRUE(kept->is_new);
  EXPECT_EQ(kept->kind, "crash");
  EXPECT_EQ(kept->ops, program.ops.size());
  const auto json = nlohmann::json::parse(KeptFindingJson(*kept));
  EXPECT_EQ(json["signature"], outcome.signature.FileName());
  EXPECT_TRUE(std::filesystem::exists(kept->path + "/repro.mmdiff"));
  EXPECT_THAT(DeathReport(program, outcome), HasSubstr("last words"));
}

TEST_F(LockstepTargetTest, ReplayOfAnAgreeingProgramEndsWithZero) {
  TargetConfig config;
  config.keeper.specs = "reference,model";
  config.keeper.findings_dir = dir_ + "/found";
  const std::string path = dir_ + "/a.mmdiff";
  FILE* f = fopen(path.c_str(), "w");
  fputs("# mmdiff 1\nworld\nm0 = mm\nmap m0 0x10 8 rw\nwrite m0 0x10 8\n", f);
  fclose(f);
  EXPECT_EQ(ReplayFile(path, config), 0);
  EXPECT_EQ(ReplayFile(dir_ + "/missing", config), 3);
  EXPECT_EQ(KeepDeathFromDirectory(dir_, config), 3);
}

}  // namespace
}  // namespace mmdiff
