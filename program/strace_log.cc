#include "program/strace_log.h"

#include <algorithm>
#include <map>
#include <utility>

#include "program/words.h"

namespace mmdiff {
namespace {

constexpr std::string_view kUnfinished = "<unfinished ...>";
constexpr std::string_view kResumed = " resumed>";

bool StartsWith(std::string_view text, std::string_view head) {
  return text.substr(0, head.size()) == head;
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameChar(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || c == '_'; }

// Takes "[pid 12] ", "12 " and time stamps off the line.
uint32_t TakePrefix(std::string_view* line) {
  uint32_t pid = 0;
  if (StartsWith(*line, "[pid")) {
    const size_t end = line->find(']');
    if (end == std::string_view::npos) return 0;
    if (!ReadNumber(Trim(line->substr(4, end - 4)), &pid)) return 0;
    *line = Trim(line->substr(end + 1));
  }
  while (!line->empty() && IsDigit((*line)[0])) {
    std::string_view rest = *line;
    const std::string_view word = TakeWord(&rest);
    const bool digits = std::all_of(word.begin(), word.end(), IsDigit);
    const bool time = std::all_of(word.begin(), word.end(),
                                  [](char c) { return IsDigit(c) || c == ':' || c == '.'; });
    if (digits && pid == 0) {
      if (!ReadNumber(word, &pid)) break;
    } else if (!time) {
      break;
    }
    *line = Trim(rest);
  }
  return pid;
}

// Splits at the commas outside quotes, braces and comments, up to the parenthesis that closes the
// call. `end` is the place behind it. False if nothing closes it.
bool SplitArgs(std::string_view text, std::vector<std::string>* args, size_t* end) {
  int depth = 0;
  size_t start = 0;
  const auto take = [&](size_t stop) {
    const std::string_view arg = Trim(text.substr(start, stop - start));
    if (!arg.empty() || !args->empty()) args->emplace_back(arg);
    start = stop + 1;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\') ++i;
      }
    } else if (c == '(' || c == '{' || c == '[') {
      ++depth;
    } else if (c == ')' && depth == 0) {
      take(i);
      *end = i + 1;
      return true;
    } else if (c == ')' || c == '}' || c == ']') {
      --depth;
    } else if (c == ',' && depth == 0) {
      take(i);
    }
  }
  return false;
}

bool MakesProcess(std::string_view name) {
  return name == "clone" || name == "clone3" || name == "fork" || name == "vfork";
}

class LogReader {
 public:
  StraceLog Run(std::string_view text) {
    while (!text.empty()) {
      const std::string_view line = Trim(TakePart(&text, '\n'));
      ++log_.lines;
      if (!line.empty()) Whole(line);
    }
    log_.unfinished = open_.size();
    std::stable_sort(
        log_.calls.begin(), log_.calls.end(),
        [](const StraceCall& a, const StraceCall& b) { return a.position < b.position; });
    return std::move(log_);
  }

 private:
  struct Open {
    size_t line;
    std::string text;  // the call up to where it was interrupted
  };

  void Broken(std::string_view line, std::string_view why) {
    constexpr size_t kShown = 80;
    ++log_.broken_lines;
    if (log_.broken.size() < kMaxBroken) {
      log_.broken.push_back(Concat(log_.lines, ": ", why, ": ", line.substr(0, kShown)));
    }
  }

  // Where the log goes to the terminal, strace's own messages break lines: the first part of a call
  // is kept until its rest comes.
  void Whole(std::string_view line) {
    const size_t message = line.find("strace: Process ");
    if (message != std::string_view::npos && line.find('"') > message) {
      if (message > 0) head_ = std::string(line.substr(0, message));
      return;
    }
    const bool goes_on = line[0] == ',' || line[0] == ')' || StartsWith(line, kUnfinished);
    if (!goes_on || head_.empty()) return Line(line);
    head_.append(line);
    Line(head_);
    head_.clear();
  }

  void Line(std::string_view line) {
    const std::string_view whole = line;
    const uint32_t pid = TakePrefix(&line);
    if (StartsWith(line, "---")) {
      ++log_.signals;
    } else if (StartsWith(line, "+++")) {
      StraceCall end;
      end.line = end.position = log_.lines;
      end.pid = pid;
      end.name = "+++";
      log_.calls.push_back(std::move(end));
    } else if (StartsWith(line, "<... ")) {
      Resume(pid, line, whole);
    } else if (line.size() >= kUnfinished.size() &&
               line.substr(line.size() - kUnfinished.size()) == kUnfinished) {
      line.remove_suffix(kUnfinished.size());
      open_[pid] = {log_.lines, std::string(Trim(line))};
    } else {
      Call(pid, line, whole, log_.lines);
    }
  }

  void Resume(uint32_t pid, std::string_view line, std::string_view whole) {
    const size_t at = line.find(kResumed);
    auto open = open_.find(pid);
    // The process is not named any more when it is the only one left.
    if (open == open_.end() && pid == 0 && open_.size() == 1) open = open_.begin();
    if (at == std::string_view::npos || open == open_.end()) {
      Broken(whole, "a call is resumed that was not interrupted before");
      return;
    }
    pid = open->first;
    const size_t started = open->second.line;
    const std::string text = open->second.text + std::string(line.substr(at + kResumed.size()));
    open_.erase(open);
    Call(pid, text, whole, started);
  }

  void Call(uint32_t pid, std::string_view line, std::string_view whole, size_t started) {
    size_t name_end = 0;
    while (name_end < line.size() && IsNameChar(line[name_end])) ++name_end;
    if (name_end == 0 || name_end == line.size() || line[name_end] != '(') {
      Broken(whole, "expected a system call such as mmap(...) = 0x7f00");
      return;
    }
    StraceCall call;
    call.line = log_.lines;
    call.pid = pid;
    call.name = std::string(line.substr(0, name_end));
    call.position = MakesProcess(call.name) ? started : log_.lines;
    line.remove_prefix(name_end + 1);
    size_t end = 0;
    if (!SplitArgs(line, &call.args, &end)) {
      Broken(whole, "the parenthesis of the call is not closed");
      return;
    }
    line = Trim(line.substr(end));
    if (line.empty() || line[0] != '=') {
      Broken(whole, "expected '= result' behind the call");
      return;
    }
    call.result = std::string(Trim(line.substr(1)));
    log_.calls.push_back(std::move(call));
  }

  StraceLog log_;
  std::map<uint32_t, Open> open_;
  std::string head_;
};

}  // namespace

bool StraceCall::Number(size_t i, uint64_t* number) const {
  if (i >= args.size()) return false;
  if (args[i] == "NULL") {
    *number = 0;
    return true;
  }
  // "3</lib/libc.so>" is a number, too.
  const std::string_view word(args[i]);
  return ReadNumber(word.substr(0, word.find('<')), number);
}

bool StraceCall::ResultNumber(uint64_t* number) const {
  std::string_view rest = result;
  const std::string_view word = TakeWord(&rest);
  return ReadNumber(word.substr(0, word.find('<')), number);
}

StraceLog ReadStraceLog(std::string_view text) { return LogReader().Run(text); }

}  // namespace mmdiff
