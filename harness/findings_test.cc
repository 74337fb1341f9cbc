#include "harness/findings.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/durable_files.h"
#include "harness/isolate.h"
#include "program/text.h"

namespace mmdiff {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Outcome = SaveOutcome::Kind;

// A directory of this test's own, removed at its end.
class FindingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // In memory where possible: these tests sync hundreds of times, and none of them cuts the
    // power.
    const bool in_memory = access("/dev/shm", W_OK | X_OK) == 0;
    std::string path =
        absl::StrCat(in_memory ? "/dev/shm" : ::testing::TempDir(), "/mmdiff-findings-XXXXXX");
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    root_ = path;
    dir_ = absl::StrCat(root_, "/crashes");
    second_ = absl::StrCat(root_, "/second");
  }
  void TearDown() override { Clear(root_); }

  // Removes all that is in `path`, and `path`.
  static void Clear(const std::string& path) {
    for (const std::string& entry : DurableFiles::Entries(path)) {
      const std::string child = absl::StrCat(path, "/", entry);
      if (DurableFiles::IsDirectory(child)) {
        Clear(child);
      } else {
        unlink(child.c_str());
      }
    }
    rmdir(path.c_str());
  }

  FindingStoreOptions Options() const {
    FindingStoreOptions options;
    options.fallback_dir = second_;
    return options;
  }
  FindingStore Store(FindingStoreOptions options) const {
    auto store = FindingStore::Open(dir_, std::move(options));
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  FindingStore Store() const { return Store(Options()); }

  std::string root_, dir_, second_;
};

// A program of `ops` operations.
Program ProgramOf(size_t ops) {
  std::string text = "# mmdiff 1\nworld\nm0 = mm\n";
  for (size_t i = 1; i < ops; ++i) absl::StrAppend(&text, "write m0 0x", i, " 1\n");
  auto program = ParseText(text);
  EXPECT_TRUE(program.ok()) << program.status();
  return *program;
}

Finding FindingOf(size_t original_ops, size_t repro_ops) {
  Finding f;
  f.signature = {.text = "pte.write-fork-anon", .hash = 0x1234abcd5678ef00};
  f.kind = "divergence";
  f.original = ProgramOf(original_ops);
  f.repro = ProgramOf(repro_ops);
  f.minimised = repro_ops < original_ops;
  f.report_text = absl::StrCat("a report about ", repro_ops, " operations\n");
  f.report_json = "{\"ops\": 1}\n";
  f.console = "Kernel panic - not syncing: panic_on_warn set ...\n";
  f.repeats = {4, 5};
  f.implementations = {"reference", "model:-fast_fork"};
  f.switches = {"model:-fast_fork"};
  f.build = "gcc 12 release";
  f.seed = 0xffffffffffffffff;
  f.counts = {{"programs", 12}, {"reducer_runs", 345}};
  return f;
}
const std::string& Name() {
  static const std::string name = FindingOf(1, 1).signature.FileName();
  return name;
}

void ExpectSame(const Finding& a, const Finding& b) {
  EXPECT_EQ(a.signature, b.signature);
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.original, b.original);
  EXPECT_EQ(a.repro, b.repro);
  EXPECT_EQ(a.minimised, b.minimised);
  EXPECT_EQ(a.report_text, b.report_text);
  EXPECT_EQ(a.report_json, b.report_json);
  EXPECT_EQ(a.console, b.console);
  EXPECT_EQ(a.repeats.Text(), b.repeats.Text());
  EXPECT_EQ(a.implementations, b.implementations);
  EXPECT_EQ(a.switches, b.switches);
  EXPECT_EQ(a.build, b.build);
  EXPECT_EQ(a.seed, b.seed);
  EXPECT_EQ(a.counts, b.counts);
}

