#include "program/nearest_word.h"

#include <algorithm>
#include <vector>

#include "program/words.h"

namespace mmdiff {

size_t EditDistance(std::string_view a, std::string_view b) {
  const size_t columns = b.size() + 1;
  std::vector<size_t> before(columns), above(columns), row(columns);
  for (size_t j = 0; j < columns; ++j) above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j < columns; ++j) {
      const size_t replace = above[j - 1] + (a[i - 1] != b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

std::string DidYouMean(std::string_view word, absl::Span<const std::string_view> known) {
  constexpr size_t kLongest = 40;  // nobody mistypes a keyword into more than this
  if (word.empty() || word.size() > kLongest) return "";
  std::string_view best;
  size_t best_distance = 1 + std::max<size_t>(1, word.size() / 3);
  for (const std::string_view candidate : known) {
    const size_t distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best.empty() ? "" : Concat("; did you mean '", best, "'?");
}

}  // namespace mmdiff
