#include "kernel/report.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "program/words.h"

namespace mmdiff {
namespace {

struct Pattern {
  const char* text;
  const char* kind;
};
// The first that a line contains gives its kind, so what is special stands before what is general.
constexpr Pattern kPatterns[] = {
    {"BUG: KASAN: ", "kasan"},
    {"KASAN: null-ptr-deref", "kasan"},
    {"BUG: Bad page ", "bad_page"},
    {"BUG: Bad rss-counter state", "rss"},
    {"kernel BUG at ", "bug"},
    {"BUG: failure at ", "bug"},
    {"WARNING: possible ", "lockdep"},
    {"WARNING: inconsistent lock", "lockdep"},
    {"WARNING: bad unlock balance", "lockdep"},
    {"WARNING: bad contention", "lockdep"},
    {"WARNING: held lock freed", "lockdep"},
    {"WARNING: lock held when returning", "lockdep"},
    {"WARNING: suspicious RCU", "lockdep"},
    {"WARNING: Nested lock was not taken", "lockdep"},
    {"BUG: Invalid wait context", "lockdep"},
    {"BUG: MAX_LOCK", "lockdep"},
    {"BUG: soft lockup", "hang"},
    {"BUG: workqueue lockup", "hang"},
    {"INFO: rcu_", "hang"},
    {"INFO: task ", "hang"},
    {"WARNING: ", "warning"},
    {"BUG: kernel NULL pointer", "oops"},
    {"BUG: unable to handle", "oops"},
    {"Unable to handle", "oops"},
    {"Segfault with no mm", "oops"},
    {"general protection fault", "oops"},
    {"PANIC: double fault", "oops"},
    {"invalid opcode: 0000", "oops"},
    {"divide error: 0000", "oops"},
    {"stack segment: 0000", "oops"},
    {"Kernel mode fault at", "oops"},
    {"Oops: ", "oops"},
    {"BUG: ", "bug"},
    {"Kernel panic - not syncing", "oops"},
};

// Functions that report, and so stand at the top of a call trace without being where it happened.
constexpr std::string_view kReporters[] = {
    "__dump_stack",
    "dump_stack",
    "dump_stack_lvl",
    "show_stack",
    "bad_page",
    "print_bad_pte",
    "print_bad_page_map",
    "free_page_is_bad_report",
    "check_new_page_bad",
    "dump_page",
    "panic",
    "vpanic",
    "check_panic_on_warn",
    "__warn",
    "warn_slowpath_fmt",
    "__report_bug",
    "report_bug",
    "handle_bug",
    "exc_invalid_op",
    "asm_exc_invalid_op",
    "oops_end",
    "page_fault_oops",
    "exc_page_fault",
    "asm_exc_page_fault",
    "check_mm",
    "kasan_report",
    "print_report",
    "lockdep_rcu_suspicious",
    "print_circular_bug",
    "check_noncircular",
    "__lock_acquire",
    "lock_acquire",
    "segv",
    "segv_handler",
    "sig_handler",
    "__might_resched",
};

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool IsNameChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '$';
}

// "<4>[    0.123456][    T1] text" without what stands before the text.
std::string_view WithoutStamp(std::string_view line) {
  line = Trim(line);
  if (line.size() > 3 && line[0] == '<' && line[2] == '>') line.remove_prefix(3);
  while (!line.empty() && line[0] == '[') {
    const size_t close = line.find(']');
    if (close == std::string_view::npos || close > 24) break;
    const std::string_view inside = Trim(line.substr(1, close - 1));
    const bool stamp = !inside.empty() && std::all_of(inside.begin(), inside.end(), [](char c) {
      return std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.' || c == 'T' || c == 'C';
    });
    if (!stamp) break;
    line = Trim(line.substr(close + 1));
  }
  return line;
}

// The name in "fn+0x12/0x34" or "fn.isra.0+0x12", without what the compiler appends; empty if the
// text has none.
std::string FunctionIn(std::string_view text) {
  const size_t plus = text.find("+0x");
  if (plus == std::string_view::npos) return "";
  size_t begin = plus;
  while (begin > 0 && IsNameChar(text[begin - 1])) --begin;
  const std::string_view name = text.substr(begin, plus - begin);
  return std::string(name.substr(0, name.find('.')));
}

std::string_view TakeLine(std::string_view* text) {
  const size_t end = text->find('\n');
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return line;
}

const Pattern* PatternOf(std::string_view line) {
  for (const Pattern& p : kPatterns) {
    if (Contains(line, p.text)) return &p;
  }
  return nullptr;
}

// What stands between the two, or nothing.
std::string Between(std::string_view text, std::string_view before, std::string_view after) {
  const size_t begin = text.find(before);
  if (begin == std::string_view::npos) return "";
  text.remove_prefix(begin + before.size());
  const size_t end = text.find_first_of(after);
  return end == std::string_view::npos ? "" : std::string(text.substr(0, end));
}

// What the line of the report itself says of the place.
std::string WhereInTitle(std::string_view kind, std::string_view line) {
  if (kind == "rss") return Between(line, "type:", " ");
  if (Contains(line, "BUG: failure at ")) {
    // "BUG: failure at mm/rmap.c:12/fn()!"
    std::string function = Between(line.substr(line.find(" at ") + 4), ":", "(");
    return function.substr(std::min(function.size(), function.find('/') + 1));
  }
  return FunctionIn(line);
}

// The place from what follows the report: where the instruction pointer was, else the first caller
// that is not there to report.
std::string WhereBelow(std::string_view rest) {
  bool in_trace = false;
  while (!rest.empty()) {
    const std::string_view line = WithoutStamp(TakeLine(&rest));
    if (line.starts_with("RIP:")) {
      std::string function = FunctionIn(line);
      if (!function.empty()) return function;
      continue;
    }
    if (line.starts_with("Call Trace:")) {
      in_trace = true;
      continue;
    }
    // An address may stand before the name, and "? " marks what may be stale.
    if (!in_trace || Contains(line, "? ")) continue;
    std::string function = FunctionIn(line);
    const bool reporter =
        std::find(std::begin(kReporters), std::end(kReporters), function) != std::end(kReporters);
    if (!function.empty() && !reporter) return function;
  }
  return "";
}

}  // namespace

KernelReport ReadKernelReport(std::string_view console) {
  KernelReport report;
  std::string_view rest = console;
  std::string dumped;  // the condition that a page was dumped for, told before the report
  bool trace = false;
  while (!rest.empty()) {
    const std::string_view line = WithoutStamp(TakeLine(&rest));
    constexpr std::string_view kDumped = "page dumped because: ";
    if (const size_t at = line.find(kDumped); at != std::string_view::npos) {
      dumped = std::string(line.substr(at + kDumped.size()));
      continue;
    }
    trace |= line.starts_with("RIP:") || line.starts_with("Call Trace:");
    const Pattern* pattern = PatternOf(line);
    if (pattern == nullptr) continue;
    report.kind = pattern->kind;
    report.title = std::string(line);
    report.where = WhereInTitle(report.kind, line);
    if (report.where.empty()) report.where = WhereBelow(rest);
    if (report.where.empty() && report.kind == "bug") report.where = Between(line, " at ", "!");
    if (!dumped.empty() && (report.kind == "bug" || report.kind == "warning")) {
      Append(&report.title, " (", dumped, ")");
    }
    return report;
  }
  if (trace) {  // the beginning is lost
    report.kind = "oops";
    report.where = WhereBelow(console);
    report.title = "a report whose beginning is lost";
  }
  return report;
}

}  // namespace mmdiff
