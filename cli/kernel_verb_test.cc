// kernel: builds with a stand-in for the kernel's build, in a cache of the test's own.
#include <algorithm>
#include <string>
#include <utility>

#include "cli/shell_for_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;
using testing::Not;

class KernelVerb : public ShellTest {
 protected:
  void SetUp() override {
    ShellTest::SetUp();
    // Builds an executable that is a script, and writes down how it was called.
    Write("build.sh",
          "#!/bin/bash\n"
          "echo \"$*\" >>\"$CALLS\"\n"
          "while [ $# -gt 0 ]; do\n"
          "  case $1 in --out) out=$2 ;; --tree) tree=$2 ;; esac\n"
          "  shift\n"
          "done\n"
          "mkdir -p \"$out/build\"\n"
          "printf '  GEN     x\\n  CC      mm/memory.o\\n' >\"$out/build.log\"\n"
          "if [ -n \"$UNTIL\" ]; then\n"
          "  touch \"$out/begun\"\n"
          "  for i in $(seq 1000); do [ -e \"$UNTIL\" ] && break; sleep 0.05; done\n"
          "fi\n"
          "[ -z \"$FAIL\" ] || { echo \"$FAIL\" >&2; exit 1; }\n"
          "printf '#!/bin/sh\\nexit 1\\n' >\"$out/linux\"\n"
          "chmod +x \"$out/linux\"\n"
          "sed -n 's/^VERSION = //p' \"$tree/Makefile\" >\"$out/release\"\n");
    // A small kernel tree, a Debian package of it and a git tree.
    ASSERT_EQ(Shell("chmod +x build.sh && mkdir -p linux/mm linux/arch/um src && "
                    "echo 'VERSION = 6.12.9' >linux/Makefile && touch linux/Kconfig && "
                    "echo 'int x;' >linux/mm/memory.c && cp -r linux repo && "
                    "tar -cJf src/linux-source-6.12.tar.xz linux && "
                    "find linux -exec touch -d '1 hour ago' {} +")
                  .exit,
              0);
  }
  std::string Environment() const {
    return "export MMDIFF_KERNELS='" + dir_ + "/cache' MMDIFF_KERNEL_BUILD_SH='" + dir_ +
           "/build.sh' MMDIFF_LINUX_SOURCE_DIR='" + dir_ + "/src' MMDIFF_APT_ETC='" + dir_ +
           "/nowhere' CALLS='" + dir_ +
           "/calls' GIT_CONFIG_GLOBAL=/dev/null; unset MMDIFF_NO_BUILD MMDIFF_BUILD_JOBS; ";
  }
  // Runs the program with `variables` such as FAIL=x before it.
  ShellResult Kernel(const std::string& arguments, const std::string& variables = "") const {
    return Shell(Environment() + variables + " '" + MMDIFF_PROGRAM + "' " + arguments);
  }
  // Waits until a command succeeds, for half a minute at most.
  static std::string WaitFor(const std::string& command) {
    return "for i in $(seq 600); do " + command + " && break; sleep 0.05; done; ";
  }
  size_t Calls() const {
    const std::string calls = Read("calls");
    return static_cast<size_t>(std::count(calls.begin(), calls.end(), '\n'));
  }
};

