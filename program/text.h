// The text form of programs: the form on disk, in logs, in documents and in tests.
//
// The printer is canonical: ParseText(PrintText(p)) == p for every valid program, and
// PrintText(ParseText(t)) == t for canonical text. The parser is strict: it never guesses and never
// repairs. Both are linear in the size of the text.
#ifndef MMDIFF_PROGRAM_TEXT_H_
#define MMDIFF_PROGRAM_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "program/program.h"

namespace mmdiff {

struct ParseOptions {
  // Put before line:column in messages, as "file:3:8: ..."; empty: "3:8: ...".
  std::string file_name;
  // The text is a piece of a program: the lines `# mmdiff 1` and `world ...` may be missing.
  bool snippet = false;
};

// InvalidArgument carries line:column, the offending word and a hint. The result passes Validate.
absl::StatusOr<Program> ParseText(std::string_view text, const ParseOptions& options = {});
// The canonical text of a valid program, ending in a newline.
std::string PrintText(const Program& program);
// One line of it without newline and expectations: "m1 = fork m0 @cpu1". `result_handle` is the
// index that a binding operation has.
std::string PrintOp(const Op& op, uint32_t result_handle);
// The same for operation `index` of a program; O(index).
std::string PrintOpAt(const Program& program, size_t index);

// Checks the text of an expectation of a result ("=> ok 3"); gives it in canonical form.
absl::StatusOr<std::string> CanonicalResult(std::string_view text);
// "=> ok", "=> ok 3", "=> ENOMEM", "=> ENOMEM 3": the value is printed if it is not 0.
std::string ResultText(int32_t err, uint32_t value);
// What an expectation of a result says. False if `text` is not one. `has_value` tells if it names
// one.
bool ParseResultText(std::string_view text, int32_t* err, bool* has_value, uint32_t* value);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_TEXT_H_
