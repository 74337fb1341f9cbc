#include "program/binary.h"

#include <algorithm>

#include "program/arg_kinds.h"
#include "program/fixup.h"
#include "program/world.h"

namespace mmdiff {
namespace {

static_assert(kOpcodes <= 128, "an opcode has seven bits");
static_assert(kMaxThreads <= 16, "a thread has four bits");
constexpr uint8_t kFullWorld = 0xff;
constexpr uint8_t kHasCpu = 0x80;
// Most bytes that one operation takes: opcode, cpu, and five bytes an argument.
constexpr size_t kMaxOpBytes = 2 + 5 * kMaxArgs;
constexpr size_t kMaxWorldBytes = 1 + 5 * (kWorldFields + 1);

// Reads past the end give zeros, so that a cut input still decodes.
class Reader {
 public:
  explicit Reader(absl::Span<const uint8_t> bytes) : p_(bytes.data()), end_(p_ + bytes.size()) {}
  bool done() const { return p_ == end_; }
  uint8_t Byte() { return p_ == end_ ? uint8_t{0} : *p_++; }
  uint32_t Varint() {
    uint32_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const uint8_t byte = Byte();
      value |= static_cast<uint32_t>(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  }

 private:
  const uint8_t* p_;
  const uint8_t* end_;
};

uint8_t* PutVarint(uint8_t* p, uint32_t value) {
  while (value >= 0x80) {
    *p++ = static_cast<uint8_t>(value | 0x80);
    value >>= 7;
  }
  *p++ = static_cast<uint8_t>(value);
  return p;
}

World ReadWorld(Reader* in) {
  const uint8_t first = in->Byte();
  const auto presets = WorldPresets();
  if (first != kFullWorld) return presets[first < presets.size() ? first : 0].world;
  World world;
  for (const WorldField& field : WorldFields()) world.*field.member = in->Varint();
  world.orders = in->Varint();
  FixWorld(&world);
  return world;
}

uint8_t* PutWorld(uint8_t* p, const World& world) {
  const auto presets = WorldPresets();
  for (size_t i = 0; i < presets.size(); ++i) {
    if (presets[i].world == world) {
      *p++ = static_cast<uint8_t>(i);
      return p;
    }
  }
  *p++ = kFullWorld;
  for (const WorldField& field : WorldFields()) p = PutVarint(p, world.*field.member);
  return PutVarint(p, world.orders);
}

// Handles are distances to the newest binding; a file argument has 0 for "no file".
uint32_t HandleToDistance(ArgKind kind, uint32_t id, uint32_t bound) {
  if (kind != ArgKind::kFile) return bound - 1 - id;
  return id == kNoFile ? 0 : bound - id;
}
uint32_t DistanceToHandle(ArgKind kind, uint32_t distance, uint32_t bound) {
  if (kind != ArgKind::kFile) return bound == 0 ? 0 : bound - 1 - distance % bound;
  distance %= bound + 1;
  return distance == 0 ? kNoFile : bound - distance;
}

uint8_t* PutOp(uint8_t* p, const Op& op, const HandleCounts& bound) {
  const bool has_cpu = op.cpu != 0 || op.thread != 0;
  *p++ = static_cast<uint8_t>(static_cast<uint8_t>(op.code) | (has_cpu ? kHasCpu : 0));
  if (has_cpu) *p++ = static_cast<uint8_t>(op.cpu | op.thread << 4);
  const OpDesc& desc = DescOf(op.code);
  for (size_t a = 0; a < desc.nargs; ++a) {
    const ArgKind kind = desc.args[a].kind;
    p = PutVarint(p, IsHandle(kind) ? HandleToDistance(kind, op.arg[a], bound[kind]) : op.arg[a]);
  }
  return p;
}

Op ReadOp(Reader* in, const HandleCounts& bound) {
  Op op;
  const uint8_t first = in->Byte();
  op.code = static_cast<Opcode>((first & ~kHasCpu) % kOpcodes);
  if (first & kHasCpu) {
    const uint8_t where = in->Byte();
    op.cpu = where & 0xf;
    op.thread = where >> 4;
  }
  const OpDesc& desc = DescOf(op.code);
  for (size_t a = 0; a < desc.nargs; ++a) {
    const ArgKind kind = desc.args[a].kind;
    const uint32_t value = in->Varint();
    op.arg[a] = IsHandle(kind) ? DistanceToHandle(kind, value, bound[kind]) : value;
  }
  return op;
}

}  // namespace

void DecodeInto(absl::Span<const uint8_t> bytes, Program* out, size_t max_ops) {
  max_ops = std::min(max_ops, kMaxOps);
  Reader in(bytes);
  out->ops.clear();
  out->expectations.clear();
  out->world = ReadWorld(&in);
  HandleCounts bound;
  while (!in.done() && out->ops.size() < max_ops) {
    const Op op = ReadOp(&in, bound);
    bound.Add(op);
    out->ops.push_back(op);
  }
  Fixup(out, max_ops);
}

Program Decode(absl::Span<const uint8_t> bytes, size_t max_ops) {
  Program program;
  DecodeInto(bytes, &program, max_ops);
  return program;
}

std::vector<uint8_t> Encode(const Program& program) {
  std::vector<uint8_t> bytes(kMaxWorldBytes + program.ops.size() * kMaxOpBytes);
  bytes.resize(EncodeInto(program, bytes.data(), bytes.size()));
  return bytes;
}

size_t EncodeInto(const Program& program, uint8_t* out, size_t max) {
  uint8_t piece[std::max(kMaxWorldBytes, kMaxOpBytes)];
  size_t size = static_cast<size_t>(PutWorld(piece, program.world) - piece);
  if (size > max) return 0;
  std::copy(piece, piece + size, out);
  HandleCounts bound;
  for (const Op& op : program.ops) {
    const size_t length = static_cast<size_t>(PutOp(piece, op, bound) - piece);
    if (size + length > max) break;
    std::copy(piece, piece + length, out + size);
    size += length;
    bound.Add(op);
  }
  return size;
}

}  // namespace mmdiff
