// Fuzzes the mutator: from any two programs and any seed it makes a valid, bounded program, the
// same one each time.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "program/binary.h"
#include "program/fixup.h"
#include "program/mutate.h"
#include "program/mutate_bytes.h"
#include "targets/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uint64_t seed = 0;
  std::memcpy(&seed, data, std::min(size, sizeof(seed)));
  data += std::min(size, sizeof(seed));
  size -= std::min(size, sizeof(seed));
  const size_t half = size / 2;
  const mmdiff::Program other = mmdiff::Decode({data + half, size - half}, 64);
  mmdiff::MutateOptions options;
  options.max_ops = 1 + seed % 96;
  options.other = &other;
  mmdiff::Program results[2];
  for (mmdiff::Program& result : results) {
    mmdiff::Random rnd(seed);
    result = mmdiff::Decode({data, half}, 64);
    mmdiff::Mutate(&result, &rnd, options);
    MMDIFF_REQUIRE(mmdiff::Validate(result).ok());
    MMDIFF_REQUIRE(result.ops.size() <= options.max_ops);
  }
  MMDIFF_REQUIRE(results[0] == results[1]);

  std::vector<uint8_t> bytes(size + 1 + seed % 64);
  const size_t n = mmdiff::CrossoverBytes(data, half, data + half, size - half, bytes.data(),
                                          bytes.size(), seed);
  MMDIFF_REQUIRE(n > 0 && n <= bytes.size());
  const size_t m = mmdiff::MutateBytes(bytes.data(), n, bytes.size(), seed + 1);
  MMDIFF_REQUIRE(m > 0 && m <= bytes.size());
  bytes.resize(m);
  MMDIFF_REQUIRE(mmdiff::Encode(mmdiff::Decode(bytes, mmdiff::kMaxFuzzOps)) == bytes);
  return 0;
}
