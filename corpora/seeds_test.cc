// The hand-written seeds: what they say comes true on the default pair, both sides agree on them
// whichever fast path is off, and COVERAGE.tsv says truly what they show.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "corpora/corpus_files.h"
#include "harness/demands.h"
#include "harness/registry.h"
#include "program/carry.h"
#include "program/errno.h"
#include "program/text.h"

namespace mmdiff {
namespace {

constexpr char kSeeds[] = "corpora/lockstep/seeds";

const std::vector<CorpusProgram>& Seeds() {
  static const auto* seeds = new std::vector<CorpusProgram>(ProgramsBelow(kSeeds));
  return *seeds;
}

struct Row {
  std::string kind, name;
  std::vector<std::string> files;
};

std::vector<Row> CoverageRows() {
  std::vector<Row> rows;
  const std::string text = ReadFile(SourcePath("corpora/lockstep/COVERAGE.tsv"));
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    if (line[0] == '#') continue;
    const std::vector<std::string> fields = absl::StrSplit(line, '\t');
    EXPECT_EQ(fields.size(), 3u) << line;
    if (fields.size() != 3) continue;
    rows.push_back({fields[0], fields[1], absl::StrSplit(fields[2], ' ', absl::SkipEmpty())});
    EXPECT_FALSE(rows.back().files.empty()) << line;
  }
  return rows;
}

// Keys "map" and "map EEXIST" of what a seed's own expectations say about its operations.
std::set<std::string> Expected(const Program& program) {
  std::set<std::string> keys;
  for (const Expectation& e : program.expectations) {
    const char* op = DescOf(program.ops[e.op_index].code).name;
    keys.insert(op);
    int32_t err = 0;
    bool has_value = false;
    uint32_t value = 0;
    if (ParseResultText(e.text, &err, &has_value, &value) && err != 0) {
      keys.insert(absl::StrCat(op, " ", ErrnoText(err)));
    }
  }
  return keys;
}

TEST(Seeds, AreThere) { EXPECT_GT(Seeds().size(), 200u); }

TEST(Seeds, ExpectationsHoldOnTheDefaultPair) {
  Lockstep lockstep = MakeLockstep(std::string(kDefaultImplementations));
  RunOptions options = RunOptions::Thorough();
  options.check_expectations = true;
  RunResult result;
  for (const CorpusProgram& seed : Seeds()) {
    EXPECT_FALSE(seed.program.expectations.empty()) << seed.name << " expects nothing";
    EXPECT_EQ(lockstep.Run(seed.program, options, &result), RunOutcome::ok)
        << seed.name << ": " << Explain(result);
    EXPECT_EQ(result.ops_unsupported, 0u) << seed.name;
  }
}

// Everything that is committed says the same of tables as large as x86-64 has them.
TEST(Seeds, AllThatIsCommittedHoldsInLargeTablesAndComesBack) {
  Lockstep lockstep = MakeLockstep(std::string(kDefaultImplementations));
  RunOptions options = RunOptions::Thorough();
  options.check_expectations = true;
  RunResult result;
  const auto lengths = [](Program program) {
    for (Op& op : program.ops) {
      for (size_t a = 0; a < DescOf(op.code).nargs; ++a) {
        if (DescOf(op.code).args[a].kind == ArgKind::kVpn) op.arg[a] = 0;
      }
    }
    return program.ops;
  };
  for (const CorpusProgram& seed : ProgramsBelow("corpora/lockstep")) {
    const absl::StatusOr<Program> carried = CarryToTable(seed.program, 512);
    ASSERT_TRUE(carried.ok()) << seed.name << ": " << carried.status();
    EXPECT_EQ(lockstep.Run(*carried, options, &result), RunOutcome::ok)
        << seed.name << ": " << Explain(result);
    EXPECT_EQ(lengths(*carried), lengths(seed.program)) << seed.name;
    const absl::StatusOr<Program> back = CarryToTable(*carried, seed.program.world.table);
    ASSERT_TRUE(back.ok()) << seed.name << ": " << back.status();
    EXPECT_EQ(PrintText(*back), PrintText(seed.program)) << seed.name;
  }
}

TEST(Seeds, AllThatIsCommittedHoldsAsSomebodyDemandsIt) {
  Lockstep lockstep = MakeLockstep(std::string(kDefaultImplementations));
  RunOptions options = RunOptions::Thorough();
  options.check_expectations = true;
  RunResult result;
  Demands world, operations;
  world.world = {.table = 512, .batch = 31, .max_cpus = 2, .no_tlb = true};
  operations.lacks = SetOf({Opcode::migrate_begin, Opcode::zap_begin, Opcode::isolate});
  size_t expected = 0, left_out = 0;
  for (const CorpusProgram& seed : ProgramsBelow("corpora/lockstep")) {
    for (const Demands& demands : {world, operations}) {
      Program program = seed.program;
      left_out += MakeSuit(demands, kMaxOps, &program);
      EXPECT_TRUE(Suits(program, demands)) << seed.name;
      EXPECT_EQ(lockstep.Run(program, options, &result), RunOutcome::ok)
          << seed.name << ": " << Explain(result);
      if (demands.lacks.any()) expected += program.expectations.size();
    }
  }
  EXPECT_GT(left_out, 100u);
  EXPECT_GT(expected, 100u) << "what stands before the first that is left out stays";
}

// Expectations may name what a choice decides, so here only agreement is asked for.
TEST(Seeds, BothSidesAgreeWithEachFastPathOff) {
  const auto model = MakeImplementation("model");
  ASSERT_TRUE(model.ok()) << model.status();
  const auto switches = (*model)->info().switches;
  ASSERT_GT(switches.size(), 10u);
  RunResult result;
  for (const auto& s : switches) {
    Lockstep lockstep = MakeLockstep(absl::StrCat("reference,model:-", s.name));
    for (const CorpusProgram& seed : Seeds()) {
      EXPECT_EQ(lockstep.Run(seed.program, RunOptions::Thorough(), &result), RunOutcome::ok)
          << seed.name << " without " << s.name << ": " << Explain(result);
    }
  }
}

TEST(Seeds, AreCanonicalTextButForTheirComments) {
  for (const CorpusProgram& seed : Seeds()) {
    EXPECT_EQ(PrintText(seed.program), WithoutComments(seed.text)) << seed.name;
    EXPECT_TRUE(absl::StartsWith(seed.text, "# mmdiff 1\n# "))
        << seed.name << " says not what it shows";
  }
}

TEST(Seeds, AreDifferentPrograms) {
  std::map<std::string, std::string> by_text;
  for (const CorpusProgram& seed : Seeds()) {
    Program program = seed.program;
    program.expectations.clear();
    const auto [at, fresh] = by_text.emplace(PrintText(program), seed.name);
    // The same operations may be asked other questions, but not within one group.
    const std::string group = seed.name.substr(0, seed.name.find('/'));
    if (!fresh) {
      EXPECT_NE(group, at->second.substr(0, at->second.find('/')))
          << seed.name << " is the same as " << at->second;
    }
  }
}

TEST(Coverage, RowsNameFilesThatShowIt) {
  std::map<std::string, std::set<std::string>> shown;
  for (const CorpusProgram& seed : Seeds()) shown[seed.name] = Expected(seed.program);
  for (const Row& row : CoverageRows()) {
    for (const std::string& file : row.files) {
      ASSERT_TRUE(shown.count(file))
          << row.kind << " " << row.name << ": there is no seed " << file;
      if (row.kind == "op" || row.kind == "errno") {
        EXPECT_TRUE(shown[file].count(row.name))
            << file << " has no expectation about " << row.name;
      }
    }
  }
}

TEST(Coverage, EverySeedStandsInARow) {
  std::set<std::string> named;
  for (const Row& row : CoverageRows()) named.insert(row.files.begin(), row.files.end());
  for (const CorpusProgram& seed : Seeds()) {
    EXPECT_TRUE(named.count(seed.name)) << seed.name << ": give it a row in COVERAGE.tsv";
  }
}

TEST(Coverage, EveryOperationHasASeed) {
  std::set<std::string> named;
  for (const Row& row : CoverageRows()) {
    if (row.kind == "op") named.insert(row.name);
  }
  for (const OpDesc& op : AllOps()) EXPECT_EQ(named.count(op.name), 1u) << op.name;
  EXPECT_EQ(named.size(), kOpcodes);
}

// FP-14 is about PMD mappings and FP-23 about mremap, which the language does not have.
TEST(Coverage, EveryFastPathOfTheseOperationsHasASeed) {
  std::set<std::string> named;
  for (const Row& row : CoverageRows()) {
    if (row.kind == "fp") named.insert(row.name);
  }
  std::set<std::string> wanted;
  for (int n = 1; n <= 30; ++n) {
    if (n != 14 && n != 23) wanted.insert(absl::StrCat("FP-", n < 10 ? "0" : "", n));
  }
  EXPECT_EQ(named, wanted);
}

// No seed meets an errno that no row names, so the table of errnos is whole as far as seeds go.
TEST(Coverage, EveryErrnoThatIsMetHasARow) {
  std::set<std::string> named;
  for (const Row& row : CoverageRows()) {
    if (row.kind == "errno") named.insert(row.name);
  }
  Lockstep lockstep = MakeLockstep(std::string(kDefaultImplementations));
  RunResult result;
  for (const CorpusProgram& seed : Seeds()) lockstep.Run(seed.program, RunOptions(), &result);
  std::set<std::string> met;
  for (const OpDesc& op : AllOps()) {
    const auto& row = lockstep.counters().outcomes[static_cast<size_t>(op.code)];
    for (size_t err = 1; err < row.size(); ++err) {
      if (row[err] != 0)
        met.insert(absl::StrCat(op.name, " ", ErrnoText(static_cast<int32_t>(err))));
    }
  }
  EXPECT_EQ(met, named);
}

}  // namespace
}  // namespace mmdiff
