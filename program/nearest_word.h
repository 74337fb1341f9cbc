// Hints for mistyped words: which known word is nearest.
//
// For error messages only. O(words x length^2); allocates.
#ifndef MMDIFF_PROGRAM_NEAREST_WORD_H_
#define MMDIFF_PROGRAM_NEAREST_WORD_H_

#include <string>
#include <string_view>

#include "absl/types/span.h"

namespace mmdiff {

// Number of insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
size_t EditDistance(std::string_view a, std::string_view b);
// "; did you mean 'write'?" if a known word is near enough, else "".
std::string DidYouMean(std::string_view word, absl::Span<const std::string_view> known);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_NEAREST_WORD_H_
