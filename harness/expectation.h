// Expectations: what the text of a program says should come of an operation or of the state after
// it.
//
//   => ok | => ENOMEM | => ok 3     errno and, optionally, the value of the operation above
//   ? m0 0x40 WORD...               the page-table entry, its page and its folio
//   ? m0 WORD...                    the process
//   ? f0 3 WORD...                  page 3 of file f0 in the page cache
//   ? stat WORD...                  the global statistics
//   ? swap 5 WORD...                a swap slot
//
// In a program a line starts with "#? " for a question and ends in "# => " for a result.
// A WORD is a flag ("write"), its negation ("!write"), a number ("refcount=2",
// "content=0x100000040") or a name ("lru=inactive_anon"). ExpectationWords() lists all of them by
// subject. A word that asks for what is not there (the folio of a swap entry) is false, and "none"
// is true where there is no entry. Reads a canonical State and changes nothing; costs the size of
// the text plus a few binary searches.
#ifndef MMDIFF_HARNESS_EXPECTATION_H_
#define MMDIFF_HARNESS_EXPECTATION_H_

#include <string>
#include <string_view>
#include <vector>

#include "harness/op_handler.h"
#include "state/state.h"

namespace mmdiff {

enum class ExpectationVerdict { holds, fails, malformed };

struct ExpectationResult {
  ExpectationVerdict verdict = ExpectationVerdict::holds;
  std::string
      message;  // empty if it holds; else what was expected and what is, or what is wrong with it
};

// True if `text` asks for the state and not only for the result, so that a snapshot is needed.
bool ExpectsState(std::string_view text);

// Evaluates one expectation. `state` may be empty for a "=>" expectation.
ExpectationResult EvaluateExpectation(std::string_view text, const OpResult& result,
                                      const State& state);

struct ExpectationWord {
  const char* subject;  // "pte", "mm", "page cache", "stat", "swap"
  const char* word;     // "write", "refcount="
  const char* doc;
};
const std::vector<ExpectationWord>& ExpectationWords();

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_EXPECTATION_H_