TEST_F(FindingsTest, SavedFindingLoadsAsItWas) {
  FindingStore store = Store();
  const auto saved = store.Save(FindingOf(9, 3));
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->kind, Outcome::kNew);
  EXPECT_FALSE(saved->fell_back);
  EXPECT_EQ(saved->path, absl::StrCat(dir_, "/", Name()));
  EXPECT_THAT(store.List(), ElementsAre(Name()));
  const auto loaded = store.Load(Name());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ExpectSame(*loaded, FindingOf(9, 3));
  EXPECT_EQ(loaded->times_seen, 1u);
}

TEST_F(FindingsTest, RawThenMinimisedIsOneSighting) {
  FindingStore store = Store();
  ASSERT_TRUE(store.Save(FindingOf(9, 9)).ok());
  const auto minimised = store.Save(FindingOf(9, 3));
  ASSERT_TRUE(minimised.ok());
  EXPECT_EQ(minimised->kind, Outcome::kReplaced);
  const auto loaded = store.Load(Name());
  ASSERT_TRUE(loaded.ok());
  ExpectSame(*loaded, FindingOf(9, 3));
  EXPECT_EQ(loaded->times_seen, 1u);
}

TEST_F(FindingsTest, OfTwoFindingsTheSimplerStaysAndBothAreCounted) {
  FindingStore store = Store();
  ASSERT_TRUE(store.Save(FindingOf(9, 4)).ok());
  EXPECT_EQ(store.Save(FindingOf(7, 7))->kind, Outcome::kCounted);
  EXPECT_EQ(store.Load(Name())->repro, ProgramOf(4));
  EXPECT_EQ(store.Load(Name())->times_seen, 2u);
  EXPECT_EQ(store.Save(FindingOf(3, 3))->kind, Outcome::kReplaced);
  EXPECT_EQ(store.Load(Name())->repro, ProgramOf(3));
  EXPECT_EQ(store.Load(Name())->times_seen, 3u);
  EXPECT_EQ(store.Save(FindingOf(9, 5))->kind, Outcome::kCounted);
  EXPECT_EQ(store.Load(Name())->times_seen, 3u);
}

TEST_F(FindingsTest, DifferentSignaturesHaveDifferentPlaces) {
  FindingStore store = Store();
  Finding other = FindingOf(2, 2);
  other.signature.hash ^= 1;
  ASSERT_TRUE(store.Save(FindingOf(2, 2)).ok());
  ASSERT_TRUE(store.Save(other).ok());
  EXPECT_EQ(store.List().size(), 2u);
}

TEST_F(FindingsTest, WhatPeoplePutBesideAFindingStays) {
  FindingStore store = Store();
  ASSERT_TRUE(store.Save(FindingOf(9, 9)).ok());
  std::ofstream(absl::StrCat(dir_, "/", Name(), "/notes.md")) << "a note";
  ASSERT_EQ(store.Save(FindingOf(9, 2))->kind, Outcome::kReplaced);
  EXPECT_EQ(DurableFiles::Read(absl::StrCat(dir_, "/", Name(), "/notes.md")).value_or(""),
            "a note");
}

TEST_F(FindingsTest, ProgramPutThereByHandIsAFinding) {
  FindingStore store = Store();
  const std::string place = absl::StrCat(dir_, "/by-hand");
  ASSERT_TRUE(DurableFiles(nullptr).MakeDirectories(place).ok());
  std::ofstream(absl::StrCat(place, "/repro.mmdiff")) << PrintText(ProgramOf(2));
  EXPECT_THAT(store.List(), ElementsAre("by-hand"));
  EXPECT_EQ(store.Load("by-hand")->repro, ProgramOf(2));
}

TEST_F(FindingsTest, DamagedFilesAreNotOverwritten) {
  FindingStore store = Store();
  ASSERT_TRUE(store.Save(FindingOf(4, 4)).ok());
  const std::string repro = absl::StrCat(dir_, "/", Name(), "/repro.mmdiff");
  std::ofstream(repro) << "garbage\n";
  EXPECT_EQ(store.Load(Name()).status().code(), absl::StatusCode::kDataLoss);
  const auto saved = store.Save(FindingOf(2, 2));
  ASSERT_TRUE(saved.ok());
  EXPECT_TRUE(saved->fell_back);
  EXPECT_THAT(saved->warning, HasSubstr("repro.mmdiff"));
  EXPECT_EQ(DurableFiles::Read(repro).value_or(""), "garbage\n");
}

