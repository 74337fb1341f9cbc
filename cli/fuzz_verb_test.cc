// fuzz and mutants from the outside: a real campaign, and supervisors of fuzz targets that
// misbehave.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include "cli/child_program.h"
#include "cli/mutant_files.h"
#include "cli/shell_for_test.h"
#include "cli/worker_path.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "targets/stats_page.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;

class FuzzVerb : public ShellTest {
 protected:
  void SetUp() override {
    ShellTest::SetUp();
    ASSERT_EQ(Shell("mkdir corpus").exit, 0);
    Write("corpus/a.mmdiff", kGoodProgram);
  }
  // A fuzz target that is a shell script.
  std::string Script(const std::string& body) {
    Write("worker", "#!/bin/sh\n" + body + "\n");
    EXPECT_EQ(Shell("chmod +x worker").exit, 0);
    return "fuzz --worker ./worker --corpus corpus --work work --findings found --jobs 1 ";
  }
  // The real one, which only trees of the preset fuzz have.
  bool HasWorker() { return FindWorker("").ok(); }
  static constexpr char kReal[] = "fuzz --corpus corpus --work work --findings found --jobs 1 ";
};

TEST_F(FuzzVerb, CampaignEndsWithTheNumbers) {
  if (!HasWorker()) GTEST_SKIP() << "mmdiff-fuzz is not built";
  const ShellResult result = Mmdiff(std::string(kReal) + "--time 3s --json");
  ASSERT_EQ(result.exit, 0) << result.out << result.err;
  const auto json = Json(result);
  EXPECT_GT(json["programs"], 100);
  EXPECT_GT(json["operations"], 1000);
  EXPECT_GT(json["operations_per_s"], 100.0);
  EXPECT_GT(json["effective_share"], 0.1);
  EXPECT_LE(json["effective_share"], 1.0);
  EXPECT_TRUE(json["findings"].empty());
  EXPECT_GT(json["coverage"], 100);
  EXPECT_GT(json["corpus"], 1);
  EXPECT_EQ(json["seeds"], 1);
}

TEST_F(FuzzVerb, BudgetOfOperationsAndMissingCoverage) {
  if (!HasWorker()) GTEST_SKIP() << "mmdiff-fuzz is not built";
  const ShellResult result =
      Mmdiff(std::string(kReal) + "--time 60s --operations 5000 --require-coverage 100000000");
  EXPECT_EQ(result.exit, 4) << result.out << result.err;
  EXPECT_THAT(result.err, HasSubstr("required"));
  EXPECT_THAT(result.out, HasSubstr("operations"));
}

TEST_F(FuzzVerb, ResumeTakesUpTheCorpus) {
  if (!HasWorker()) GTEST_SKIP() << "mmdiff-fuzz is not built";
  ASSERT_EQ(Mmdiff(std::string(kReal) + "--time 2s").exit, 0);
  const int before = std::stoi(Shell("ls work/corpus | wc -l").out);
  EXPECT_GT(before, 2);
  ASSERT_EQ(Mmdiff(std::string(kReal) + "--time 1s --resume").exit, 0);
  EXPECT_GE(std::stoi(Shell("ls work/corpus | wc -l").out), before);
  ASSERT_EQ(Mmdiff(std::string(kReal) + "--time 1s --operations 1").exit, 0);
  EXPECT_GE(std::stoi(Shell("ls work/corpus.previous | wc -l").out), before);
}

TEST_F(FuzzVerb, LogsGetPlainLinesAndTerminalsARewrittenOne) {
  if (!HasWorker()) GTEST_SKIP() << "mmdiff-fuzz is not built";
  const ShellResult log = Mmdiff(std::string(kReal) + "--time 11s");
  EXPECT_THAT(log.err, HasSubstr("ops/s"));
  EXPECT_THAT(log.err, testing::Not(HasSubstr("\r")));
  if (Shell("command -v script").exit != 0) return;
  const ShellResult terminal = Shell(std::string("script -qec \"'") + MMDIFF_PROGRAM + "' " +
                                     kReal + "--time 3s\" /dev/null");
  EXPECT_THAT(terminal.out, HasSubstr("\r"));
  EXPECT_THAT(terminal.out, HasSubstr("left\033[K"));
}

