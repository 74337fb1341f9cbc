// Repro: the same program in forms that can be handed to somebody.
//
// Text for mmdiff itself, a GoogleTest that fails as long as the bug is there, and a stand-alone C
// program that makes the same system calls on a real kernel. Pure functions of the program; O(size
// of the output).
#ifndef MMDIFF_HARNESS_REPRO_H_
#define MMDIFF_HARNESS_REPRO_H_

#include <string>
#include <string_view>

#include "program/program.h"

namespace mmdiff {

struct ReproInfo {
  std::string specs = "reference,model";  // implementations, as given to --impl
  std::string signature;                  // for the header comment; may be empty
  std::string summary;                    // one line; may be empty
  std::string test_name = "Repro";        // a C++ identifier, for ToGtest
};

// The program as text with a header comment. Parses back to the same program.
std::string ToText(const Program& program, const ReproInfo& info);

// A source file for GoogleTest: parses the program, runs it on `info.specs` and asserts that all
// agree. Link it with mmdiff_registry and gtest_main.
std::string ToGtest(const Program& program, const ReproInfo& info);

// A C program of Linux system calls, one child process per mm, driven in the program's order. It
// prints the result of each operation and the pagemap of the arena after it. Operations without a
// system call become comments that say what they would need. Builds with: gcc -Wall -Wextra
// -Werror.
std::string ToC(const Program& program, const ReproInfo& info);

// What ToC does with an operation: the system call it uses, or why there is none.
struct SyscallForm {
  bool has = false;
  const char* text = "";
};
SyscallForm SyscallFormOf(Opcode code);

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_REPRO_H_