TEST_F(FindingsTest, NamesThatLeadElsewhereAreRefused) {
  FindingStore store = Store();
  for (const char* name : {"", "..", "../x", "a/b", ".lock"}) {
    EXPECT_EQ(store.Load(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(store.Load("none").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FindingsTest, FileInThePlaceOfTheStoreIsRefused) {
  std::ofstream(dir_) << "x";
  const auto store = FindingStore::Open(dir_, Options());
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
}

// What is in the store before a write is interrupted, and the write.
struct Scenario {
  const char* name;
  bool has_before;
  size_t before, after_original, after_repro;
  bool can_exchange;
  Outcome outcome;
};
constexpr Scenario kScenarios[] = {
    {"first", false, 0, 9, 9, true, Outcome::kNew},
    {"replace", true, 9, 9, 3, true, Outcome::kReplaced},
    {"replace_without_exchange", true, 9, 9, 3, false, Outcome::kReplaced},
    {"count", true, 3, 9, 9, true, Outcome::kCounted},
};

class InterruptionTest : public FindingsTest, public ::testing::WithParamInterface<Scenario> {
 protected:
  Finding Before() const { return FindingOf(GetParam().before, GetParam().before); }
  Finding After() const { return FindingOf(GetParam().after_original, GetParam().after_repro); }
  // The state before the write, in an empty directory.
  void Prepare() {
    Clear(dir_);
    Clear(second_);
    if (GetParam().has_before) {
      ASSERT_TRUE(Store().Save(Before()).ok());
    }
  }
  // Options whose hook calls `at` for each call from number `n` on, and takes its answer.
  FindingStoreOptions Hooked(int n, std::function<int(const std::string&)> at) {
    FindingStoreOptions options = Options();
    options.before_call = [=, seen = 0](std::string_view call, const std::string& path) mutable {
      if (seen++ >= n) {
        if (const int error = at(path); error != 0) return error;
      }
      return call == "renameat2" && !GetParam().can_exchange ? EINVAL : 0;
    };
    return options;
  }
  // The store, opened anew, holds the finding before or the one after, whole, and nothing
  // half-made. Returns true if it is the one after.
  bool ExpectWhole(bool may_be_empty) {
    FindingStore store = Store();
    const auto names = store.List();
    for (const std::string& entry : DurableFiles::Entries(dir_)) {
      EXPECT_TRUE(entry == ".lock" || entry == Name()) << entry;
    }
    if (names.empty() && may_be_empty) return false;
    EXPECT_THAT(names, ElementsAre(Name()));
    const auto found = store.Load(Name());
    EXPECT_TRUE(found.ok()) << found.status();
    if (!found.ok()) return false;
    const bool replaces = GetParam().outcome != Outcome::kCounted;
    const bool is_after = replaces ? found->repro == After().repro : found->times_seen == 2;
    ExpectSame(*found, is_after && replaces ? After() : Before());
    EXPECT_FALSE(DurableFiles::Exists(absl::StrCat(dir_, "/", Name(), "/.info.json.new")));
    return is_after;
  }
};

TEST_P(InterruptionTest, KillBeforeAnyCallLosesNothing) {
  bool finished = false;
  bool seen_after = false;
  int n = 0;
  for (; !finished; ++n) {
    ASSERT_LT(n, 200);
    Prepare();
    const auto end = RunInChild(
        [&](Beacon&) {
          FindingStore store = Store(Hooked(n, [](const std::string&) { return raise(SIGKILL); }));
          return std::string(store.Save(After()).ok() ? "saved" : "failed");
        },
        {});
    ASSERT_TRUE(end.ok());
    finished = end->kind == ChildEnd::Kind::kReturned;
    if (finished) {
      EXPECT_EQ(end->answer, "saved");
    } else {
      ASSERT_EQ(end->code, SIGKILL);
    }
    const bool is_after = ExpectWhole(/*may_be_empty=*/!GetParam().has_before && !finished);
    EXPECT_TRUE(is_after || !seen_after) << "call " << n;  // once written, it stays written
    seen_after = is_after;
  }
  EXPECT_TRUE(seen_after);
  EXPECT_GT(n, 3);
}

TEST_P(InterruptionTest, DiskFullFromAnyCallOnUsesTheSecondPlace) {
  bool finished = false;
  for (int n = 0; !finished; ++n) {
    ASSERT_LT(n, 200);
    Prepare();
    bool failed = false;
    FindingStore store = Store(Hooked(n, [&](const std::string& path) {
      if (!path.starts_with(dir_)) return 0;
      failed = true;
      return ENOSPC;
    }));
    failed = false;
    const auto saved = store.Save(After());
    ASSERT_TRUE(saved.ok()) << saved.status();
    finished = !failed;
    if (saved->fell_back) {
      EXPECT_THAT(saved->warning, HasSubstr("No space left"));
      auto second = FindingStore::Open(absl::StrCat(second_, "/mmdiff-crashes"), Options());
      ASSERT_TRUE(second.ok());
      const auto found = second->Load(Name());
      ASSERT_TRUE(found.ok()) << found.status();
      ExpectSame(*found, After());
      ExpectWhole(/*may_be_empty=*/!GetParam().has_before);
    } else {
      EXPECT_EQ(saved->kind, GetParam().outcome);
      EXPECT_TRUE(ExpectWhole(false));
    }
  }
}

TEST_P(InterruptionTest, OneFailingCallLosesNothing) {
  bool finished = false;
  for (int n = 0; !finished; ++n) {
    ASSERT_LT(n, 200);
    Prepare();
    bool failed = false;
    FindingStore store =
        Store(Hooked(n, [&](const std::string&) { return std::exchange(failed, true) ? 0 : EIO; }));
    const auto saved = store.Save(After());
    ASSERT_TRUE(saved.ok()) << saved.status();
    finished = !failed;
    const auto found =
        FindingStore::Open(saved->path.substr(0, saved->path.rfind('/')), Options())->Load(Name());
    ASSERT_TRUE(found.ok()) << found.status();
    if (saved->fell_back) ExpectSame(*found, After());
    ExpectWhole(/*may_be_empty=*/!GetParam().has_before && saved->fell_back);
  }
}

TEST_P(InterruptionTest, NothingWritableAnywherePrintsTheProgram) {
  Prepare();
  FindingStore store = Store(Hooked(0, [](const std::string&) { return ENOSPC; }));
  ::testing::internal::CaptureStderr();
  const auto saved = store.Save(After());
  const std::string printed = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(saved.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(printed, HasSubstr(PrintText(After().repro)));
  EXPECT_THAT(printed, HasSubstr(PrintText(After().original)));
  EXPECT_THAT(printed, HasSubstr(Name()));
  ExpectWhole(/*may_be_empty=*/!GetParam().has_before);
}

INSTANTIATE_TEST_SUITE_P(All, InterruptionTest, ::testing::ValuesIn(kScenarios),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(FindingsTest, FileSizeLimitIsAFailedWriteNotADeath) {
  const auto end = RunInChild(
      [&](Beacon&) -> std::string {
        FindingStore store = Store();
        const rlimit limit{20, 20};
        setrlimit(RLIMIT_FSIZE, &limit);
        return std::string(store.Save(FindingOf(9, 9)).status().message());
      },
      {});
  ASSERT_TRUE(end.ok());
  ASSERT_EQ(end->kind, ChildEnd::Kind::kReturned) << end->output;
  EXPECT_THAT(end->answer, HasSubstr("File too large"));
  EXPECT_THAT(end->output, HasSubstr(PrintText(ProgramOf(9))));
  EXPECT_THAT(Store().List(), IsEmpty());
}

TEST_F(FindingsTest, FullFileSystemUsesTheSecondPlace) {
  ASSERT_TRUE(DurableFiles(nullptr).MakeDirectories(dir_).ok());
  const auto end = RunInChild(
      [&](Beacon&) -> std::string {
        // A mount of this child's own; gone with it.
        if (unshare(CLONE_NEWNS) != 0 ||
            mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            mount("tmpfs", dir_.c_str(), "tmpfs", 0, "size=64k") != 0) {
          return "no mount";
        }
        FindingStore store = Store();
        std::ofstream filler(absl::StrCat(dir_, "/.filler"));
        while (filler << std::string(4096, 'x') << std::flush) {
        }
        const auto saved = store.Save(FindingOf(9, 9));
        return saved.ok() ? saved->warning : std::string(saved.status().message());
      },
      {});
  ASSERT_TRUE(end.ok());
  if (end->answer == "no mount") GTEST_SKIP() << "mounting a file system is not allowed here";
  EXPECT_THAT(end->answer, HasSubstr("No space left"));
  const auto second = FindingStore::Open(absl::StrCat(second_, "/mmdiff-crashes"), Options());
  ExpectSame(*second->Load(Name()), FindingOf(9, 9));
}

TEST_F(FindingsTest, ProcessesAtOnceLoseNoSighting) {
  constexpr int kWriters = 4, kEach = 12;
  std::vector<pid_t> writers;
  for (int w = 0; w < kWriters; ++w) {
    const pid_t pid = fork();
    if (pid == 0) {
      FindingStore store = Store();
      bool ok = true;
      for (int i = 0; i < kEach; ++i) {
        const size_t ops = 3 + static_cast<size_t>((w * 7 + i * 5) % 20);
        const auto saved = store.Save(FindingOf(ops, ops));
        ok &= saved.ok() && !saved->fell_back;
      }
      _exit(ok ? 0 : 1);
    }
    writers.push_back(pid);
  }
  for (const pid_t pid : writers) {
    int status = -1;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const auto found = Store().Load(Name());
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->times_seen, static_cast<uint64_t>(kWriters * kEach));
  size_t simplest = 100;
  for (int w = 0; w < kWriters; ++w) {
    for (int i = 0; i < kEach; ++i) {
      simplest = std::min(simplest, 3 + static_cast<size_t>((w * 7 + i * 5) % 20));
    }
  }
  EXPECT_EQ(found->repro, ProgramOf(simplest));
}

TEST_F(FindingsTest, LockThatIsNeverFreedDoesNotHoldAFindingUp) {
  FindingStoreOptions options = Options();
  options.lock_timeout_ms = 30;
  FindingStore store = Store(options);
  const auto lock = DirectoryLock::Take(absl::StrCat(dir_, "/.lock"), 1000);
  ASSERT_TRUE(lock.ok());
  const auto saved = store.Save(FindingOf(3, 3));
  ASSERT_TRUE(saved.ok());
  EXPECT_TRUE(saved->fell_back);
  EXPECT_THAT(saved->warning, HasSubstr("held by another process"));
}

TEST_F(FindingsTest, SecondPlaceIsTmpdirIfNoneIsNamed) {
  ASSERT_TRUE(DurableFiles(nullptr).MakeDirectories(second_).ok());
  const char* old = getenv("TMPDIR");
  const std::string saved_tmpdir = old != nullptr ? old : "";
  setenv("TMPDIR", second_.c_str(), 1);
  FindingStoreOptions options;
  options.before_call = [this](std::string_view, const std::string& path) {
    return path.starts_with(dir_) ? EROFS : 0;
  };
  const auto saved = Store(options).Save(FindingOf(3, 3));
  if (old != nullptr) {
    setenv("TMPDIR", saved_tmpdir.c_str(), 1);
  } else {
    unsetenv("TMPDIR");
  }
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->path, absl::StrCat(second_, "/mmdiff-crashes/", Name()));
}

}  // namespace
}  // namespace mmdiff
