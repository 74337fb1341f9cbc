// The program from the outside: every verb, its JSON, its exit codes and its messages for bad
// input.
#include <string>

#include "cli/flag_docs.h"
#include "cli/shell_for_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class Cli : public ShellTest {};

TEST_F(Cli, RunAgrees) {
  Write("a.mmdiff", kGoodProgram);
  const ShellResult text = Mmdiff("run a.mmdiff");
  EXPECT_EQ(text.exit, 0) << text.out << text.err;
  EXPECT_THAT(text.out, HasSubstr("1 programs, 3 operations: 1 agree, 0 do not"));
  const auto json = Json(Mmdiff("run a.mmdiff --json"));
  EXPECT_EQ(json["programs"], 1);
  EXPECT_EQ(json["operations"], 3);
  EXPECT_EQ(json["failed"], 0);
  EXPECT_EQ(json["results"][0]["outcome"], "ok");
}

TEST_F(Cli, RunReportsWhatTheTextExpectedInVain) {
  Write("a.mmdiff", "# mmdiff 1\nworld\nm0 = mm\nwrite m0 0x10 8 # => ok 8\n");
  const ShellResult result = Mmdiff("run a.mmdiff --json");
  EXPECT_EQ(result.exit, 1);
  const auto json = Json(result);
  EXPECT_EQ(json["results"][0]["outcome"], "expectation");
  EXPECT_EQ(json["results"][0]["op_index"], 1);
}

TEST_F(Cli, RunIsolatedGivesTheSameAnswer) {
  Write("a.mmdiff", kGoodProgram);
  const auto json = Json(Mmdiff("run a.mmdiff --isolate --json"));
  EXPECT_EQ(json["results"][0]["outcome"], "ok");
}

TEST_F(Cli, RunTraceIsTheSameEachTime) {
  Write("a.mmdiff", kGoodProgram);
  const ShellResult once = Mmdiff("run a.mmdiff --trace");
  EXPECT_EQ(once.exit, 0);
  EXPECT_THAT(once.out, HasSubstr("write m0 0x10 8"));
  EXPECT_EQ(once.out, Mmdiff("run a.mmdiff --trace").out);
}

TEST_F(Cli, RunTakesDirectoriesAndStandardInput) {
  ASSERT_EQ(Shell("mkdir -p d/e").exit, 0);
  Write("d/a.mmdiff", kGoodProgram);
  Write("d/e/b.mmdiff", kGoodProgram);
  Write("d/ignored.txt", "not a program");
  EXPECT_EQ(Json(Mmdiff("run d --json"))["programs"], 2);
  const ShellResult piped =
      Shell(std::string("cat d/a.mmdiff | '") + MMDIFF_PROGRAM + "' run - --json");
  EXPECT_EQ(Json(piped)["programs"], 1);
}

TEST_F(Cli, BadProgramsNameFileLineAndColumn) {
  Write("a.mmdiff", "# mmdiff 1\nworld\nm0 = mm\nwrte m0 0x10 8\n");
  for (const char* verb : {"run", "minimize", "explain", "repro", "fmt"}) {
    const ShellResult result = Mmdiff(std::string(verb) + " a.mmdiff");
    EXPECT_EQ(result.exit, 2) << verb;
    EXPECT_THAT(result.err, HasSubstr("a.mmdiff:4:1:")) << verb;
    EXPECT_THAT(result.out, IsEmpty()) << verb;
  }
}

TEST_F(Cli, MissingFilesAreUsageErrors) {
  for (const char* verb : {"run", "minimize", "explain", "repro", "fmt", "import"}) {
    const ShellResult result = Mmdiff(std::string(verb) + " nowhere --json");
    EXPECT_EQ(result.exit, 2) << verb;
    EXPECT_THAT(result.err, HasSubstr("nowhere")) << verb;
    const auto json = Json(result);
    EXPECT_EQ(json["exit"], 2) << verb;
    EXPECT_THAT(json["error"].get<std::string>(), HasSubstr("nowhere")) << verb;
  }
}

TEST_F(Cli, UnknownImplementationsSayHowToFindThem) {
  Write("a.mmdiff", kGoodProgram);
  for (const char* verb : {"run", "minimize", "explain", "repro"}) {
    const ShellResult result = Mmdiff(std::string(verb) + " a.mmdiff --impl reference,modle");
    EXPECT_EQ(result.exit, 2) << verb;
    EXPECT_THAT(result.err, HasSubstr("modle")) << verb;
    EXPECT_THAT(result.err, HasSubstr("mmdiff list impls")) << verb;
  }
}

