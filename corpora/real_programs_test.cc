// Programs that came from real workloads, and the logs that the import is tested with.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "corpora/corpus_files.h"
#include "harness/registry.h"
#include "program/errno.h"
#include "program/import_strace.h"
#include "program/text.h"

namespace mmdiff {
namespace {

constexpr char kReal[] = "corpora/lockstep/real";
constexpr char kLogs[] = "corpora/import";
constexpr size_t kMaxTextOfAll = 400 * 1000;

// What a run shows: see corpora/lockstep/real/README.md.
std::set<std::string> Features(const Program& program, const RunResult& result) {
  std::set<std::string> features;
  for (size_t i = 0; i < result.ops.size(); ++i) {
    const Op& op = program.ops[i];
    const OpRecord& record = result.ops[i];
    const std::string outcome = absl::StrCat(
        DescOf(op.code).name, " ", ErrnoText(record.result.err), record.effect ? "" : " idle");
    int magnitude = 0;
    for (uint32_t v = record.result.value; v != 0; v /= 4) ++magnitude;
    features.insert(absl::StrCat(outcome, " size ", magnitude, " cpu ", static_cast<int>(op.cpu)));
    if (op.code == Opcode::map) features.insert(absl::StrCat(outcome, " flags ", op.arg[3]));
    if (i != 0)
      features.insert(absl::StrCat(DescOf(program.ops[i - 1].code).name, ", then ", outcome));
  }
  return features;
}

TEST(RealPrograms, AgreeOnTheDefaultPairAndWithTheBatchesOff) {
  RunResult result;
  for (const char* specs :
       {"reference,model", "reference,model:-batch_zap,-batch_fork,-lru_batch,-mlock_batch",
        "reference,model:-wp_reuse_small,-wp_reuse_large,-mm_id,-gather_batch"}) {
    Lockstep lockstep = MakeLockstep(specs);
    for (const CorpusProgram& p : ProgramsBelow(kReal)) {
      EXPECT_EQ(lockstep.Run(p.program, RunOptions::Thorough(), &result), RunOutcome::ok)
          << p.name << " on " << specs << ": " << Explain(result);
    }
  }
}

TEST(RealPrograms, EachAddsSomething) {
  Lockstep lockstep = MakeLockstep(std::string(kDefaultImplementations));
  std::set<std::string> seen, workloads;
  RunResult result;
  for (const CorpusProgram& p : ProgramsBelow(kReal)) {
    ASSERT_EQ(lockstep.Run(p.program, RunOptions(), &result), RunOutcome::ok) << Explain(result);
    size_t fresh = workloads.insert(p.name.substr(0, p.name.find('/'))).second ? 1 : 0;
    for (const std::string& f : Features(p.program, result)) fresh += seen.insert(f).second ? 1 : 0;
    EXPECT_GT(fresh, 0u) << p.name << " shows nothing new";
  }
  EXPECT_EQ(workloads, (std::set<std::string>{"compiler-clang", "compiler-gcc", "mlock", "pipeline",
                                              "python", "sqlite"}));
}

TEST(RealPrograms, AreCanonicalAndSmall) {
  size_t bytes = 0;
  for (const CorpusProgram& p : ProgramsBelow(kReal)) {
    EXPECT_EQ(PrintText(p.program), p.text) << p.name;
    bytes += p.text.size();
  }
  EXPECT_GT(bytes, 0u);
  EXPECT_LT(bytes, kMaxTextOfAll);
}

// The logs of the repository become programs on which both sides agree.
TEST(ImportedLogs, BecomeProgramsThatAgree) {
  Lockstep lockstep = MakeLockstep(std::string(kDefaultImplementations));
  RunResult result;
  const std::vector<std::string> logs = FilesBelow(kLogs, ".strace");
  EXPECT_GE(logs.size(), 6u);
  for (const std::string& log : logs) {
    for (const bool touch : {false, true}) {
      ImportOptions options;
      options.touch = touch;
      options.max_ops = 64;
      ImportReport report;
      const auto programs =
          ImportStrace(ReadFile(absl::StrCat(SourcePath(kLogs), "/", log)), options, &report);
      ASSERT_TRUE(programs.ok()) << log << ": " << programs.status();
      EXPECT_TRUE(report.broken.empty()) << log << ": " << report.broken[0];
      EXPECT_GE(report.used * 10, report.calls * 7) << log << ": most calls were left out";
      for (const Program& program : *programs) {
        EXPECT_EQ(lockstep.Run(program, RunOptions::Thorough(), &result), RunOutcome::ok)
            << log << ": " << Explain(result) << "\n"
            << PrintText(program);
      }
    }
  }
}

TEST(ImportedLogs, TheMlockProgramKeepsItsCalls) {
  ImportReport report;
  const auto programs = ImportStrace(ReadFile(absl::StrCat(SourcePath(kLogs), "/mlock.strace")),
                                     ImportOptions(), &report);
  ASSERT_TRUE(programs.ok()) << programs.status();
  std::map<Opcode, int> ops;
  for (const Program& program : *programs) {
    for (const Op& op : program.ops) ++ops[op.code];
  }
  for (const Opcode code :
       {Opcode::lock, Opcode::lock_onfault, Opcode::unlock, Opcode::free, Opcode::dontfork,
        Opcode::fork, Opcode::protect, Opcode::exit, Opcode::unmap}) {
    EXPECT_GT(ops[code], 0) << DescOf(code).name;
  }
}

TEST(ImportedLogs, HoldNoPathsOrArguments) {
  for (const std::string& log : FilesBelow(kLogs, ".strace")) {
    const std::string text = ReadFile(absl::StrCat(SourcePath(kLogs), "/", log));
    for (size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at + 1)) {
      const size_t end = text.find('"', at + 1);
      ASSERT_NE(end, std::string::npos) << log;
      const std::string quoted = text.substr(at + 1, end - at - 1);
      EXPECT_TRUE(quoted == "/program" || quoted == "program" || quoted == "path")
          << log << ": " << quoted;
      at = end;
    }
  }
}

}  // namespace
}  // namespace mmdiff
