// The mutator behind the shape that fuzz engines want: bytes in, bytes out.
//
// These are the bodies of LLVMFuzzerCustomMutator, LLVMFuzzerCustomCrossOver and AFL++'s
// afl_custom_fuzz. The same bytes and seed give the same result. Results decode to themselves:
// Encode(Decode(x)) == x. Buffers of programs are kept a thread, so the steady state allocates
// little.
#ifndef MMDIFF_PROGRAM_MUTATE_BYTES_H_
#define MMDIFF_PROGRAM_MUTATE_BYTES_H_

#include <cstddef>
#include <cstdint>

#include "program/program.h"

namespace mmdiff {

// Operations of one fuzz input; engines like short inputs.
inline constexpr size_t kMaxFuzzOps = 256;

// Mutates `data` in place; returns the new size, at most `max_size` (which must not be 0 to do
// anything).
size_t MutateBytes(uint8_t* data, size_t size, size_t max_size, uint64_t seed);
// As MutateBytes, with a second input to splice from; the result goes to `out`.
size_t MutateBytesWith(const uint8_t* data, size_t size, const uint8_t* other, size_t other_size,
                       uint8_t* out, size_t max_size, uint64_t seed);
// Joins two inputs into `out`; returns its size, at most `max_size`.
size_t CrossoverBytes(const uint8_t* a, size_t a_size, const uint8_t* b, size_t b_size,
                      uint8_t* out, size_t max_size, uint64_t seed);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_MUTATE_BYTES_H_