TEST_F(FuzzVerb, InterruptEndsCleanlyWithTheSummary) {
  if (!HasWorker()) GTEST_SKIP() << "mmdiff-fuzz is not built";
  auto child = ChildProgram::Start(
      {{"sh", "-c", "cd '" + dir_ + "' && exec '" + MMDIFF_PROGRAM + "' " + kReal + "--time 60s"},
       {},
       true});
  ASSERT_TRUE(child.ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  kill(child->pid(), SIGINT);
  std::optional<int> status;
  for (int i = 0; i < 2000 && !status; ++i) {
    usleep(5000);
    child->ReadLines();
    status = child->Poll();
  }
  ASSERT_TRUE(status.has_value()) << "still runs after ten seconds";
  child->ReadLines();
  EXPECT_EQ(WEXITSTATUS(*status), 0);
  EXPECT_THAT(child->tail(), HasSubstr("interrupted after"));
}

// The pid of the fuzz target that this process's grandchild is: found by its argument.
pid_t WorkerPid(const std::string& marker) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream in(entry.path() / "cmdline", std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (text.str().find(marker + "/work/corpus") != std::string::npos &&
        text.str().find("-artifact_prefix") != std::string::npos) {
      return static_cast<pid_t>(std::stoi(entry.path().filename().string()));
    }
  }
  return 0;
}

TEST_F(FuzzVerb, DeathOfAWorkerIsAttributedKeptAndSurvived) {
  if (!HasWorker()) GTEST_SKIP() << "mmdiff-fuzz is not built";
  auto child = ChildProgram::Start(
      {{"sh", "-c",
        "cd '" + dir_ + "' && exec '" + MMDIFF_PROGRAM + "' fuzz --corpus corpus --work '" + dir_ +
            "/work' --findings found --jobs 1 --time 8s --json > json"},
       {},
       true});
  ASSERT_TRUE(child.ok());
  pid_t worker = 0;
  for (int i = 0; i < 200 && worker == 0; ++i) {
    usleep(20000);
    worker = WorkerPid(dir_);
  }
  ASSERT_NE(worker, 0);
  // Stops it until it stands inside a program, and lets it die there.
  auto stats = SharedStats::Open(dir_ + "/work/worker-0.page");
  ASSERT_TRUE(stats.ok()) << stats.status();
  bool inside = false;
  for (int i = 0; i < 1000 && !inside; ++i) {
    usleep(10000);
    ASSERT_EQ(kill(worker, SIGSTOP), 0);
    usleep(2000);
    inside =
        stats->page().programs.load() > 100 && stats->page().phase.load() == WorkerPhase::kRunning;
    ASSERT_EQ(kill(worker, inside ? SIGSEGV : SIGCONT), 0);
    ASSERT_EQ(kill(worker, SIGCONT), 0);
  }
  ASSERT_TRUE(inside);
  std::optional<int> status;
  for (int i = 0; i < 4000 && !status; ++i) {
    usleep(5000);
    child->ReadLines();
    status = child->Poll();
  }
  ASSERT_TRUE(status.has_value());
  const auto json = nlohmann::json::parse(Read("json"), nullptr, false);
  ASSERT_TRUE(json.is_object()) << Read("json") << child->tail();
  EXPECT_EQ(json["deaths"], 1);
  EXPECT_EQ(WEXITSTATUS(*status), 1);
  ASSERT_EQ(json["findings"].size(), 1u) << json.dump(2);
  EXPECT_EQ(json["findings"][0]["kind"], "crash");
  EXPECT_THAT(json["findings"][0]["signature"].get<std::string>(), HasSubstr("crash-SIGSEGV"));
  EXPECT_EQ(Shell("ls found/*/repro.mmdiff | wc -l").out, "1\n");
  EXPECT_GT(json["programs"], 100);
}

TEST_F(FuzzVerb, TargetsThatRefuseAreUsageErrors) {
  const ShellResult result = Mmdiff(Script("echo 'no such thing' >&2; exit 2") + "--time 20s");
  EXPECT_EQ(result.exit, 2);
  EXPECT_THAT(result.err, HasSubstr("no such thing"));
}

TEST_F(FuzzVerb, TargetsThatOnlyDieAreFaults) {
  const ShellResult result = Mmdiff(Script("echo dying >&2; kill -9 $$") + "--time 20s");
  EXPECT_EQ(result.exit, 3);
  EXPECT_THAT(result.err, HasSubstr("without running anything"));
  EXPECT_THAT(result.err, HasSubstr("dying"));
}

TEST_F(FuzzVerb, FindingsThatCannotBeKeptAreFaults) {
  const ShellResult result = Mmdiff(
      Script("echo 'mmdiff: the finding could not be kept: disk full' >&2; exit 3") + "--time 20s");
  EXPECT_EQ(result.exit, 3);
  EXPECT_THAT(result.err, HasSubstr("disk full"));
}

TEST_F(FuzzVerb, FindingsOfAWorkerReachTheSummary) {
  const std::string finding =
      "MMDIFF-FINDING {\"signature\":\"pte.write-x\",\"kind\":\"divergence\",\"message\":\"m\","
      "\"operations\":4,\"original_operations\":9,\"reducer_runs\":1,\"new\":true,\"path\":\"p\"}";
  const ShellResult result =
      Mmdiff(Script("echo '" + finding + "' >&2; echo '" + finding + "' >&2; exec sleep 30") +
             "--time 2s --json");
  EXPECT_EQ(result.exit, 1) << result.err;
  const auto json = Json(result);
  ASSERT_EQ(json["findings"].size(), 1u);
  EXPECT_EQ(json["findings"][0]["signature"], "pte.write-x");
  EXPECT_EQ(json["findings"][0]["operations"], 4);
}

