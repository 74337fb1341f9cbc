#include "program/mutate_bytes.h"

#include "program/binary.h"
#include "program/fixup.h"
#include "program/mutate.h"
#include "program/random.h"

namespace mmdiff {
namespace {

struct Buffers {
  Program a, b;
};
Buffers& ThreadBuffers() {
  static thread_local Buffers buffers;
  return buffers;
}

// Encodes what fits. A world of many bytes gives way to the default one rather than leave nothing.
size_t Emit(Program* program, uint8_t* out, size_t max_size) {
  const size_t size = EncodeInto(*program, out, max_size);
  if (size > 0) return size;
  program->world = World();
  Fixup(program, kMaxFuzzOps);
  return EncodeInto(*program, out, max_size);
}

}  // namespace

size_t MutateBytesWith(const uint8_t* data, size_t size, const uint8_t* other, size_t other_size,
                       uint8_t* out, size_t max_size, uint64_t seed) {
  if (max_size == 0) return 0;
  Buffers& buffers = ThreadBuffers();
  DecodeInto({data, size}, &buffers.a, kMaxFuzzOps);
  MutateOptions options;
  options.max_ops = kMaxFuzzOps;
  if (other != nullptr) {
    DecodeInto({other, other_size}, &buffers.b, kMaxFuzzOps);
    options.other = &buffers.b;
  }
  Random rnd(seed);
  Mutate(&buffers.a, &rnd, options);
  return Emit(&buffers.a, out, max_size);
}

size_t MutateBytes(uint8_t* data, size_t size, size_t max_size, uint64_t seed) {
  return MutateBytesWith(data, size, nullptr, 0, data, max_size, seed);
}

size_t CrossoverBytes(const uint8_t* a, size_t a_size, const uint8_t* b, size_t b_size,
                      uint8_t* out, size_t max_size, uint64_t seed) {
  if (max_size == 0) return 0;
  Buffers& buffers = ThreadBuffers();
  DecodeInto({a, a_size}, &buffers.a, kMaxFuzzOps);
  DecodeInto({b, b_size}, &buffers.b, kMaxFuzzOps);
  MutateOptions options;
  options.max_ops = kMaxFuzzOps;
  Random rnd(seed);
  buffers.a = Crossover(buffers.a, buffers.b, &rnd, options);
  return Emit(&buffers.a, out, max_size);
}

}  // namespace mmdiff
