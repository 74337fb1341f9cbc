// Builds by name, path and revision in a cache of the test's own, and what is said when there is
// none.
#include "kernel/builds.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernel/build_record.h"
#include "kernel/git_revision.h"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class KernelBuilds : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "mmdiff-builds-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = fs::canonical(pattern).string();
    setenv("MMDIFF_KERNELS", (dir_ + "/cache").c_str(), 1);
    setenv("HOME", dir_.c_str(), 1);
  }
  void TearDown() override {
    std::error_code error;
    fs::remove_all(dir_, error);
  }

  void Write(const std::string& name, const std::string& text, mode_t mode = 0644) const {
    const std::string path = dir_ + "/" + name;
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
  }
  std::string Tree(const std::string& name) const {
    for (const char* file : {"Makefile", "Kconfig", "mm/memory.c", "arch/um/Makefile"}) {
      Write(name + "/" + file, "text\n");
    }
    return dir_ + "/" + name;
  }
  // A complete build, with an executable of text.
  KernelBuild Built(const KernelSource& source, const KernelFlavour& flavour = {}) const {
    KernelBuild build;
    build.name = KernelBuildName(source, flavour);
    build.source = source;
    build.flavour = flavour;
    build.release = "6.12.1";
    build.directory = *KernelBuildDirectory(build.name);
    build.executable = build.directory + "/linux";
    Write("cache/builds/" + build.name + "/linux", "#!/bin/sh\n", 0755);
    EXPECT_TRUE(DropKernelRecord(build.directory).ok());
    EXPECT_TRUE(WriteKernelRecord(build).ok());
    return build;
  }
  static KernelSource Debian(const std::string& version) {
    return {KernelSource::Kind::kDebian, version, "", "", ""};
  }
  static KernelSource OfTree(const std::string& path) {
    return {KernelSource::Kind::kTree, "", path, "", ""};
  }
  int Shell(const std::string& command) const {
    return std::system(("cd '" + dir_ + "' && { " + command + "; } >/dev/null 2>&1").c_str());
  }
  static std::string Message(const absl::StatusOr<KernelBuild>& build) {
    return build.ok() ? "found " + build->name : std::string(build.status().message());
  }

  std::string dir_;
};

TEST_F(KernelBuilds, NamesSayWhatIsDifferent) {
  EXPECT_EQ(KernelBuildName(Debian("6.12"), {}), "6.12");
  EXPECT_EQ(KernelBuildName(Debian("7.2"), {true, true, false, {"/a/my frag.config"}}),
            "7.2+kasan+coverage+nodebug+config-my_frag");
  KernelSource revision;
  revision.kind = KernelSource::Kind::kRevision;
  revision.commit = "0123456789abcdef0123456789abcdef01234567";
  EXPECT_EQ(KernelBuildName(revision, {}), "rev-0123456789ab");
  const std::string here = KernelBuildName(OfTree("/home/a/linux"), {});
  EXPECT_THAT(here, testing::MatchesRegex("tree-linux-[0-9a-f]{8}"));
  EXPECT_NE(here, KernelBuildName(OfTree("/home/b/linux"), {}));
}

TEST_F(KernelBuilds, TheCacheFollowsTheEnvironment) {
  EXPECT_EQ(*KernelCache(), dir_ + "/cache");
  unsetenv("MMDIFF_KERNELS");
  setenv("XDG_CACHE_HOME", "/x", 1);
  EXPECT_EQ(*KernelCache(), "/x/mmdiff/kernels");
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(*KernelCache(), dir_ + "/.cache/mmdiff/kernels");
  unsetenv("HOME");
  EXPECT_THAT(std::string(KernelCache().status().message()), HasSubstr("MMDIFF_KERNELS"));
  EXPECT_FALSE(FindKernelBuild("").ok());
  EXPECT_THAT(ListKernelBuilds(), IsEmpty());
}

