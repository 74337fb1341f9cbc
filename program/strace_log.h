// Reads an strace log: lines to system calls.
//
// Understands `strace -f` with and without -o, -t, -r and -y: process prefixes, time stamps, calls
// that are interrupted (<unfinished ...>) and resumed, exits and signals. Knows nothing of what
// calls mean. Linear in the log; the calls own their text.
#ifndef MMDIFF_PROGRAM_STRACE_LOG_H_
#define MMDIFF_PROGRAM_STRACE_LOG_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mmdiff {

// One system call, or the end of a process (name "+++").
struct StraceCall {
  size_t line = 0;  // where it ended
  // Orders calls by when they took effect: a call that makes a process counts from its start, since
  // the child runs before the parent's line is resumed; every other call from its end.
  size_t position = 0;
  uint32_t pid = 0;  // 0 if the log names none
  std::string name;
  std::vector<std::string> args;  // split at the commas outside quotes and braces
  std::string result;             // what follows "= ": "0x7f00", "-1 ENOMEM (...)", "?"

  bool failed() const { return result.compare(0, 2, "-1") == 0 || result.empty(); }
  // Argument `i` as a number; false if it is missing or none. NULL is 0.
  bool Number(size_t i, uint64_t* number) const;
  // The result as a number; false if it is none.
  bool ResultNumber(uint64_t* number) const;
};

struct StraceLog {
  size_t lines = 0;
  size_t signals = 0;               // lines about signals
  std::vector<StraceCall> calls;    // by position
  std::vector<std::string> broken;  // "12: what is wrong: the line", at most kMaxBroken
  size_t broken_lines = 0;
  size_t unfinished = 0;  // calls whose end the log does not hold
};
inline constexpr size_t kMaxBroken = 20;

StraceLog ReadStraceLog(std::string_view text);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_STRACE_LOG_H_
