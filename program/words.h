// Building and taking apart text: joining, splitting into words, reading numbers.
//
// Works on std::string_view, which Abseil built for C++14 does not take. Knows nothing of programs.
// Linear in the text; only Concat and Append allocate.
#ifndef MMDIFF_PROGRAM_WORDS_H_
#define MMDIFF_PROGRAM_WORDS_H_

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

#include "absl/status/status.h"

namespace mmdiff {

inline void AppendPiece(std::string* out, std::string_view piece) { out->append(piece); }
template <typename Int, std::enable_if_t<std::is_integral_v<Int>, int> = 0>
void AppendPiece(std::string* out, Int number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  out->append(digits, end);
}

// Appends the pieces, each text or an integer (in decimal; a char is a number too: pass text).
template <typename... Pieces>
void Append(std::string* out, const Pieces&... pieces) {
  (AppendPiece(out, pieces), ...);
}
template <typename... Pieces>
std::string Concat(const Pieces&... pieces) {
  std::string out;
  Append(&out, pieces...);
  return out;
}
// InvalidArgument with the joined pieces as message.
template <typename... Pieces>
absl::Status Invalid(const Pieces&... pieces) {
  return absl::InvalidArgumentError(Concat(pieces...));
}

inline bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Without blanks at both ends.
inline std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

// Takes the next word off `rest`: what stands before the next blank. Empty if there is none.
inline std::string_view TakeWord(std::string_view* rest) {
  while (!rest->empty() && IsBlank(rest->front())) rest->remove_prefix(1);
  size_t end = 0;
  while (end < rest->size() && !IsBlank((*rest)[end])) ++end;
  const std::string_view word = rest->substr(0, end);
  rest->remove_prefix(end);
  return word;
}

// Takes the part before the next `separator`, and the separator, off `rest`.
inline std::string_view TakePart(std::string_view* rest, char separator) {
  const size_t end = rest->find(separator);
  const std::string_view part = rest->substr(0, end);
  rest->remove_prefix(end == std::string_view::npos ? rest->size() : end + 1);
  return part;
}

// Reads all of `text` as a number, decimal or 0x hexadecimal. False if it is none or does not fit.
template <typename Int>
bool ReadNumber(std::string_view text, Int* number) {
  int base = 10;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    text.remove_prefix(2);
    base = 16;
  }
  if (text.empty()) return false;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, *number, base);
  return result.ec == std::errc() && result.ptr == end;
}

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_WORDS_H_