TEST_F(KernelBuilds, ByVersion) {
  EXPECT_EQ(FindKernelBuild("").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(FindKernelBuild("")), HasSubstr("./mmdiff kernel build --debian 6.12"));
  EXPECT_THAT(Message(FindKernelBuild("7.2+nodebug+kasan+config-x")),
              HasSubstr("./mmdiff kernel build --debian 7.2 --kasan --no-debug-vm --config x"));
  Built(Debian("6.12"));
  const KernelBuild kasan = Built(Debian("7.2"), {true, false, false, {}});
  EXPECT_EQ(Message(FindKernelBuild("")), "found 6.12");
  EXPECT_EQ(Message(FindKernelBuild("6.12")), "found 6.12");
  // The order in which a flavour is written does not matter.
  for (const char* which : {"7.2+kasan+nodebug", "7.2+nodebug+kasan"}) {
    const absl::StatusOr<KernelBuild> found = FindKernelBuild(which);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->name, "7.2+kasan+nodebug");
    EXPECT_EQ(found->executable, kasan.executable);
    EXPECT_EQ(found->release, "6.12.1");
    EXPECT_TRUE(found->flavour.kasan);
    EXPECT_FALSE(found->flavour.debug_vm);
  }
  EXPECT_THAT(Message(FindKernelBuild("7.2")), HasSubstr("is not built"));
  EXPECT_THAT(Message(FindKernelBuild("5.4")), HasSubstr("known versions are 6.12, 7.2, 7.3"));
  EXPECT_THAT(Message(FindKernelBuild("5.4")), HasSubstr("built are 6.12, 7.2+kasan+nodebug"));
  EXPECT_EQ(FindKernelBuild("7.2+turbo").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FindKernelBuild("+kasan").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(KernelBuilds, WithCoverageWhereItIsWanted) {
  unsetenv("MMDIFF_KERNEL_COVERAGE");
  Built(Debian("6.12"));
  Built(Debian("6.12"), {false, true, true, {}});
  Built(Debian("7.2"));
  Built(Debian("7.3"), {false, true, true, {}});
  EXPECT_EQ(Message(FindKernelToRun("")), "found 6.12");
  setenv("MMDIFF_KERNEL_COVERAGE", "1", 1);
  EXPECT_EQ(Message(FindKernelToRun("")), "found 6.12+coverage");
  EXPECT_EQ(Message(FindKernelToRun("6.12+coverage")), "found 6.12+coverage");
  EXPECT_EQ(Message(FindKernelToRun("7.2")), "found 7.2");
  EXPECT_EQ(Message(FindKernelToRun("7.3")), "found 7.3+coverage");
  EXPECT_THAT(Message(FindKernelToRun("6.12+kasan")), HasSubstr("--debian 6.12 --kasan"));
  setenv("MMDIFF_KERNEL_COVERAGE", "0", 1);
  EXPECT_EQ(Message(FindKernelToRun("")), "found 6.12");
  unsetenv("MMDIFF_KERNEL_COVERAGE");
}

TEST_F(KernelBuilds, ByPath) {
  const std::string tree = Tree("linux");
  EXPECT_THAT(Message(FindKernelBuild(tree + "/")),
              HasSubstr("./mmdiff kernel build --tree " + tree));
  EXPECT_THAT(Message(FindKernelBuild("~/linux+kasan")),
              HasSubstr("./mmdiff kernel build --tree " + tree + " --kasan"));
  const KernelBuild plain = Built(OfTree(tree));
  const KernelBuild kasan = Built(OfTree(tree), {true, false, true, {}});
  ASSERT_EQ(symlink(tree.c_str(), (dir_ + "/link").c_str()), 0);
  for (const std::string& which : {tree, tree + "/", std::string("~/linux"), dir_ + "/link",
                                   dir_ + "/x/../linux", plain.directory, plain.name}) {
    EXPECT_EQ(Message(FindKernelBuild(which)), "found " + plain.name) << which;
  }
  EXPECT_EQ(Message(FindKernelBuild("~/linux+kasan")), "found " + kasan.name);
  const fs::path before = fs::current_path();
  fs::current_path(tree);
  EXPECT_EQ(Message(FindKernelBuild(".")), "found " + plain.name);
  EXPECT_EQ(Message(FindKernelBuild("../linux")), "found " + plain.name);
  fs::current_path(before);
  // A + in the path itself is no flavour.
  const KernelBuild plus = Built(OfTree(Tree("c++")));
  EXPECT_EQ(Message(FindKernelBuild("~/c++")), "found " + plus.name);

  EXPECT_THAT(Message(FindKernelBuild("~/nowhere")), HasSubstr(dir_ + "/nowhere is no executable"));
  Write("empty/file", "");
  EXPECT_THAT(Message(FindKernelBuild("~/empty")), HasSubstr("mm/memory.c is not there"));
  EXPECT_THAT(Message(FindKernelBuild("~/empty/file")), HasSubstr("is no executable"));
  EXPECT_THAT(Message(FindKernelBuild(Tree("with space"))),
              HasSubstr("--tree '" + dir_ + "/with space'"));
}

TEST_F(KernelBuilds, AnExecutableFromElsewhere) {
  Write("out/linux", "#!/bin/sh\n", 0755);
  Write("out/release", "7.3.0-rc7\n");
  for (const char* which : {"~/out/linux", "~/out"}) {
    const absl::StatusOr<KernelBuild> found = FindKernelBuild(which);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->executable, dir_ + "/out/linux");
    EXPECT_EQ(found->release, "7.3.0-rc7");
  }
}