TEST_F(Cli, MinimizeRefusesAProgramWithoutFinding) {
  Write("a.mmdiff", kGoodProgram);
  const ShellResult result = Mmdiff("minimize a.mmdiff");
  EXPECT_EQ(result.exit, 2);
  EXPECT_THAT(result.err, HasSubstr("shows no finding"));
}

TEST_F(Cli, ExplainTellsOfAgreement) {
  Write("a.mmdiff", kGoodProgram);
  EXPECT_EQ(Mmdiff("explain a.mmdiff").exit, 0);
  const auto json = Json(Mmdiff("explain a.mmdiff --json"));
  EXPECT_EQ(json["outcome"], "ok");
}

TEST_F(Cli, ReproForms) {
  Write("a.mmdiff", kGoodProgram);
  EXPECT_THAT(Mmdiff("repro a.mmdiff").out, HasSubstr("write m0 0x10 8"));
  EXPECT_THAT(Mmdiff("repro a.mmdiff --form gtest --name Mine").out, HasSubstr("Mine"));
  EXPECT_EQ(Json(Mmdiff("repro a.mmdiff --form c --json"))["form"], "c");
  ASSERT_EQ(Mmdiff("repro a.mmdiff --form c --output a.c").exit, 0);
  const ShellResult compiled = Shell("gcc -Wall -Wextra -Werror a.c -o a");
  EXPECT_EQ(compiled.exit, 0) << compiled.err;
  EXPECT_EQ(Mmdiff("repro a.mmdiff --form cobol").exit, 2);
  EXPECT_EQ(Mmdiff("repro a.mmdiff --form gtest --name 'a b'").exit, 2);
}

TEST_F(Cli, FmtChecksAndRewrites) {
  Write("a.mmdiff", "# mmdiff 1\n# why this is here\nworld\nm0   = mm\nmap m0 16 8 rw anon 0\n");
  EXPECT_EQ(Mmdiff("fmt --check a.mmdiff").exit, 1);
  EXPECT_EQ(Json(Mmdiff("fmt --check a.mmdiff --json"))["not_canonical"].size(), 1u);
  ASSERT_EQ(Mmdiff("fmt --write a.mmdiff").exit, 0);
  EXPECT_EQ(Read("a.mmdiff"), "# mmdiff 1\n# why this is here\nworld\nm0 = mm\nmap m0 0x10 8 rw\n");
  EXPECT_EQ(Mmdiff("fmt --check a.mmdiff").exit, 0);
  EXPECT_EQ(Mmdiff("fmt a.mmdiff").out, Read("a.mmdiff"));
  EXPECT_EQ(Mmdiff("fmt --check --write a.mmdiff").exit, 2);
}

TEST_F(Cli, FmtNeverLosesComments) {
  const std::string text = "# mmdiff 1\nworld\nm0   = mm\n# in between\nmap m0 0x10 8 rw\n";
  Write("a.mmdiff", text);
  const ShellResult result = Mmdiff("fmt --write a.mmdiff");
  EXPECT_EQ(result.exit, 2);
  EXPECT_EQ(Read("a.mmdiff"), text);
}

TEST_F(Cli, FmtCarriesProgramsOverToAnotherWorld) {
  const std::string small =
      "# mmdiff 1\n# across a boundary\nworld cpus=4\nm0 = mm\nmap m0 0x3e 4 rw # => ok\n"
      "write m0 0x3f 2 @cpu3\n#? m0 0x40 present write vma_start=0x3e\n";
  const std::string large =
      "# mmdiff 1\n# across a boundary\nworld table=512 cpus=4\nm0 = mm\n"
      "map m0 0x3fe 4 rw # => ok\nwrite m0 0x3ff 2 @cpu3\n"
      "#? m0 0x400 present write vma_start=0x3fe\n";
  Write("a.mmdiff", small);
  EXPECT_EQ(Mmdiff("fmt --world table=512 a.mmdiff").out, large);
  EXPECT_EQ(Mmdiff("fmt --world table=512 --check a.mmdiff").exit, 1);
  ASSERT_EQ(Mmdiff("fmt --world table=512 --write a.mmdiff").exit, 0);
  EXPECT_EQ(Read("a.mmdiff"), large);
  EXPECT_EQ(Mmdiff("fmt --world table=512 --check a.mmdiff").exit, 0);
  EXPECT_EQ(Mmdiff("run a.mmdiff").exit, 0);
  EXPECT_EQ(Mmdiff("fmt --world table=32 a.mmdiff").out, small);
  const ShellResult cpus = Mmdiff("fmt --world cpus=2 a.mmdiff");
  EXPECT_EQ(cpus.exit, 2);
  EXPECT_THAT(cpus.err, HasSubstr("a.mmdiff: --world: operation 2 (write): cpu 3 does not exist"));
  EXPECT_THAT(Mmdiff("fmt --world table=48 a.mmdiff").err, HasSubstr("not a power of two"));
}

