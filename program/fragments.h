// Fragments: short runs of operations that belong together, with random parameters.
//
// A fragment is a shape that bugs have had (pin then fork, lock then migrate, ...), not a fixed
// program: addresses, lengths, CPUs and which operation comes between are drawn each time.
// Operations of the program are never looked at or changed. O(length of the fragment).
#ifndef MMDIFF_PROGRAM_FRAGMENTS_H_
#define MMDIFF_PROGRAM_FRAGMENTS_H_

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "program/arg_kinds.h"
#include "program/program.h"
#include "program/random.h"

namespace mmdiff {

// Collects the operations of a fragment and keeps the context up to date.
class FragmentBuilder {
 public:
  // Operations are appended to `out`. `context` has seen all operations before them; it is updated.
  FragmentBuilder(ArgContext* context, Random* rnd, std::vector<Op>* out);

  // Appends an operation on the current CPU; returns the index of the handle it binds, or 0.
  uint32_t Add(Opcode code, std::initializer_list<uint32_t> args);
  // Appends a random operation about this range.
  void AddBetween(uint32_t mm, uint32_t vpn, uint32_t npages);
  void OnCpu(uint32_t cpu) { cpu_ = static_cast<uint8_t>(cpu); }
  uint32_t OtherCpu() const;

  // A process to work in: a live one, or a new one if there is none.
  uint32_t Mm();
  // A range of at least `min` pages, written to; a hot one or a new private anonymous mapping.
  HotPlace Range(uint32_t mm, uint32_t min);
  // A new private anonymous mapping of a length that folio orders and tables make interesting.
  HotPlace NewRange(uint32_t mm, uint32_t min);
  // Part of a range: all of it, a half, a page, or all but a page.
  HotPlace Part(const HotPlace& whole);

  Random& rnd() { return *rnd_; }
  const ArgContext& context() const { return *context_; }
  const World& world() const { return context_->world(); }

 private:
  ArgContext* context_;
  Random* rnd_;
  std::vector<Op>* out_;
  uint8_t cpu_ = 0;
};

struct Fragment {
  const char* name;
  const char* doc;
  void (*emit)(FragmentBuilder& b);
};
absl::Span<const Fragment> AllFragments();
// The fragment of this name, or nullptr.
const Fragment* FindFragment(std::string_view name);
// Appends a random fragment to `out`.
void EmitRandomFragment(ArgContext* context, Random* rnd, std::vector<Op>* out);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_FRAGMENTS_H_
