// A small deterministic random number generator (xoshiro256**, seeded by splitmix64).
//
// It never touches the clock, the address space or a global: the same seed gives the same numbers
// on every machine. Every call is a handful of instructions and allocates nothing.
#ifndef MMDIFF_PROGRAM_RANDOM_H_
#define MMDIFF_PROGRAM_RANDOM_H_

#include <cstddef>
#include <cstdint>

namespace mmdiff {

class Random {
 public:
  explicit Random(uint64_t seed) {
    for (uint64_t& word : s_) {
      seed += 0x9e3779b97f4a7c15ull;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
      word = z ^ (z >> 31);
    }
  }

  uint64_t Next() {
    const uint64_t result = Rotl(s_[1] * 5, 7) * 9;
    const uint64_t t = s_[1] << 17;
    s_[2] ^= s_[0];
    s_[3] ^= s_[1];
    s_[1] ^= s_[2];
    s_[0] ^= s_[3];
    s_[2] ^= t;
    s_[3] = Rotl(s_[3], 45);
    return result;
  }

  // A number in [0, n); 0 if n is 0.
  uint32_t Below(uint32_t n) {
    return static_cast<uint32_t>(((Next() >> 32) * static_cast<uint64_t>(n)) >> 32);
  }
  // A number in [lo, hi]; lo if hi < lo.
  uint32_t Between(uint32_t lo, uint32_t hi) { return hi < lo ? lo : lo + Below(hi - lo + 1); }
  // True once in n calls on average; always for n <= 1.
  bool OneIn(uint32_t n) { return n <= 1 || Below(n) == 0; }
  // True in `percent` of 100 calls on average.
  bool Percent(uint32_t percent) { return Below(100) < percent; }
  // An element of an array.
  template <typename T, size_t N>
  const T& Pick(const T (&array)[N]) {
    return array[Below(static_cast<uint32_t>(N))];
  }

 private:
  static uint64_t Rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  uint64_t s_[4];
};

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_RANDOM_H_