TEST_F(Cli, GenIsDeterministicAndRuns) {
  const ShellResult once = Mmdiff("gen --seed 7 --ops 40 --count 3 --output d");
  ASSERT_EQ(once.exit, 0) << once.err;
  EXPECT_EQ(Json(Mmdiff("run d --json"))["programs"], 3);
  EXPECT_EQ(Mmdiff("gen --seed 7").out, Mmdiff("gen --seed 7").out);
  EXPECT_NE(Mmdiff("gen --seed 7").out, Mmdiff("gen --seed 8").out);
  EXPECT_EQ(Json(Mmdiff("gen --count 4 --json"))["texts"].size(), 4u);
  EXPECT_THAT(Mmdiff("gen --world 'table=16 cpus=1 orders=0,2'").out, HasSubstr("table=16"));
}

TEST_F(Cli, GenRefusesWhatCannotBe) {
  EXPECT_EQ(Mmdiff("gen --count 0").exit, 2);
  EXPECT_EQ(Mmdiff("gen --ops 0").exit, 2);
  EXPECT_EQ(Mmdiff("gen --ops 1000000").exit, 2);
  EXPECT_EQ(Mmdiff("gen --world table=3").exit, 2);
  EXPECT_EQ(Mmdiff("gen --world nonsense=3").exit, 2);
  const ShellResult fragment = Mmdiff("gen --fragment nonsense");
  EXPECT_EQ(fragment.exit, 2);
  EXPECT_THAT(fragment.err, HasSubstr("mmdiff list fragments"));
}

TEST_F(Cli, EveryFragmentGeneratesAProgramThatAgrees) {
  const auto fragments = Json(Mmdiff("list fragments --json"))["fragments"];
  ASSERT_GT(fragments.size(), 3u);
  for (const auto& fragment : fragments) {
    const std::string name = fragment["name"];
    ASSERT_EQ(Mmdiff("gen --fragment " + name + " --output f-" + name + ".mmdiff").exit, 0) << name;
  }
  const ShellResult result = Mmdiff("run . --json");
  EXPECT_EQ(result.exit, 0) << result.out;
}

TEST_F(Cli, ImportTurnsALogIntoPrograms) {
  Write("a.strace",
        "100 mmap(0x7f0000000000, 16384, PROT_READ|PROT_WRITE, "
        "MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0) = "
        "0x7f0000000000\n"
        "100 mprotect(0x7f0000000000, 4096, PROT_READ) = 0\n"
        "100 munmap(0x7f0000000000, 16384) = 0\n");
  const ShellResult result = Mmdiff("import a.strace --json");
  ASSERT_EQ(result.exit, 0) << result.err;
  const auto json = Json(result);
  EXPECT_EQ(json["used"], 3);
  EXPECT_EQ(json["programs"], 1);
  EXPECT_THAT(json["texts"][0].get<std::string>(), HasSubstr("protect"));
  ASSERT_EQ(Mmdiff("import a.strace --output a.mmdiff").exit, 0);
  EXPECT_EQ(Mmdiff("run a.mmdiff").exit, 0);
  Write("bad", "this is no log\n");
  EXPECT_EQ(Mmdiff("import bad").exit, 2);
}

TEST_F(Cli, CorpusStats) {
  Write("a.mmdiff", kGoodProgram);
  const auto json = Json(Mmdiff("corpus stats . --json"));
  EXPECT_EQ(json["programs"], 1);
  EXPECT_EQ(json["outcomes"]["write"]["ok"], 1);
  EXPECT_EQ(Mmdiff("corpus stats .").exit, 0);
  EXPECT_EQ(Mmdiff("corpus shrink .").exit, 2);
  EXPECT_EQ(Mmdiff("corpus distil .").exit, 2) << "without --output";
}