TEST_F(KernelVerb, BuildsTheDefaultOnce) {
  const ShellResult first = Kernel("kernel build --json");
  ASSERT_EQ(first.exit, 0) << first.err;
  const auto json = Json(first);
  EXPECT_EQ(json["name"], "6.12");
  EXPECT_EQ(json["release"], "6.12.9");
  EXPECT_EQ(json["up_to_date"], false);
  EXPECT_EQ(json["executable"], dir_ + "/cache/builds/6.12/linux");
  EXPECT_THAT(first.err, HasSubstr("unpacking " + dir_ + "/src/linux-source-6.12.tar.xz"));
  EXPECT_THAT(first.err, HasSubstr("building 6.12"));
  EXPECT_THAT(Read("calls"),
              HasSubstr("--tree " + dir_ + "/cache/sources/linux-source-6.12 --out " + dir_ +
                        "/cache/builds/6.12 --jobs "));

  EXPECT_EQ(Json(Kernel("kernel build --debian 6.12 --json"))["up_to_date"], true);
  EXPECT_THAT(Kernel("kernel build").out, HasSubstr("6.12 (Linux 6.12.9) is up to date"));
  // The source need not stay.
  ASSERT_EQ(Kernel("kernel remove linux-source-6.12").exit, 0);
  EXPECT_EQ(Json(Kernel("kernel build --json"))["up_to_date"], true);
  EXPECT_EQ(Calls(), 1u);
  // What mmdiff puts in counts as an input.
  ASSERT_EQ(Shell("echo '# changed' >>build.sh").exit, 0);
  EXPECT_EQ(Json(Kernel("kernel build --json"))["up_to_date"], false);
  EXPECT_EQ(Calls(), 2u);

  const auto list = Json(Kernel("kernel list --json"));
  ASSERT_EQ(list["builds"].size(), 1u);
  EXPECT_EQ(list["builds"][0]["name"], "6.12");
  EXPECT_EQ(list["builds"][0]["debug_vm"], true);
  EXPECT_THAT(list["builds"][0]["origin"].get<std::string>(), HasSubstr("linux-source-6.12 from"));
  EXPECT_EQ(list["sources"][0]["name"], "linux-source-6.12");
  EXPECT_THAT(Kernel("kernel list").out, HasSubstr("6.12.9"));
}

TEST_F(KernelVerb, FlavoursAreBuildsOfTheirOwn) {
  Write("more.config", "CONFIG_X=y\n");
  const std::string flags = " --kasan --no-debug-vm --coverage --config more.config --jobs 3";
  const auto json = Json(Kernel("kernel build --json" + flags));
  EXPECT_EQ(json["name"], "6.12+kasan+coverage+nodebug+config-more");
  EXPECT_THAT(Read("calls"), HasSubstr("--kasan --no-debug-vm --coverage --config " + dir_ +
                                       "/more.config --jobs 3\n"));
  EXPECT_EQ(Json(Kernel("kernel build --json --debug-vm"))["name"], "6.12");
  EXPECT_EQ(Json(Kernel("kernel build --json" + flags))["up_to_date"], true);
  Write("more.config", "CONFIG_Y=y\n");
  EXPECT_EQ(Json(Kernel("kernel build --json" + flags))["up_to_date"], false);
  EXPECT_EQ(Json(Kernel("kernel list --json"))["builds"].size(), 2u);
}

TEST_F(KernelVerb, ATreeIsOnlyRead) {
  const std::string look = "find linux -printf '%p %T@ %C@ %s\\n' | sort | sha256sum";
  const std::string before = Shell(look).out;
  const ShellResult first = Kernel("kernel build --tree linux/ --json");
  ASSERT_EQ(first.exit, 0) << first.err;
  const std::string name = Json(first)["name"];
  EXPECT_THAT(name, testing::StartsWith("tree-linux-"));
  EXPECT_THAT(Read("calls"), HasSubstr("--tree " + dir_ + "/linux --out"));
  EXPECT_EQ(Shell(look).out, before);
  // Every time, in case something has changed that no time shows; the kernel's own build is quick.
  EXPECT_EQ(Json(Kernel("kernel build --tree '" + dir_ + "/linux' --json"))["name"], name);
  EXPECT_EQ(Calls(), 2u);

  const ShellResult none = Kernel("kernel build --tree src");
  EXPECT_EQ(none.exit, 2);
  EXPECT_THAT(none.err, HasSubstr("--tree takes the root of a kernel tree"));
}

