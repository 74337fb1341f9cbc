// The command line: what is parsed, what is refused, and that the tables agree with each other.
#include "cli/options.h"

#include <set>
#include <string>
#include <vector>

#include "cli/flag_docs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;

ParsedCommandLine Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "mmdiff");
  return ParseCommandLine(static_cast<int>(words.size()), words.data());
}

TEST(Options, Durations) {
  EXPECT_DOUBLE_EQ(*ParseSeconds("60"), 60);
  EXPECT_DOUBLE_EQ(*ParseSeconds("60s"), 60);
  EXPECT_DOUBLE_EQ(*ParseSeconds("2m"), 120);
  EXPECT_DOUBLE_EQ(*ParseSeconds("1h"), 3600);
  EXPECT_DOUBLE_EQ(*ParseSeconds("500ms"), 0.5);
  EXPECT_DOUBLE_EQ(*ParseSeconds("1.5s"), 1.5);
  for (const char* bad : {"", "s", "-1", "-1s", "1d", "nan", "inf", "1e99h", "60 seconds"}) {
    EXPECT_FALSE(ParseSeconds(bad).ok()) << bad;
  }
}

TEST(Options, FlagsReachTheirFields) {
  const ParsedCommandLine parsed =
      Parse({"fuzz", "--impl", "reference,model:-a", "--time", "2m", "--jobs=3", "--corpus", "a",
             "--corpus", "b", "--stop-on-first", "--json", "--max-ops", "7"});
  ASSERT_TRUE(parsed.run) << parsed.text;
  const Options& o = parsed.options;
  EXPECT_EQ(o.verb, Verb::v_fuzz);
  EXPECT_EQ(o.flag_impl, "reference,model:-a");
  EXPECT_DOUBLE_EQ(o.flag_time, 120);
  EXPECT_EQ(o.flag_jobs, 3u);
  EXPECT_EQ(o.flag_corpus, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(o.flag_stop_on_first);
  EXPECT_TRUE(o.flag_json);
  EXPECT_EQ(o.flag_max_ops, 7u);
}

TEST(Options, DefaultsAreThoseOfTheTable) {
  const ParsedCommandLine parsed = Parse({"fuzz"});
  ASSERT_TRUE(parsed.run);
  EXPECT_EQ(parsed.options.flag_impl, "reference,model");
  EXPECT_DOUBLE_EQ(parsed.options.flag_time, 60);
  EXPECT_FALSE(parsed.options.flag_json);
}

TEST(Options, WordsFollowTheVerb) {
  const ParsedCommandLine parsed = Parse({"run", "a", "b", "--json"});
  ASSERT_TRUE(parsed.run) << parsed.text;
  EXPECT_EQ(parsed.options.verb, Verb::v_run);
  EXPECT_EQ(parsed.options.words, (std::vector<std::string>{"a", "b"}));
}

TEST(Options, UsageErrorsSayWhatIsWrong) {
  const struct {
    std::vector<const char*> words;
    const char* says;
  } cases[] = {
      {{}, "subcommand"},
      {{"fuz"}, "fuz"},
      {{"run"}, "words"},
      {{"explain", "a", "b"}, "b"},
      {{"fuzz", "--tme", "3"}, "--tme"},
      {{"fuzz", "--time", "soon"}, "no duration"},
      {{"fuzz", "--jobs", "-1"}, "--jobs"},
      {{"fuzz", "--jobs", "many"}, "--jobs"},
      {{"gen", "--impl", "model"}, "--impl"},
  };
  for (const auto& c : cases) {
    const ParsedCommandLine parsed = Parse(c.words);
    EXPECT_FALSE(parsed.run);
    EXPECT_EQ(parsed.exit, Exit::kUsage);
    EXPECT_THAT(parsed.text, HasSubstr(c.says));
  }
}

TEST(Options, HelpAndVersionAreNoErrors) {
  EXPECT_EQ(Parse({"--help"}).exit, Exit::kOk);
  EXPECT_THAT(Parse({"--help"}).text, HasSubstr("Exit codes"));
  EXPECT_THAT(Parse({"fuzz", "--help"}).text, HasSubstr("--stop-on-first"));
  EXPECT_THAT(Parse({"--version"}).text, HasSubstr("mmdiff 1."));
}

TEST(Options, TablesAreConsistent) {
  std::set<std::string> names;
  for (const FlagInfo& flag : AllFlags()) {
    EXPECT_TRUE(names.insert(flag.flag).second) << flag.flag << " is declared twice";
    EXPECT_NE(flag.verbs, 0u) << flag.flag;
    EXPECT_FALSE(VerbsOf(flag).empty()) << flag.flag;
  }
  for (const VerbInfo& verb : AllVerbs()) {
    EXPECT_TRUE(verb.max < 0 || verb.min <= verb.max) << verb.name;
    bool json = false;
    for (const FlagInfo& flag : AllFlags())
      json = json || (flag.flag == "--json" && flag.Has(verb.verb));
    EXPECT_TRUE(json) << verb.name << " has no --json";
  }
}

TEST(Options, ErrorsOfInputAreUsageAndTheRestAreFaults) {
  EXPECT_EQ(ExitOf(absl::InvalidArgumentError("")), Exit::kUsage);
  EXPECT_EQ(ExitOf(absl::NotFoundError("")), Exit::kUsage);
  EXPECT_EQ(ExitOf(absl::PermissionDeniedError("")), Exit::kUsage);
  EXPECT_EQ(ExitOf(absl::InternalError("")), Exit::kFault);
  EXPECT_EQ(ExitOf(absl::ResourceExhaustedError("")), Exit::kFault);
  EXPECT_EQ(ExitOf(absl::FailedPreconditionError("")), Exit::kFault);
}

}  // namespace
}  // namespace mmdiff