TEST_F(KernelBuilds, ByRevision) {
  const std::string tree = Tree("repo");
  ASSERT_EQ(Shell("cd repo && git init -q && git add . && git -c user.name=a -c "
                  "user.email=a@a.example commit -qm one && git tag first"),
            0);
  const absl::StatusOr<std::string> commit = ResolveRevision(tree, "first");
  ASSERT_TRUE(commit.ok()) << commit.status();
  ASSERT_EQ(commit->size(), 40u);
  EXPECT_EQ(ResolveRevision(tree, "nope").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(ResolveRevision(tree, "--all").ok());
  EXPECT_FALSE(ResolveRevision(dir_ + "/nowhere", "first").ok());

  EXPECT_THAT(Message(FindKernelBuild("first")), HasSubstr("./mmdiff kernel build --rev first"));
  KernelSource source;
  source.kind = KernelSource::Kind::kRevision;
  source.path = tree;
  source.revision = "first";
  source.commit = *commit;
  const KernelBuild build = Built(source);
  const KernelBuild kasan = Built(source, {true, false, true, {}});
  for (const std::string& which :
       {std::string("first"), std::string("HEAD"), *commit, commit->substr(0, 9), build.name}) {
    EXPECT_EQ(Message(FindKernelBuild(which)), "found " + build.name) << which;
  }
  EXPECT_EQ(Message(FindKernelBuild("first+kasan")), "found " + kasan.name);
  // A name that has moved on is not the old kernel.
  ASSERT_EQ(Shell("cd repo && git -c user.name=a -c user.email=a@a.example commit --allow-empty "
                  "-qm two"),
            0);
  EXPECT_THAT(Message(FindKernelBuild("HEAD")),
              HasSubstr("./mmdiff kernel build --rev HEAD --git " + tree));
  EXPECT_EQ(Message(FindKernelBuild("first")), "found " + build.name);
  // Without the git tree the record is all there is.
  fs::remove_all(tree);
  EXPECT_EQ(Message(FindKernelBuild("first")), "found " + build.name);
  EXPECT_EQ(Message(FindKernelBuild(commit->substr(0, 9) + "+kasan")), "found " + kasan.name);
  EXPECT_THAT(Message(FindKernelBuild("second")), HasSubstr("no revision of a git tree"));
}

TEST_F(KernelBuilds, OnlyWhatIsCompleteIsListed) {
  EXPECT_THAT(ListKernelBuilds(), IsEmpty());
  const KernelBuild a = Built(Debian("7.2"));
  const KernelBuild b = Built(Debian("6.12"));
  ASSERT_EQ(ListKernelBuilds().size(), 2u);
  EXPECT_EQ(ListKernelBuilds()[0].name, "6.12");
  ASSERT_TRUE(DropKernelRecord(a.directory).ok());
  ASSERT_EQ(ListKernelBuilds().size(), 1u);
  EXPECT_THAT(Message(FindKernelBuild("7.2")), HasSubstr("is not built"));
  // A record that is broken, and one whose executable is gone.
  Write("cache/builds/7.2/build.json", "{ \"name\": 7, ");
  EXPECT_EQ(ListKernelBuilds().size(), 1u);
  Write("cache/builds/7.2/build.json", "{\"name\": 7, \"kind\": [1], \"fragments\": {}}");
  EXPECT_EQ(ListKernelBuilds().size(), 1u);
  fs::remove(b.executable);
  EXPECT_THAT(ListKernelBuilds(), IsEmpty());
  EXPECT_FALSE(FindKernelBuild("6.12").ok());
}

TEST_F(KernelBuilds, TheRecordKeepsEverything) {
  KernelBuild build = Built(Debian("7.3"), {true, true, false, {"/a/x.config", "/b/y"}});
  build.source = {KernelSource::Kind::kRevision, "7.3", "/git", "v7.3", "0123"};
  build.origin = "linux-source-7.3 7.3-1";
  build.recipe = "abc";
  build.fragments_hash = "def";
  build.built = "2026-01-31 09:30";
  ASSERT_TRUE(WriteKernelRecord(build).ok());
  const absl::StatusOr<KernelBuild> read = ReadKernelRecord(build.directory);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->name, build.name);
  EXPECT_EQ(read->source.kind, KernelSource::Kind::kRevision);
  EXPECT_EQ(read->source.version, "7.3");
  EXPECT_EQ(read->source.path, "/git");
  EXPECT_EQ(read->source.revision, "v7.3");
  EXPECT_EQ(read->source.commit, "0123");
  EXPECT_TRUE(read->flavour.kasan && read->flavour.coverage && !read->flavour.debug_vm);
  EXPECT_THAT(read->flavour.fragments, ElementsAre("/a/x.config", "/b/y"));
  EXPECT_EQ(read->origin, build.origin);
  EXPECT_EQ(read->recipe, build.recipe);
  EXPECT_EQ(read->fragments_hash, build.fragments_hash);
  EXPECT_EQ(read->built, build.built);
}

