// The strace import: what a log becomes, what is left out, and that any text is survived.
#include "program/import_strace.h"

#include <gtest/gtest.h>

#include <string>

#include "program/fixup.h"
#include "program/random.h"
#include "program/strace_log.h"
#include "program/text.h"

namespace mmdiff {
namespace {

ImportOptions Quiet() {
  ImportOptions options;
  options.touch = false;
  return options;
}

// The operations of all programs, each program behind a line "--".
std::string Import(const std::string& log, const ImportOptions& options = Quiet(),
                   ImportReport* report_out = nullptr) {
  ImportReport report;
  const auto programs = ImportStrace(log, options, &report);
  if (report_out != nullptr) *report_out = report;
  if (!programs.ok()) return std::string(programs.status().message());
  std::string all;
  for (const Program& program : *programs) {
    EXPECT_TRUE(Validate(program).ok()) << Validate(program);
    const std::string text = PrintText(program);
    const size_t world = text.find("world");
    all += "--\n" + text.substr(text.find('\n', world) + 1);
  }
  return all;
}

TEST(ImportStrace, MappingsKeepTheirPlaceAndDistance) {
  EXPECT_EQ(Import("mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = "
                   "0x7f0000003000\n"
                   "mprotect(0x7f0000004000, 4096, PROT_READ) = 0\n"
                   "munmap(0x7f0000003000, 4096)            = 0\n"
                   "mmap(0x7f0000006000, 4096, PROT_NONE, "
                   "MAP_SHARED|MAP_FIXED|MAP_ANONYMOUS|MAP_POPULATE, -1, 0) = 0x7f0000006000\n"),
            "--\nm0 = mm\nmap m0 0x3 2 rw\nprotect m0 0x4 1 r\nunmap m0 0x3 1\n"
            "map m0 0x6 1 none|shared|populate|fixed\n");
}

TEST(ImportStrace, WideGapsAndLongRangesAreCutButKeepTheirPlaceInATable) {
  // 1000 pages: 64 and the remainder of 1000 by 32; the gap after it: 32 and the remainder.
  EXPECT_EQ(
      Import("mmap(NULL, 4096000, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x20000000\n"
             "mprotect(0x203e7000, 4096, PROT_NONE) = 0\n"
             "mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000005000\n"),
      "--\nm0 = mm\nmap m0 0x0 72 r\nprotect m0 0x47 1 none\nmap m0 0x85 1 r\n");
}

TEST(ImportStrace, TouchesWhatMayBeTouched) {
  ImportOptions options;
  EXPECT_EQ(
      Import("mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x1000\n"
             "mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x2000\n"
             "mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x3000\n"
             "mprotect(0x3000, 4096, PROT_READ|PROT_WRITE) = 0\n",
             options),
      "--\nm0 = mm\nmap m0 0x1 1 rw\nwrite m0 0x1 1\nmap m0 0x2 1 r\nread m0 0x2 1\n"
      "map m0 0x3 1 none\nprotect m0 0x3 1 rw\nwrite m0 0x3 1\n");
}

TEST(ImportStrace, FilesBecomeFileObjects) {
  EXPECT_EQ(
      Import("openat(AT_FDCWD, \"/lib/a,b).so\", O_RDONLY|O_CLOEXEC) = 3\n"
             "mmap(NULL, 16384, PROT_READ, MAP_PRIVATE|MAP_DENYWRITE, 3, 0) = 0x7f0000000000\n"
             "mmap(0x7f0000001000, 8192, PROT_READ|PROT_EXEC, MAP_PRIVATE|MAP_FIXED|MAP_DENYWRITE, "
             "3, 0x1000) = 0x7f0000001000\n"
             "openat(AT_FDCWD, \"/lib/other.so\", O_RDONLY) = 3\n"
             "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3, 0x2000) = 0x7f0000010000\n"),
      "--\nf0 = file 4 order=2\nf1 = file 3 order=2\nm0 = mm\nmap m0 0x0 4 r f0\n"
      "map m0 0x1 2 r|fixed f0 1\nmap m0 0x10 1 rw|shared f1 2\n");
}

TEST(ImportStrace, ProcessesThreadsAndExec) {
  const std::string log =
      "100 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x5000\n"
      "100 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD <unfinished ...>\n"
      "101 munmap(0x5000, 4096) = 0\n"
      "100 <... clone resumed>, child_tidptr=0x7f00) = 101\n"
      "100 clone3({flags=CLONE_VM|CLONE_THREAD, stack=0x1}, 88) = 102\n"
      "102 madvise(0x5000, 4096, MADV_DONTNEED) = 0\n"
      "101 execve(\"/bin/true\", [\"true\"], 0x7ffc /* 3 vars */) = 0\n"
      "101 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x9000\n"
      "102 exit(0) = ?\n"
      "101 exit_group(0)                     = ?\n"
      "101 +++ exited with 0 +++\n"
      "100 --- SIGCHLD {si_signo=SIGCHLD} ---\n"
      "100 +++ exited with 0 +++\n";
  ImportReport report;
  EXPECT_EQ(Import(log, Quiet(), &report),
            "--\nm0 = mm\nmap m0 0x5 1 rw\nm1 = fork m0\nunmap m1 0x5 1 @cpu1\ndontneed m0 0x5 1\n"
            "exit m1 @cpu1\nm2 = mm @cpu1\nmap m2 0x9 1 r @cpu1\nexit m2 @cpu1\nexit m0\n");
  EXPECT_EQ(report.lines, 13u);
  EXPECT_EQ(report.calls, 9u);
  EXPECT_EQ(report.used, 9u);
  EXPECT_EQ(report.programs, 1u);
  EXPECT_EQ(report.operations, 10u);
  EXPECT_TRUE(report.skipped.empty());
}

TEST(ImportStrace, AdviceLocksAndBrk) {
  EXPECT_EQ(Import("brk(NULL)   = 0x1000\n"
                   "brk(0x4000) = 0x4000\n"
                   "brk(0x3000) = 0x3000\n"
                   "mlock(0x1800, 4096) = 0\n"
                   "mlock2(0x1000, 4096, MLOCK_ONFAULT) = 0\n"
                   "munlock(0x1000, 8192) = 0\n"
                   "mlockall(MCL_CURRENT|MCL_FUTURE) = 0\n"
                   "munlockall() = 0\n"
                   "madvise(0x1000, 4096, MADV_FREE) = 0\n"
                   "madvise(0x1000, 4096, MADV_PAGEOUT) = 0\n"),
            "--\nm0 = mm\nmap m0 0x1 3 rw\nunmap m0 0x3 1\nlock m0 0x1 2\nlock_onfault m0 0x1 1\n"
            "unlock m0 0x1 2\nlock m0 0x1 2\nunlock m0 0x1 2\nfree m0 0x1 1\npageout m0 0x1 1\n");
}

TEST(ImportStrace, MlockallReachesFutureMappings) {
  const auto map_at = [](const char* address) {
    return std::string("mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = ") +
           address + "\n";
  };
  EXPECT_EQ(Import(map_at("0x1000") + "mlockall(MCL_FUTURE) = 0\n" + map_at("0x2000") +
                   "fork() = 7\n[pid 7] " + map_at("0x3000") +
                   "[pid 6] mlockall(MCL_FUTURE|MCL_ONFAULT) = 0\n[pid 6] " + map_at("0x4000") +
                   "[pid 6] munlockall() = 0\n[pid 6] " + map_at("0x6000")),
            "--\nm0 = mm\nmap m0 0x1 1 r\nmap m0 0x2 1 r|locked\nm1 = fork m0\n"
            "map m1 0x3 1 r @cpu1\nmap m0 0x4 1 r\nlock_onfault m0 0x4 1\nunlock m0 0x1 2\n"
            "unlock m0 0x4 1\nmap m0 0x6 1 r\n");
}

TEST(ImportStrace, MremapInPlaceIsExactAndAMoveStartsANewProgram) {
  const std::string head =
      "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x4000\n";
  EXPECT_EQ(Import(head + "mremap(0x4000, 8192, 4096, MREMAP_MAYMOVE) = 0x4000\n"
                          "mremap(0x4000, 4096, 12288, MREMAP_MAYMOVE) = 0x4000\n"
                          "mremap(0x4000, 12288, 16384, MREMAP_MAYMOVE) = 0x4000\n"),
            "--\nm0 = mm\nmap m0 0x4 2 rw\nunmap m0 0x5 1\nmap m0 0x5 2 rw\nmap m0 0x7 1 rw\n");
  ImportReport report;
  EXPECT_EQ(Import(head + "mremap(0x4000, 8192, 16384, MREMAP_MAYMOVE) = 0x8000\n"
                          "munmap(0x9000, 4096) = 0\n",
                   Quiet(), &report),
            "--\nm0 = mm\nmap m0 0x4 2 rw\n--\nm0 = mm\nmap m0 0x9 1 rw\nunmap m0 0x9 1\n");
  EXPECT_EQ(report.skipped.at("mremap that moves"), 1u);
}

TEST(ImportStrace, WhatCannotBeSaidIsCounted) {
  ImportReport report;
  Import(
      "mmap(NULL, 4096, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x1000\n"
      "mmap(NULL, 2097152, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB, -1, 0) = 0x200000\n"
      "mmap(NULL, 0, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = -1 EINVAL (Invalid argument)\n"
      "madvise(0x1000, 4096, MADV_HUGEPAGE) = 0\n"
      "read(3, \"a\\\"b)\", 832) = 832\n"
      "garbage line\n"
      "munmap(0x1000, 4096\n"
      "mremap(0x100000, 4096, 8192, 0) = 0x100000\n"
      "mprotect(0x1000, 8192, PROT_READ) = 0\n"
      "munmap(0x1000, 4096 <unfinished ...>\n",
      Quiet(), &report);
  EXPECT_EQ(report.used, 1u);
  EXPECT_EQ(report.skipped, (std::map<std::string, size_t>{
                                {"mmap of huge pages (MAP_HUGETLB)", 1},
                                {"the call failed", 1},
                                {"madvise with advice that the language has no word for", 1},
                                {"no call about memory or processes", 1},
                                {"broken line", 2},
                                {"a range that was not mapped in the log", 1},
                                {"mremap of something whose mapping is not known", 1},
                                {"a call whose end is missing", 1}}));
  ASSERT_EQ(report.broken.size(), 2u);
  EXPECT_EQ(report.broken[0],
            "line 6: expected a system call such as mmap(...) = 0x7f00: garbage line");
  EXPECT_EQ(report.broken[1],
            "line 7: the parenthesis of the call is not closed: munmap(0x1000, 4096");
}

TEST(ImportStrace, ALongLogIsCutAndGoesOnWithWhatItNeeds) {
  std::string log =
      "mmap(NULL, 40960, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x10000\n";
  for (int i = 0; i < 10; ++i) log += "madvise(0x12000, 8192, MADV_DONTNEED) = 0\n";
  ImportOptions options = Quiet();
  options.max_ops = 8;
  ImportReport report;
  const std::string text = Import(log, options, &report);
  EXPECT_EQ(report.programs, 3u);
  EXPECT_EQ(text.substr(0, 40), "--\nm0 = mm\nmap m0 0x10 10 rw\ndontneed m0");
  // Later programs map only the part that they use.
  EXPECT_NE(text.find("--\nm0 = mm\nmap m0 0x12 2 rw\ndontneed m0 0x12 2\n"), std::string::npos);
  options.max_programs = 1;
  Import(log, options, &report);
  EXPECT_EQ(report.programs, 1u);
  EXPECT_GT(report.skipped.at("more programs than asked for"), 0u);
}

TEST(ImportStrace, RefusesWhatIsNoLog) {
  EXPECT_EQ(Import(""),
            "line 1: the log is empty; expected the output of strace -f -e "
            "trace=memory,process,openat");
  EXPECT_EQ(
      Import("hello\n"),
      "line 1: expected a system call such as mmap(...) = 0x7f00: hello; expected the output of "
      "strace -f -e trace=memory,process,openat");
  EXPECT_EQ(Import("getpid() = 4\n"),
            "line 1: the log holds no call that the language can say; trace with -e "
            "trace=memory,process,openat");
  ImportOptions options;
  options.max_ops = 1;
  EXPECT_EQ(Import("getpid() = 4\n", options),
            "a program of an import has 8 to 16384 operations, not 1");
}

TEST(StraceLog, JoinsLinesThatStraceItselfBroke) {
  const StraceLog log = ReadStraceLog(
      "clone(flags=SIGCHLDstrace: Process 12 attached\n"
      ", child_tidptr=0x7f) = 12\n"
      "[pid 11] clone(flags=SIGCHLDstrace: Process 13 attached\n"
      " <unfinished ...>\n"
      "[pid 12] execve(\"strace: Process 1\", [], []) = 0\n"
      "<... clone resumed>) = 13\n");
  EXPECT_EQ(log.broken_lines, 0u) << log.broken[0];
  ASSERT_EQ(log.calls.size(), 3u);
  EXPECT_EQ(log.calls[0].args.size(), 2u);
  EXPECT_EQ(log.calls[0].result, "12");
  EXPECT_EQ(log.calls[1].pid, 11u);
  EXPECT_EQ(log.calls[1].result, "13");
  EXPECT_EQ(log.calls[2].name, "execve");
}

TEST(StraceLog, TakesPrefixesAndTimes) {
  const StraceLog log = ReadStraceLog(
      "strace: Process 12 attached\n"
      "[pid    12] brk(NULL) = 0x1\n"
      "12 17:03:22.123456 brk(NULL) = 0x2\n"
      "12    0.000123 fork( <unfinished ...>\n"
      "13 getpid() = 13\n"
      "12 <... fork resumed>) = 13\n");
  ASSERT_EQ(log.calls.size(), 4u);
  EXPECT_EQ(log.calls[0].pid, 12u);
  EXPECT_EQ(log.calls[1].result, "0x2");
  EXPECT_EQ(log.calls[2].name, "fork") << "the fork comes before what its child does";
  EXPECT_EQ(log.calls[2].line, 6u);
  EXPECT_EQ(log.broken_lines, 0u);
}

TEST(ImportStrace, SurvivesAnyText) {
  const std::string seed =
      "10 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x4000\n"
      "10 clone(child_stack=NULL, flags=SIGCHLD) = 11\n"
      "11 mremap(0x4000, 8192, 16384, MREMAP_MAYMOVE) = 0x8000\n"
      "11 execve(\"a\", [], []) = 0\n"
      "10 mlockall(MCL_CURRENT) = 0\n10 brk(NULL) = 0x9000\n10 brk(0xffff000) = 0xffff000\n"
      "10 munmap(0x4000, 4096) = 0\n11 exit_group(0) = ?\n11 +++ exited with 0 +++\n";
  Random rnd(8);
  size_t programs = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string log = seed + seed;
    for (uint32_t k = rnd.Below(12); k > 0; --k) {
      const size_t at = rnd.Below(static_cast<uint32_t>(log.size()));
      switch (rnd.Below(3)) {
        case 0:
          log[at] = static_cast<char>(rnd.Below(256));
          break;
        case 1:
          log[at] = "0123456789abcdefx,()= "[rnd.Below(22)];
          break;
        default:
          log.erase(at, rnd.Below(30));
          break;
      }
      if (log.empty()) log = seed;
    }
    ImportOptions options;
    options.max_ops = rnd.Between(8, 40);
    ImportReport report;
    const auto result = ImportStrace(log, options, &report);
    if (!result.ok()) continue;
    programs += result->size();
    for (const Program& program : *result) {
      ASSERT_TRUE(Validate(program).ok()) << Validate(program) << "\n" << log;
      ASSERT_LE(program.ops.size(), options.max_ops);
    }
  }
  EXPECT_GT(programs, 20000u);
}

}  // namespace
}  // namespace mmdiff
