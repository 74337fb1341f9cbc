// The language: what can be done to memory, as plain data.
//
// A Program is a World (the geometry of the machine) and a sequence of Ops. It knows nothing of any
// state or implementation. Everything about operations is expanded from ops.def, about argument
// kinds from arg_kinds.def, about geometry from world.def. Building and copying are O(size);
// nothing here allocates but the vectors of a Program.
#ifndef MMDIFF_PROGRAM_PROGRAM_H_
#define MMDIFF_PROGRAM_PROGRAM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

namespace mmdiff {

// Limits. Parsers and decoders refuse what is larger; fix-up cuts it off.
inline constexpr size_t kMaxOps = 16384;
inline constexpr size_t kMaxArgs = 6;
inline constexpr uint32_t kMaxArena = 1u << 16;  // pages of address space of one process
inline constexpr size_t kMaxTextBytes = 4u << 20;

struct World {
#define MMDIFF_WORLD(name, dflt, min, max, doc) uint32_t name = dflt;
#include "program/world.def"
  // Bit k set: folios of order k may be allocated at an anonymous fault. Bit 0 is always set; no
  // order exceeds log2(table). Text: "orders=0,2,4".
  uint32_t orders = (1u << 0) | (1u << 2) | (1u << 4);

  uint32_t arena() const { return table * tables; }  // pages; VPNs are [0, arena())
  bool operator==(const World&) const = default;
};

enum class ArgKind : uint8_t {
#define MMDIFF_ARG_KIND(Name, text, doc) k##Name,
#include "program/arg_kinds.def"
  kNone,  // "binds nothing" as a result kind
};
inline constexpr size_t kArgKinds = static_cast<size_t>(ArgKind::kNone);

enum class Opcode : uint8_t {
#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(name, result, weight, args, doc) name,
#include "program/ops.def"
};
inline constexpr size_t kOpcodes = 0
#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(name, result, weight, args, doc) +1
#include "program/ops.def"
    ;

// One operation. A handle argument holds the index among the program's ops that bind that kind (m1
// is the second of mm and fork ops), so it is known without running. Unused arguments are zero.
struct Op {
  Opcode code = Opcode::check;
  uint8_t thread = 0;  // for the threaded target only; sequential runs ignore it
  uint8_t cpu = 0;     // whose TLB and batches the operation uses
  uint8_t reserved = 0;
  uint32_t arg[kMaxArgs] = {};

  bool operator==(const Op&) const = default;
};
static_assert(std::is_trivially_copyable_v<Op> && sizeof(Op) == 28);

// Flag bits. The text form joins the names below with '|'; no bit prints as "0".
enum ProtBits : uint32_t { kProtNone = 0, kProtRead = 1, kProtWrite = 2 };  // write implies read
enum MapFlagBits : uint32_t {
  kMapRead = 1,  // same values as ProtBits; the pair prints as none | r | rw
  kMapWrite = 2,
  kMapShared = 4,    // MAP_SHARED; with no file this is shared anonymous memory
  kMapPopulate = 8,  // MAP_POPULATE
  kMapLocked = 16,   // MAP_LOCKED
  kMapFixed = 32,    // MAP_FIXED; otherwise MAP_FIXED_NOREPLACE
  kMapNoHuge = 64,   // followed at once by MADV_NOHUGEPAGE: only order-0 folios at faults
  kMapAllFlags = 127,
};
enum GupFlagBits : uint32_t {
  kGupWrite = 1,
  kGupLongterm = 2,
  kGupGet = 4,
  kGupFast = 8,
  kGupAllFlags = 15
};
enum TtuFlagBits : uint32_t { kTtuIgnoreMlock = 1, kTtuBatchFlush = 2, kTtuAllFlags = 3 };
// The File argument that means "no file".
inline constexpr uint32_t kNoFile = 0xffff;

struct ArgDesc {
  ArgKind kind = ArgKind::kNone;
  const char* name = "";
};
struct OpDesc {
  Opcode code;
  const char* name;
  ArgKind result;  // kNone, or the handle kind that a success binds
  int weight;
  const char* doc;
  size_t nargs;
  std::array<ArgDesc, kMaxArgs> args;
};
// The descriptor of `code`; O(1), never fails for a valid opcode.
const OpDesc& DescOf(Opcode code);
// All descriptors in the order of ops.def.
const std::array<OpDesc, kOpcodes>& AllOps();

// What the text said should come of an operation or of the state after it; see docs/language.md.
struct Expectation {
  uint32_t op_index = 0;  // checked after this operation
  uint32_t line = 0;      // where it was written, for messages; 0 if not from text
  std::string text;       // "=> ENOMEM", "=> ok 3", or "? m0 0x40 present !write refcount=2"
  bool operator==(const Expectation& o) const { return op_index == o.op_index && text == o.text; }
};

struct Program {
  World world;
  std::vector<Op> ops;
  std::vector<Expectation> expectations;  // sorted by op_index, then by order of writing
  bool operator==(const Program&) const = default;
};

// Typed arguments, one struct per operation: args::map has mm, vpn, npages, flags, file, pgoff.
namespace args {
#define MMDIFF_ARG(kind, name) uint32_t name;
#define MMDIFF_OP(op, result, weight, arglist, doc) \
  struct op {                                       \
    arglist                                         \
  };
#include "program/ops.def"
}  // namespace args

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_PROGRAM_H_