TEST_F(KernelBuilds, SeesThatATreeHasChanged) {
  const std::string tree = Tree("linux");
  const auto past = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (const auto& entry : fs::recursive_directory_iterator(tree)) {
    fs::last_write_time(entry.path(), past);
  }
  const KernelBuild build = *FindKernelBuild(Built(OfTree(tree)).name);
  EXPECT_EQ(ChangedSince(build), "");
  Write("linux/mm/notes.txt", "no source");
  EXPECT_EQ(ChangedSince(build), "");
  Write("linux/mm/memory.c", "edited");
  EXPECT_EQ(ChangedSince(build), "mm/memory.c");
  ASSERT_TRUE(DropKernelRecord(build.directory).ok());
  fs::last_write_time(tree + "/mm/memory.c", past);
  EXPECT_EQ(ChangedSince(build), "");
  fs::remove_all(tree);
  EXPECT_EQ(ChangedSince(build), "");
}

TEST_F(KernelBuilds, TheRecipeCoversWhatBothSidesShare) {
  EXPECT_EQ(KernelRecipe(dir_), "");
  Write("kernel/uml/build.sh", "a");
  Write("kernel/executor/run.c", "a");
  Write("kernel/wire.h", "b");
  Write("program/ops.def", "c");
  Write("program/program.h", "d");
  const std::string recipe = KernelRecipe(dir_);
  EXPECT_EQ(recipe.size(), 16u);
  Write("program/program.h", "other");
  EXPECT_EQ(KernelRecipe(dir_), recipe);
  for (const char* file :
       {"kernel/uml/build.sh", "kernel/executor/run.c", "kernel/wire.h", "program/ops.def"}) {
    const std::string before = KernelRecipe(dir_);
    Write(file, "changed");
    EXPECT_NE(KernelRecipe(dir_), before) << file;
  }
  Write("f1", "one");
  Write("f2", "two");
  EXPECT_NE(*HashFiles({dir_ + "/f1", dir_ + "/f2"}), *HashFiles({dir_ + "/f2", dir_ + "/f1"}));
  EXPECT_FALSE(HashFiles({dir_ + "/f3"}).ok());
}

}  // namespace
}  // namespace mmdiff
