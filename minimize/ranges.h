// Which arguments of an operation name a range, and edits of it; shared by the passes.
//
// Nothing here knows what an operation does. All O(arguments) but RangeThroughHandle
// (O(operations)).
#ifndef MMDIFF_MINIMIZE_RANGES_H_
#define MMDIFF_MINIMIZE_RANGES_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "program/program.h"

namespace mmdiff {

inline constexpr size_t kNoArg = kMaxArgs;

// Position of the first argument of `kind`, or kNoArg.
size_t ArgOf(Opcode code, ArgKind kind);

// Pages [vpn, vpn + npages) that an operation names; npages is 1 if it names a single page.
struct Range {
  uint32_t vpn = 0;
  uint32_t npages = 1;
  uint32_t end() const { return vpn + npages; }
  bool Overlaps(const Range& o) const { return vpn < o.end() && o.vpn < end(); }
  bool operator==(const Range&) const = default;
  auto operator<=>(const Range&) const = default;
};
std::optional<Range> RangeOf(const Op& op);
// The range of operation `index`, or, if it works on a handle (migrate_end g0), that of the
// operation which bound the handle.
std::optional<Range> RangeThroughHandle(const Program& program, size_t index);

// Gives `op` the range [vpn, vpn + npages) where it has arguments for it; the file offset of a map
// moves along with its start.
void SetRange(Op* op, Range range);

// The first argument of `kind` of either operation, or the default of the kind (one page for a
// length). False if it is a handle that neither has.
bool ArgFrom(const Op& first, const Op* second, ArgKind kind, uint32_t* value);

}  // namespace mmdiff

#endif  // MMDIFF_MINIMIZE_RANGES_H_
