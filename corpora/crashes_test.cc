// Programs that once showed a divergence: all of them agree now, and each says what was wrong.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "corpora/corpus_files.h"
#include "harness/registry.h"
#include "program/text.h"

namespace mmdiff {
namespace {

TEST(Crashes, AreFixed) {
  Lockstep lockstep = MakeLockstep(std::string(kDefaultImplementations));
  RunOptions options = RunOptions::Thorough();
  options.check_expectations = true;
  RunResult result;
  size_t ran = 0;
  for (const CorpusProgram& p : ProgramsBelow("crashes")) {
    EXPECT_EQ(lockstep.Run(p.program, options, &result), RunOutcome::ok)
        << p.name << ": " << Explain(result);
    ++ran;
  }
  EXPECT_GE(ran, 3u);
}

// A directory without a note is a new finding, which is no regression program before it is fixed.
TEST(Crashes, EachSaysWhatWasWrong) {
  for (const std::string& file : FilesBelow("crashes", "repro.mmdiff")) {
    const std::string note =
        SourcePath(absl::StrCat("crashes/", absl::StripSuffix(file, "repro.mmdiff"), "note.txt"));
    ASSERT_TRUE(std::filesystem::exists(note)) << note << " is missing: say what was wrong";
    EXPECT_GT(ReadFile(note).size(), 40u) << note;
  }
}

TEST(Crashes, AreCanonicalText) {
  for (const CorpusProgram& p : ProgramsBelow("crashes")) {
    EXPECT_EQ(PrintText(p.program), WithoutComments(p.text)) << p.name;
  }
}

}  // namespace
}  // namespace mmdiff