TEST_F(KernelVerb, ARevisionOfAGitTree) {
  ASSERT_EQ(Shell(Environment() +
                  "cd repo && git init -q && touch arch/um/Makefile && git add . && "
                  "git -c user.name=a -c user.email=a@a.example commit -qm one && git tag v1 && "
                  "echo 'VERSION = edited' >Makefile")
                .exit,
            0);
  EXPECT_EQ(Kernel("kernel build --rev v1").exit, 2);
  EXPECT_THAT(Kernel("kernel build --rev v1").err, HasSubstr("--rev needs --git DIR"));
  EXPECT_THAT(Kernel("kernel build --rev v2 --git repo").err, HasSubstr("'v2' is no commit"));
  const ShellResult built = Kernel("kernel build --rev v1 --git repo --json");
  ASSERT_EQ(built.exit, 0) << built.err;
  const auto json = Json(built);
  EXPECT_THAT(json["name"].get<std::string>(), testing::MatchesRegex("rev-[0-9a-f]{12}"));
  EXPECT_EQ(json["release"], "6.12.9") << "the work tree was built, not the revision";
  // Now the git tree is known; and inside it, it is the one that is meant.
  EXPECT_EQ(Json(Kernel("kernel build --rev HEAD --json"))["name"], json["name"]);
  EXPECT_EQ(Json(Shell(Environment() + "cd repo/mm && '" + MMDIFF_PROGRAM +
                       "' kernel build --rev v1 --json"))["up_to_date"],
            true);
  EXPECT_EQ(Calls(), 1u);
}

TEST_F(KernelVerb, AFailedBuildIsNoBuild) {
  ASSERT_EQ(Kernel("kernel build").exit, 0);
  ASSERT_EQ(Shell("echo '# changed' >>build.sh").exit, 0);
  const ShellResult failed = Kernel("kernel build --json", "FAIL='mm/memory.c:1: error: x'");
  EXPECT_EQ(failed.exit, 3);
  EXPECT_THAT(failed.err, HasSubstr("building the kernel 6.12 failed:\nmm/memory.c:1: error: x"));
  EXPECT_THAT(failed.err, HasSubstr("/cache/builds/6.12/build.log"));
  EXPECT_EQ(Json(failed)["exit"], 3);
  // The old executable is not taken for the new one.
  EXPECT_TRUE(Json(Kernel("kernel list --json"))["builds"].empty());
  EXPECT_THAT(Kernel("kernel build", "FAIL='cc: No space left on device'").err,
              HasSubstr("set MMDIFF_KERNELS"));
  EXPECT_EQ(Kernel("kernel build").exit, 0);
}

TEST_F(KernelVerb, AnInterruptedBuildIsNoBuild) {
  const ShellResult result =
      Shell(Environment() + "UNTIL=never '" + MMDIFF_PROGRAM + "' kernel build & p=$!; " +
            WaitFor("[ -e cache/builds/6.12/begun ]") + "kill -TERM $p; wait $p");
  EXPECT_EQ(result.exit, 3);
  EXPECT_THAT(Kernel("kernel list --json").out, HasSubstr("\"builds\": []"));
  // Nothing of it goes on, so the next one need not wait.
  EXPECT_EQ(Kernel("kernel build").exit, 0);
}

TEST_F(KernelVerb, TwoAtOnceBuildOnce) {
  const std::string build = std::string("UNTIL=go '") + MMDIFF_PROGRAM + "' kernel build ";
  const ShellResult both =
      Shell(Environment() + build + "& p=$!; " + WaitFor("[ -e cache/builds/6.12/begun ]") + build +
            "2>second & q=$!; " + WaitFor("grep -q 'another process builds 6.12' second") +
            "touch go; wait $p && wait $q");
  EXPECT_EQ(both.exit, 0) << both.err << Read("second");
  EXPECT_THAT(Read("second"), HasSubstr("another process builds 6.12; waiting for it"));
  EXPECT_THAT(both.out, HasSubstr("is up to date"));
  EXPECT_EQ(Calls(), 1u);
}

TEST_F(KernelVerb, RunBuildsWhatItNeeds) {
  Write("a.mmdiff", kGoodProgram);
  const ShellResult missing = Kernel("run a.mmdiff --impl reference,linux", "MMDIFF_NO_BUILD=1");
  EXPECT_EQ(missing.exit, 2) << missing.err;
  EXPECT_THAT(missing.err, HasSubstr("./mmdiff kernel build --debian 6.12"));
  EXPECT_EQ(Calls(), 0u);
  const std::string run = "run a.mmdiff --impl reference,linux";
  EXPECT_THAT(Kernel(run).err, HasSubstr("building 6.12"));
  EXPECT_THAT(Kernel(run).err, Not(HasSubstr("building")));
  EXPECT_EQ(Calls(), 1u);
  // Others are built on demand only.
  const ShellResult other = Kernel("run a.mmdiff --impl reference,linux:7.2+kasan");
  EXPECT_EQ(other.exit, 2);
  EXPECT_THAT(other.err, HasSubstr("./mmdiff kernel build --debian 7.2 --kasan"));
  EXPECT_EQ(Calls(), 1u);
}