TEST_F(Cli, CorpusSeedsAreBinaryFiles) {
  Write("a.mmdiff", kGoodProgram);
  EXPECT_EQ(Json(Mmdiff("corpus seeds . --output seeds --json"))["programs"], 1);
  EXPECT_EQ(Shell("ls seeds | wc -l").out, "1\n");
}

TEST_F(Cli, ListPrintsEveryTable) {
  const auto tables = Json(Mmdiff("list --json"))["tables"];
  ASSERT_GT(tables.size(), 9u);
  for (const auto& table : tables) {
    const std::string name = table["name"];
    const ShellResult text = Mmdiff("list " + name);
    EXPECT_EQ(text.exit, 0) << name;
    EXPECT_GT(text.out.size(), 20u) << name;
    EXPECT_FALSE(Json(Mmdiff("list " + name + " --json"))[name].empty()) << name;
  }
  const ShellResult wrong = Mmdiff("list nonsense");
  EXPECT_EQ(wrong.exit, 2);
  EXPECT_THAT(wrong.err, HasSubstr("switches"));
}

TEST_F(Cli, CommandsPageIsUpToDate) {
  std::ifstream page(std::string(MMDIFF_SOURCE_DIR) + "/docs/commands.md");
  std::ostringstream text;
  text << page.rdbuf();
  EXPECT_EQ(text.str(), CommandsMarkdown())
      << "write it anew: mmdiff list commands > docs/commands.md";
}

TEST_F(Cli, CompletionScriptsAreValid) {
  ASSERT_EQ(Mmdiff("completion bash > c.bash").exit, 0);
  EXPECT_EQ(Shell("bash -n c.bash").exit, 0);
  EXPECT_EQ(Shell("bash -c 'source c.bash; COMP_WORDS=(mmdiff mut); COMP_CWORD=1; _mmdiff; echo "
                  "${COMPREPLY[@]}'")
                .out,
            "mutants\n");
  EXPECT_EQ(Shell("bash -c 'source c.bash; COMP_WORDS=(mmdiff fuzz --sto); COMP_CWORD=2; _mmdiff; "
                  "echo ${COMPREPLY[@]}'")
                .out,
            "--stop-on-first\n");
  for (const char* shell : {"zsh", "fish"}) {
    const ShellResult script = Mmdiff(std::string("completion ") + shell);
    EXPECT_EQ(script.exit, 0);
    EXPECT_THAT(script.out, HasSubstr("stop-on-first"));
    EXPECT_FALSE(Json(Mmdiff(std::string("completion --json ") + shell)).empty());
  }
  EXPECT_EQ(Mmdiff("completion tcsh").exit, 2);
}

TEST_F(Cli, DoctorNamesARemedyForWhatIsMissing) {
  const ShellResult result = Mmdiff("doctor --json");
  const auto json = Json(result);
  EXPECT_EQ(result.exit, json["missing"] == 0 ? 0 : 3);
  ASSERT_GT(json["checks"].size(), 10u);
  for (const auto& check : json["checks"]) {
    EXPECT_EQ(check.value("remedy", "").empty(), check["state"] == "ok") << check;
  }
  // Without a compiler in the path it says so.
  const ShellResult bare =
      Shell(std::string("PATH=/nowhere '") + MMDIFF_PROGRAM + "' doctor --json");
  EXPECT_EQ(bare.exit, 3);
  EXPECT_THAT(bare.out, HasSubstr("apt-get install -y --no-install-recommends clang-14"));
}

TEST_F(Cli, UnwritablePlacesAreUsageErrors) {
  Write("a.mmdiff", kGoodProgram);
  Write("file", "");
  const char* arguments[] = {
      "gen --output /proc/nowhere/x",
      "gen --count 2 --output file/x",
      "repro a.mmdiff --output /proc/nowhere/x",
      "corpus seeds . --output /proc/nowhere/x",
      "explain a.mmdiff --output /proc/nowhere/x",
  };
  for (const char* a : arguments) {
    const ShellResult result = Mmdiff(a);
    EXPECT_NE(result.exit, 0) << a;
    EXPECT_THAT(result.err, HasSubstr("cannot")) << a;
  }
}

TEST_F(Cli, LostOutputIsNoSuccess) {
  EXPECT_EQ(Shell(std::string("'") + MMDIFF_PROGRAM + "' list relations > /dev/full").exit, 3);
}

}  // namespace
}  // namespace mmdiff
