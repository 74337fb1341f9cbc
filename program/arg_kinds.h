// What an argument kind can do: generate, mutate, fix up, shrink, print and parse a value.
//
// Nothing here knows what an operation does to memory; ArgContext only remembers which handles the
// earlier operations bound and which ranges they named. All calls are O(1) but ArgContext::Scan
// (O(ops)) and allocate nothing but the strings and vectors they are given.
#ifndef MMDIFF_PROGRAM_ARG_KINDS_H_
#define MMDIFF_PROGRAM_ARG_KINDS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "program/program.h"
#include "program/random.h"

namespace mmdiff {

struct ArgKindDesc {
  ArgKind kind;
  const char* name;  // "Vpn"
  const char* form;  // its text form, for messages
  const char* doc;
  char prefix;             // of a handle's label ('m' for m0); 0 if the kind is no handle
  bool has_default;        // may be left out at the end of a line
  uint32_t default_value;  // what it is then
};
const ArgKindDesc& DescOf(ArgKind kind);
const std::array<ArgKindDesc, kArgKinds>& AllArgKinds();
inline constexpr bool IsHandle(ArgKind kind) { return kind <= ArgKind::kZap; }
inline constexpr size_t kHandleKinds = static_cast<size_t>(ArgKind::kZap) + 1;

// How many handles of each kind are bound so far.
struct HandleCounts {
  std::array<uint32_t, kHandleKinds> n{};
  uint32_t operator[](ArgKind kind) const { return n[static_cast<size_t>(kind)]; }
  // Counts what `op` binds. Returns the index it got, or 0 if it binds nothing.
  uint32_t Add(const Op& op);
  // Counts what the ops [0, end) of a program bind.
  static HandleCounts Of(const Program& program, size_t end);
};

// A range that an earlier operation mapped.
struct HotPlace {
  uint32_t mm = 0, vpn = 0, npages = 0;
};

// What generation knows about the program up to some operation. Fixed size, copied freely.
class ArgContext {
 public:
  explicit ArgContext(const World& world);
  // Takes one more operation into account; O(1).
  void Note(const Op& op);
  // Notes ops [0, end) of `program`; O(end).
  void Scan(const Program& program, size_t end);

  const World& world() const { return world_; }
  const HandleCounts& bound() const { return bound_; }
  // A handle of this kind that is probably alive: mostly one of the few newest that nothing has
  // spent, now and then any. 0 if none was bound; for File sometimes kNoFile.
  uint32_t PickHandle(ArgKind kind, Random* rnd) const;
  // True if a handle of this kind was bound and nothing noted has spent it.
  bool HasLive(ArgKind kind) const;
  // A range in use, preferably of this mm; {mm, 0, 0} if none is known.
  HotPlace PickPlace(uint32_t mm, Random* rnd) const;

 private:
  static constexpr uint32_t kHot = 8;      // live handles remembered of a kind
  static constexpr uint32_t kPlaces = 24;  // ranges remembered
  struct Live {
    std::array<uint32_t, kHot> id{};
    uint32_t n = 0;
  };
  void Spend(ArgKind kind, uint32_t id);
  void AddPlace(HotPlace place);

  World world_;
  HandleCounts bound_;
  std::array<Live, kHandleKinds> live_{};
  std::array<HotPlace, kPlaces> places_{};
  uint32_t next_place_ = 0, places_used_ = 0;
};

// What the arguments of one operation share: the range they are about. Arguments are made in text
// order, so that the vpn follows the mm and the length follows the vpn.
struct ArgFocus {
  HotPlace place;
  uint32_t vpn = 0;
  uint32_t file = kNoFile;
};

// A new value. Uses and updates `focus`.
uint32_t GenerateArg(ArgKind kind, const ArgContext& context, ArgFocus* focus, Random* rnd);
// A value near the old one or a new one; may be the same.
uint32_t MutateArg(ArgKind kind, uint32_t value, const ArgContext& context, Random* rnd);
// The nearest allowed value; idempotent. `bound` counts the handles bound before the operation. A
// handle that refers to none becomes the newest; the caller sees to it that there is one (except
// for File).
uint32_t FixupArg(ArgKind kind, uint32_t value, const World& world, const HandleCounts& bound);
// True if FixupArg would leave the value, and a handle of the kind exists.
bool ArgIsValid(ArgKind kind, uint32_t value, const World& world, const HandleCounts& bound);
// What ArgIsValid wants, in words: "a page number below 256 (the arena)".
std::string ArgExpected(ArgKind kind, const World& world, const HandleCounts& bound);
// Simplicity: shrinking only ever lowers it, so it ends. Equal costs mean equal values.
uint32_t ArgCost(ArgKind kind, uint32_t value);
// Replaces `out` with valid values of lower cost, the simplest first; at most about 16.
void ShrinkArg(ArgKind kind, uint32_t value, const World& world, std::vector<uint32_t>* out);
// Appends the canonical text.
void PrintArg(ArgKind kind, uint32_t value, std::string* out);
std::string ArgText(ArgKind kind, uint32_t value);
// The value of one word. For a handle the number of the label. Checks the form, not the range.
// InvalidArgument says what is expected and, for names, what was probably meant.
absl::StatusOr<uint32_t> ParseArg(ArgKind kind, std::string_view word);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_ARG_KINDS_H_