TEST_F(KernelVerb, FuzzBuildsWithCoverageIfItCan) {
  // What follows cannot fuzz: there is no such worker. The kernel is built before.
  const std::string fuzz = "fuzz --impl reference,linux --worker /nowhere --time 1";
  ASSERT_EQ(Shell("mkdir with without && ln -s -t without /usr/bin/* && rm -f without/clang-19 && "
                  "ln -s /bin/true with/clang-19")
                .exit,
            0);
  const ShellResult without = Kernel(fuzz, "PATH=\"$PWD/without\"");
  EXPECT_THAT(without.err, HasSubstr("apt-get install clang-19"));
  EXPECT_THAT(without.err, HasSubstr("building 6.12,"));
  EXPECT_THAT(Read("calls"), Not(HasSubstr("--coverage")));
  EXPECT_THAT(Kernel(fuzz, "PATH=\"$PWD/with:$PWD/without\"").err,
              HasSubstr("building 6.12+coverage,"));
  EXPECT_THAT(Read("calls"), HasSubstr("--coverage"));
  EXPECT_EQ(Calls(), 2u);
  EXPECT_THAT(Kernel(fuzz, "PATH=\"$PWD/with:$PWD/without\"").err, Not(HasSubstr("building")));
  // The same flavour otherwise; one with KASAN is left as it is.
  Kernel("kernel build --kasan");
  Kernel("kernel build --no-debug-vm");
  Kernel("fuzz --impl reference,linux:6.12+kasan,linux:6.12+nodebug --worker /nowhere",
         "PATH=\"$PWD/with:$PWD/without\"");
  EXPECT_EQ(Calls(), 5u);
  EXPECT_THAT(Read("calls"), HasSubstr("6.12+coverage+nodebug"));
  EXPECT_THAT(Read("calls"), Not(HasSubstr("6.12+kasan+coverage")));
}

TEST_F(KernelVerb, RunBuildsAChangedTreeAnew) {
  Write("a.mmdiff", kGoodProgram);
  ASSERT_EQ(Kernel("kernel build --tree linux").exit, 0);
  const std::string run = "run a.mmdiff --impl reference,linux:./linux";
  EXPECT_THAT(Kernel(run).err, Not(HasSubstr("out of date")));
  EXPECT_EQ(Calls(), 1u);
  Write("linux/mm/memory.c", "int y;\n");
  EXPECT_THAT(Kernel(run, "MMDIFF_NO_BUILD=1").err,
              HasSubstr("is out of date: mm/memory.c has changed"));
  EXPECT_EQ(Calls(), 1u);
  EXPECT_THAT(Kernel(run).err, HasSubstr("mm/memory.c has changed"));
  EXPECT_EQ(Calls(), 2u);
  // A build that fails ends the verb: nobody tests the kernel of before.
  Write("linux/mm/memory.c", "int z;\n");
  const ShellResult failed = Kernel(run, "FAIL=broken");
  EXPECT_EQ(failed.exit, 3);
  EXPECT_THAT(failed.err, HasSubstr("failed:\nbroken"));
}

