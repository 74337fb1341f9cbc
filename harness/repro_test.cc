#include "harness/repro.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "harness/golden.h"
#include "harness/op_handler.h"
#include "program/text.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;

Program Parse(const std::string& text) {
  auto program = ParseText(text, {.file_name = "", .snippet = true});
  EXPECT_TRUE(program.ok()) << program.status();
  return program.ok() ? *std::move(program) : Program{};
}

const char kProgram[] =
    "m0 = mm\n"
    "f0 = file 8\n"
    "map m0 0x40 8 rw|nohuge anon\n"
    "map m0 0x50 4 r f0 2\n"
    "map m0 0x60 4 rw|shared anon\n"
    "write m0 0x40 2\n"
    "m1 = fork m0\n"
    "write m1 0x40 1 @cpu1\n"
    "read m0 0x40 2\n"
    "read m1 0x50 2\n"
    "write m1 0x60 1\n"
    "read m0 0x60 1\n"
    "write m1 0x50 1\n"
    "lock m0 0x40 1\n"
    "i0 = isolate m0 0x41\n"
    "exit m1\n"
    "read m1 0x40 1\n"
    "map m0 0x40 1 rw anon\n"
    "unmap m0 0x40 8\n"
    "read m0 0x40 1\n";

// A directory of its own that goes with the test.
class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "mmdiff-repro-XXXXXX").string();
    path = mkdtemp(name.data()) != nullptr ? name : "";
  }
  ~Directory() { std::filesystem::remove_all(path); }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + name) << text;
  }
  std::string path;
};

// Runs a shell command; its output, with the exit status at the end if it is not 0.
std::string Shell(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return "popen failed";
  std::string out;
  std::array<char, 4096> buffer;
  size_t n = 0;
  while ((n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0) out.append(buffer.data(), n);
  const int status = pclose(pipe);
  return status == 0 ? out : out + "\nstatus " + std::to_string(status);
}

ReproInfo Info() {
  ReproInfo info;
  info.signature = "pte.write-fork-anon_small-reference_vs_model";
  info.summary = "pte.write of m1 0x40 pte";
  info.test_name = "PteWrite";
  return info;
}

TEST(Repro, TextParsesBackToTheSameProgram) {
  const Program p = Parse(std::string(kProgram) + "check # => ok\n#? m0 0x40 none\n");
  const std::string text = ToText(p, Info());
  auto back = ParseText(text);
  ASSERT_TRUE(back.ok()) << back.status() << "\n" << text;
  EXPECT_EQ(*back, p);
  EXPECT_THAT(text, HasSubstr("\n# signature: pte.write-fork-anon_small-reference_vs_model\n"));
  ExpectGolden("repro.mmdiff", text);
}

TEST(Repro, TextKeepsTheProgramWhateverTheSummarySays) {
  ReproInfo info;
  info.summary = "first\nexit m0\\";
  const Program p = Parse(kProgram);
  auto back = ParseText(ToText(p, info));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, p);
}

TEST(Repro, GtestIsAsItWas) { ExpectGolden("repro_test.cc.txt", ToGtest(Parse(kProgram), Info())); }

TEST(Repro, GtestCompiles) {
  const Directory dir;
  dir.Write("repro_test.cc", ToGtest(Parse(kProgram), Info()));
  EXPECT_EQ(Shell("g++ -std=c++20 -Wall -Wextra -Werror -Wno-unused-parameter -fsyntax-only "
                  "-I " MMDIFF_SOURCE_DIR " " +
                  dir.path + "/repro_test.cc"),
            "");
}

TEST(Repro, CIsAsItWas) { ExpectGolden("repro.c", ToC(Parse(kProgram), Info())); }

TEST(Repro, CCompilesWithoutWarningsAndRunsTheProgram) {
  const Directory dir;
  dir.Write("repro.c", ToC(Parse(kProgram), Info()));
  ASSERT_EQ(Shell("cd " + dir.path + " && gcc -Wall -Wextra -Werror -o repro repro.c"), "");
  const std::string out = Shell("cd " + dir.path + " && timeout 60 ./repro");
  EXPECT_THAT(out, HasSubstr("5 write m0 0x40 2\n  => ok 2\n")) << out;
  // Values of both processes, as a lockstep run folds them: the child's write is not seen by its
  // parent.
  uint64_t parent = FoldData(FoldData(0, StoredValue(5, 0x40)), StoredValue(5, 0x41));
  uint64_t file = FoldData(FoldData(0, FileValue(0, 2)), FileValue(0, 3));
  uint64_t shared = FoldData(0, StoredValue(10, 0x60));
  const auto read = [](const char* op, int pages, uint64_t data) {
    char text[120];
    snprintf(text, sizeof(text), "%s\n  => ok %d data=%016lx\n", op, pages,
             static_cast<unsigned long>(data));
    return std::string(text);
  };
  EXPECT_THAT(out, HasSubstr(read("8 read m0 0x40 2", 2, parent)));
  EXPECT_THAT(out, HasSubstr(read("9 read m1 0x50 2", 2, file)));
  EXPECT_THAT(out, HasSubstr(read("11 read m0 0x60 1", 1, shared)));
  EXPECT_THAT(out, HasSubstr("12 write m1 0x50 1\n  => Bad address\n"));
  EXPECT_THAT(out, HasSubstr("16 read m1 0x40 1\n  => No such process\n"));
  EXPECT_THAT(out, HasSubstr("17 map m0 0x40 1 rw\n  => File exists\n"));
  EXPECT_THAT(out, HasSubstr("19 read m0 0x40 1\n  => Bad address\n"));
  EXPECT_THAT(
      out, HasSubstr("6 m1 = fork m0\n  => ok\n  m0 0x40-0x41 present\n  m1 0x40-0x41 present\n"));
  EXPECT_THAT(out,
              HasSubstr("7 write m1 0x40 1 @cpu1\n  => ok 1\n  m1 0x40-0x40 present exclusive\n"));
}

// Every operation is either a call of the C program or a comment that says what it would need.
TEST(Repro, CKnowsEveryOperation) {
  Program p;
  for (const OpDesc& desc : AllOps()) {
    EXPECT_NE(std::string(SyscallFormOf(desc.code).text), "unknown") << desc.name;
    Op op;
    op.code = desc.code;
    p.ops.push_back(op);
  }
  const std::string text = ToC(p, Info());
  for (const OpDesc& desc : AllOps()) {
    if (SyscallFormOf(desc.code).has) {
      EXPECT_THAT(text, HasSubstr(std::string(", OP_") + desc.name + ", 0, ")) << desc.name;
    } else {
      EXPECT_THAT(text, HasSubstr(SyscallFormOf(desc.code).text)) << desc.name;
    }
  }
  const Directory dir;
  dir.Write("repro.c", text);
  EXPECT_EQ(Shell("gcc -Wall -Wextra -Werror -fsyntax-only " + dir.path + "/repro.c"), "");
  dir.Write("empty.c", ToC(Program{}, ReproInfo{}));
  EXPECT_EQ(Shell("gcc -Wall -Wextra -Werror -fsyntax-only " + dir.path + "/empty.c"), "");
}

TEST(Repro, CStaysACommentWhateverTheSummarySays) {
  ReproInfo info;
  info.signature = "*/ int x; /*";
  info.summary = "?\?/ */ #error\n#error";
  const Directory dir;
  dir.Write("repro.c", ToC(Parse(kProgram), info));
  EXPECT_EQ(Shell("gcc -Wall -Wextra -Werror -fsyntax-only " + dir.path + "/repro.c"), "");
}

}  // namespace
}  // namespace mmdiff
