// Signature: what makes two findings one bug.
//
// Made from the relation broken, the operation's kind, the classes of the objects involved
// (anonymous or file, small or large, swap or migration entry, locked VMA, pinned) and the
// partition of the implementations; never from addresses, counts or positions. The text form is
// short and safe as a file name. Costs a few lookups in the states of the divergence.
#ifndef MMDIFF_HARNESS_SIGNATURE_H_
#define MMDIFF_HARNESS_SIGNATURE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "harness/lockstep.h"

namespace mmdiff {

struct Signature {
  std::string text;   // "pte.write-pageout-anon_large-reference_vs_model"; [A-Za-z0-9._-]+ and at
                      // most 120 long
  uint64_t hash = 0;  // of all parts before they were shortened
  // Of all parts but the partition: the same bug seen between differently named implementations.
  uint64_t what = 0;

  // text and the hash in hex: the name of a directory under crashes/.
  std::string FileName() const;
  bool operator==(const Signature& o) const { return hash == o.hash && text == o.text; }
};

// Signature of a run that did not end in ok: divergence, invariant, expectation or fault of the
// harness.
Signature SignatureOf(const RunResult& result);

// The record that a divergence is about: that of its first difference, or, if that lies in an
// answer or a choice, the page that the operation names. False if there is neither.
bool ObjectOf(const Divergence& divergence, RecordKey* key);

// Classes of the object behind `diff` in either state of the divergence, sorted: "anon", "large",
// "migration", "locked_vma", ... Also useful in reports.
std::vector<std::string> ObjectClasses(const Divergence& divergence, const FieldDiff& diff);

// Signatures of an implementation that died: by a signal ("crash-SIGSEGV-fork"), with a sanitizer's
// report
// ("asan-heap-use-after-free-fork"), at a failed assertion ("bug-text_of_it-fork") or at its time
// limit
// ("hang-fork"). `op` is the name of the operation that ran, empty if unknown.
Signature CrashSignature(std::string_view signal_name, std::string_view op);
Signature SanitizerSignature(std::string_view sanitizer, std::string_view kind,
                             std::string_view op);
Signature BugSignature(std::string_view assert_text, std::string_view op);
Signature HangSignature(std::string_view op);

// Reads the last lines that a dead child wrote (AddressSanitizer, UBSan, TSan, LeakSanitizer
// reports, a line "BUG: text" or an assert) and its signal number (0 if it left by exit). Prefers
// the report to the signal.
Signature SignatureOfDeath(std::string_view stderr_text, int signal, std::string_view op);

// Lower case, runs of anything but [a-z0-9] become one '_', at most `max` characters.
std::string Slug(std::string_view text, size_t max);

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_SIGNATURE_H_
