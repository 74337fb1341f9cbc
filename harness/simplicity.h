// The order of simplicity: which of two programs a person would rather read.
//
// A total order in the manner of shortlex: fewer operations first, then simpler operations, then
// arguments closer to the simplest, and at last a plain comparison of the fields, so that two
// programs are equal in it only if worlds and operations are equal. The reducer accepts only what
// is smaller in it; the store of findings keeps the smaller of two programs with one signature.
// Expectations do not count. It runs nothing; measuring is O(operations).
#ifndef MMDIFF_HARNESS_SIMPLICITY_H_
#define MMDIFF_HARNESS_SIMPLICITY_H_

#include <compare>
#include <cstdint>

#include "program/program.h"

namespace mmdiff {

// What a reader has to keep in mind, the weightiest first. Each number is a sum over the program.
struct Complexity {
  uint64_t ops = 0;         // operations
  uint64_t opcodes = 0;     // place of each in ops.def, which goes from the ordinary to the special
  uint64_t odd_worlds = 0;  // world fields that are not the default
  uint64_t objects = 0;     // how far each handle is from the first of its kind
  uint64_t pages = 0;       // lengths
  uint64_t flags = 0;       // flag bits, protections and orders that are not the simplest
  uint64_t places = 0;      // nodes, CPUs and threads that are not the first
  uint64_t addresses = 0;   // page numbers and file offsets
  uint64_t world_values = 0;  // values of the fields counted in odd_worlds

  auto operator<=>(const Complexity&) const = default;
};

Complexity ComplexityOf(const Program& program);

// The total order. less means that `a` is simpler. O(operations).
std::strong_ordering CompareSimplicity(const Program& a, const Program& b);
inline bool Simpler(const Program& a, const Program& b) { return CompareSimplicity(a, b) < 0; }

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_SIMPLICITY_H_
