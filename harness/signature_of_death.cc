// SignatureOfDeath: what the last words of a process say of its bug.
#include <csignal>

#include "harness/signature.h"
#include "program/words.h"

namespace mmdiff {
namespace {

// What follows `marker` on its line; false if the text does not have it.
bool After(std::string_view text, std::string_view marker, std::string_view* rest) {
  const size_t at = text.find(marker);
  if (at == std::string_view::npos) return false;
  text.remove_prefix(at + marker.size());
  *rest = text.substr(0, text.find('\n'));
  return true;
}

// The part before the first of `ends`.
std::string_view Before(std::string_view text, std::string_view ends) {
  return text.substr(0, text.find_first_of(ends));
}

// "alignment error of 8 bytes at 0x7f": numbers say where, not what.
std::string WithoutNumbers(std::string_view text) {
  std::string out;
  for (std::string_view rest = text, word; !(word = TakeWord(&rest)).empty();) {
    if (word.find_first_of("0123456789") == std::string_view::npos)
      Append(&out, out.empty() ? "" : " ", word);
  }
  return out;
}

std::string Dashed(std::string_view text) {
  std::string out;
  for (std::string_view rest = text, word; !(word = TakeWord(&rest)).empty();) {
    Append(&out, out.empty() ? "" : "-", word);
  }
  return out;
}

// AddressSanitizer: "heap-use-after-free on address ...", "attempting double-free on ...",
// "SEGV on unknown address ...", "requested allocation size ... exceeds".
std::string AsanKind(std::string_view text) {
  const size_t on = text.find(" on ");
  std::string_view kind =
      on == std::string_view::npos ? Before(text, "(0123456789") : text.substr(0, on);
  constexpr std::string_view kAttempting = "attempting ";
  if (kind.substr(0, kAttempting.size()) == kAttempting) kind.remove_prefix(kAttempting.size());
  return Dashed(kind);
}

std::string SignalName(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGILL:
      return "SIGILL";
    case SIGFPE:
      return "SIGFPE";
    case SIGABRT:
      return "SIGABRT";
    case SIGTRAP:
      return "SIGTRAP";
    case SIGKILL:
      return "SIGKILL";
    case SIGXCPU:
      return "SIGXCPU";
    default:
      return Concat("signal", signal);
  }
}

// assert() of the C library: "prog: file.cc:12: void f(): Assertion `x == y' failed."
bool AssertText(std::string_view text, std::string_view* out) {
  std::string_view rest;
  if (!After(text, "Assertion `", &rest)) return false;
  *out = rest.substr(0, rest.rfind("' failed"));
  return true;
}

}  // namespace

Signature SignatureOfDeath(std::string_view stderr_text, int signal, std::string_view op) {
  std::string_view rest;
  // An assertion comes first: under a sanitizer its abort is reported once more, as SEGV or ABRT.
  if (After(stderr_text, "BUG: ", &rest)) return BugSignature(WithoutNumbers(rest), op);
  if (AssertText(stderr_text, &rest)) return BugSignature(rest, op);
  if (After(stderr_text, "AddressSanitizer: ", &rest))
    return SanitizerSignature("asan", AsanKind(rest), op);
  if (After(stderr_text, "MemorySanitizer: ", &rest))
    return SanitizerSignature("msan", AsanKind(rest), op);
  if (After(stderr_text, "ThreadSanitizer: ", &rest)) {
    return SanitizerSignature("tsan", Dashed(Before(rest, "(")), op);
  }
  if (After(stderr_text, "LeakSanitizer: ", &rest))
    return SanitizerSignature("lsan", Dashed(rest), op);
  if (After(stderr_text, "runtime error: ", &rest)) {
    return SanitizerSignature("ubsan", Dashed(WithoutNumbers(Before(rest, ":,'"))), op);
  }
  return CrashSignature(signal != 0 ? SignalName(signal) : "exit", op);
}

}  // namespace mmdiff