TEST_F(KernelVerb, RemovesOnlyItsOwn) {
  ASSERT_EQ(Kernel("kernel build").exit, 0);
  ASSERT_EQ(Kernel("kernel build --kasan").exit, 0);
  ASSERT_EQ(Kernel("kernel build --tree linux").exit, 0);
  EXPECT_EQ(Kernel("kernel remove 6.12+kasan").exit, 0);
  EXPECT_EQ(Kernel("kernel remove ./linux").exit, 0);
  EXPECT_EQ(Json(Kernel("kernel list --json"))["builds"].size(), 1u);
  EXPECT_EQ(Shell("test -f linux/mm/memory.c").exit, 0);
  EXPECT_EQ(Kernel("kernel remove 7.2").exit, 2);
  EXPECT_EQ(Kernel("kernel remove ..").exit, 2);
  const ShellResult outside = Kernel("kernel remove ./build.sh");
  EXPECT_EQ(outside.exit, 2);
  EXPECT_THAT(outside.err, HasSubstr("is left alone"));
  EXPECT_EQ(Shell("test -f build.sh").exit, 0);
  // What was never completed can be removed too.
  EXPECT_EQ(Kernel("kernel build", "FAIL=x").exit, 0) << "up to date";
  EXPECT_EQ(Kernel("kernel build --coverage", "FAIL=x").exit, 3);
  EXPECT_EQ(Kernel("kernel remove 6.12+coverage").exit, 0);
  EXPECT_EQ(Kernel("kernel remove 6.12").exit, 0);
  EXPECT_EQ(Kernel("kernel remove linux-source-6.12").exit, 0);
  EXPECT_EQ(Shell("find cache -mindepth 2 ! -name .lock | grep .").exit, 1);
}

TEST_F(KernelVerb, WrongArgumentsSayWhatIsRight) {
  const std::pair<const char*, const char*> kWrong[] = {
      {"kernel biuld", "did you mean 'build'?"},
      {"kernel build x", "takes no more words"},
      {"kernel remove", "takes one name"},
      {"kernel build --debian six", "6.12, 7.2, 7.3"},
      {"kernel fetch --debian 7.2.1", "6.12, 7.2, 7.3"},
      {"kernel build --debian 7.2 --tree linux", "exclude each other"},
      {"kernel build --debug-vm --no-debug-vm", "exclude each other"},
      {"kernel build --git repo", "--git goes with --rev"},
      {"kernel build --config nowhere", "nowhere"},
      {"kernel list --kasan", "--kasan does nothing"},
      {"kernel doctor --debian 7.2", "--debian does nothing"},
      {"kernel build --jobs 5000", "--jobs"},
  };
  for (const auto& [arguments, message] : kWrong) {
    const ShellResult result = Kernel(arguments);
    EXPECT_EQ(result.exit, 2) << arguments << result.err;
    EXPECT_THAT(result.err, HasSubstr(message)) << arguments;
  }
  EXPECT_EQ(Calls(), 0u);
  const ShellResult place = Kernel("kernel build", "MMDIFF_KERNELS=/proc/nowhere");
  EXPECT_NE(place.exit, 0);
  EXPECT_THAT(place.err, HasSubstr("MMDIFF_KERNELS"));
  const ShellResult gone = Kernel("kernel build --debian 7.2");
  EXPECT_EQ(gone.exit, 3);
  EXPECT_THAT(gone.err, HasSubstr("--tree"));
}

TEST_F(KernelVerb, DoctorNamesARemedyForWhatIsMissing) {
  const ShellResult result = Kernel("kernel doctor --json");
  const auto json = Json(result);
  EXPECT_EQ(result.exit, json["missing"] == 0 ? 0 : 3);
  ASSERT_GT(json["checks"].size(), 10u);
  for (const auto& check : json["checks"]) {
    EXPECT_EQ(check.value("remedy", "").empty(), check["state"] == "ok") << check;
  }
  EXPECT_THAT(result.out, HasSubstr("kernel build; ./mmdiff fuzz --impl reference,linux"));
  const ShellResult bare = Kernel("kernel doctor", "PATH=/nowhere");
  EXPECT_EQ(bare.exit, 3);
  EXPECT_THAT(bare.out, HasSubstr("apt-get install -y --no-install-recommends flex"));
}

TEST_F(KernelVerb, FetchGivesTheSource) {
  const ShellResult result = Kernel("kernel fetch --debian 6.12");
  ASSERT_EQ(result.exit, 0) << result.err;
  EXPECT_EQ(result.out, dir_ + "/cache/sources/linux-source-6.12\n");
  EXPECT_EQ(Read("cache/sources/linux-source-6.12/mm/memory.c"), "int x;\n");
}

}  // namespace
}  // namespace mmdiff
