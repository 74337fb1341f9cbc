// The binary form of programs, for fuzz engines only.
//
// Any byte string decodes to a valid program (it is fixed up). Handles are written as distances to
// the newest binding, so that cutting and joining byte strings keeps most of them meaningful.
// Linear in the number of bytes; DecodeInto reuses the vectors of the program and then allocates
// nothing.
//
//   world   1 byte: number of a preset, or 0xff and every field as a varint (orders last)
//   op      1 byte: opcode, bit 7 set if a byte cpu | thread << 4 follows; then one varint an
//   argument
#ifndef MMDIFF_PROGRAM_BINARY_H_
#define MMDIFF_PROGRAM_BINARY_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "program/program.h"

namespace mmdiff {

// Reads at most `max_ops` operations. The result passes Validate.
Program Decode(absl::Span<const uint8_t> bytes, size_t max_ops = kMaxOps);
void DecodeInto(absl::Span<const uint8_t> bytes, Program* out, size_t max_ops = kMaxOps);

// Decode(Encode(p)) is p without its expectations, for every valid p.
std::vector<uint8_t> Encode(const Program& program);
// Writes the longest run of whole leading operations that fits into `max` bytes; returns the bytes
// written, 0 if not even the world fits.
size_t EncodeInto(const Program& program, uint8_t* out, size_t max);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_BINARY_H_
