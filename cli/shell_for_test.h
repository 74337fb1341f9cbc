// For the tests: runs the built program as a person would, through a shell.
#ifndef MMDIFF_CLI_SHELL_FOR_TEST_H_
#define MMDIFF_CLI_SHELL_FOR_TEST_H_

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace mmdiff {

struct ShellResult {
  int exit = -1;
  std::string out, err;
};

// A directory of its own for one test, removed at the end.
class ShellTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "mmdiff-cli-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override {
    std::error_code error;
    std::filesystem::permissions(dir_, std::filesystem::perms::owner_all, error);
    std::filesystem::remove_all(dir_, error);
  }

  // Runs a shell command in the directory.
  ShellResult Shell(const std::string& command) const {
    ShellResult result;
    const std::string line = "cd '" + dir_ + "' && { " + command + "\n} >'" + dir_ + "/.out' 2>'" +
                             dir_ + "/.err' </dev/null";
    const int status = std::system(line.c_str());
    result.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    result.out = Read(".out");
    result.err = Read(".err");
    return result;
  }
  // Runs the program with these arguments.
  ShellResult Mmdiff(const std::string& arguments) const {
    return Shell(std::string("'") + MMDIFF_PROGRAM + "' " + arguments);
  }
  nlohmann::json Json(const ShellResult& result) const {
    nlohmann::json json = nlohmann::json::parse(result.out, nullptr, false);
    EXPECT_TRUE(json.is_object()) << result.out << result.err;
    return json;
  }

  std::string Path(const std::string& name) const { return dir_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name), std::ios::binary) << text;
  }
  std::string Read(const std::string& name) const {
    std::ifstream in(Path(name), std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }

  std::string dir_;
};

inline constexpr char kGoodProgram[] =
    "# mmdiff 1\n"
    "world\n"
    "m0 = mm\n"
    "map m0 0x10 8 rw\n"
    "write m0 0x10 8 # => ok 8\n";

}  // namespace mmdiff

#endif  // MMDIFF_CLI_SHELL_FOR_TEST_H_