TEST_F(FuzzVerb, HarnessFaultsAreExitCodeThree) {
  const ShellResult result =
      Mmdiff(Script("echo 'MMDIFF-FINDING "
                    "{\"signature\":\"digest\",\"kind\":\"harness_fault\",\"operations\":1}' "
                    ">&2; exec sleep 30") +
             "--stop-on-first --time 20s");
  EXPECT_EQ(result.exit, 3);
}

TEST_F(FuzzVerb, WrongFlagsAreUsageErrors) {
  const std::string base = Script("exec sleep 30");
  const struct {
    const char* flags;
    const char* says;
  } cases[] = {{"--time 0", "--time"},
               {"--max-ops 0", "--max-ops"},
               {"--max-ops 100000", "--max-ops"},
               {"--jobs 1000", "--jobs"},
               {"--impl reference,nothing", "list impls"},
               {"--corpus nowhere", "nowhere"}};
  for (const auto& c : cases) {
    const ShellResult result = Mmdiff(base + c.flags);
    EXPECT_EQ(result.exit, 2) << c.flags;
    EXPECT_THAT(result.err, HasSubstr(c.says)) << c.flags;
  }
}

TEST_F(FuzzVerb, PlacesThatCannotBeWrittenAreNamed) {
  Script("exec sleep 30");
  Write("file", "");
  ShellResult result = Mmdiff("fuzz --worker ./worker --corpus corpus --work file/x --time 2s");
  EXPECT_EQ(result.exit, 2);
  EXPECT_THAT(result.err, HasSubstr("--work"));
  result = Mmdiff("fuzz --worker ./nothing --corpus corpus --work work --time 2s");
  EXPECT_EQ(result.exit, 3);
  EXPECT_THAT(result.err, HasSubstr("nothing"));
}

TEST_F(FuzzVerb, TwoCampaignsDoNotShareAWorkDirectory) {
  const std::string command = std::string("'") + MMDIFF_PROGRAM + "' " + Script("exec sleep 30");
  const ShellResult result = Shell("(" + command + "--time 6s & first=$!; sleep 1; " + command +
                                   "--time 1s; status=$?; kill $first; wait; exit $status)");
  EXPECT_EQ(result.exit, 3);
  EXPECT_THAT(result.err, HasSubstr("another campaign"));
}

TEST_F(FuzzVerb, MutantsAreChosenById) {
  EXPECT_EQ(Shell(std::string("MMDIFF_ROOT=/nowhere '") + MMDIFF_PROGRAM +
                  "' mutants --only nonsense --no-build")
                .exit,
            2);
}

TEST(MutantFiles, HeaderIsRead) {
  const std::string dir = testing::TempDir() + "mmdiff-mutants";
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  std::ofstream(dir + "/b_two.patch")
      << "# id: b_two\n# area: fork\n# origin: a bug\n#   on two lines\n"
         "# caught-by: pte.write\n--- a/model/fork.cc\n+++ b/model/fork.cc\n";
  std::ofstream(dir + "/a_one.patch")
      << "# id: a_one\n# area: rmap\n# origin: x\n# caught-by: y\n--- a\n";
  const auto mutants = ReadMutants(dir);
  ASSERT_TRUE(mutants.ok()) << mutants.status();
  ASSERT_EQ(mutants->size(), 2u);
  EXPECT_EQ((*mutants)[0].id, "a_one");
  EXPECT_EQ((*mutants)[1].origin, "a bug on two lines");
  std::ofstream(dir + "/c.patch") << "# id: other\n# area: a\n# origin: b\n# caught-by: c\n";
  EXPECT_FALSE(ReadMutants(dir).ok());
  std::ofstream(dir + "/c.patch") << "# id: c\n# origin: b\n# caught-by: c\n";
  EXPECT_THAT(std::string(ReadMutants(dir).status().message()), HasSubstr("# area: ..."));
  std::filesystem::remove_all(dir);
}

TEST(MutantFiles, TheCommittedOnesAreWellFormed) {
  const auto mutants = ReadMutants(std::string(MMDIFF_SOURCE_DIR) + "/mutants");
  ASSERT_TRUE(mutants.ok()) << mutants.status();
  for (const MutantFile& mutant : *mutants) {
    std::ifstream in(mutant.path);
    std::ostringstream text;
    text << in.rdbuf();
    EXPECT_THAT(text.str(), HasSubstr("+++ b/model/")) << mutant.id;
  }
}

}  // namespace
}  // namespace mmdiff
