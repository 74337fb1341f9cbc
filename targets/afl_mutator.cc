// AFL++'s custom mutator: the project's own mutator as a shared object
// (AFL_CUSTOM_MUTATOR_LIBRARY).
//
// Implements fuzz, post_process, trimming and describe. It keeps programs in binary form; what
// AFL++ gives is decoded, so any bytes do. Mutation costs what program/mutate_bytes.h says;
// trimming removes runs of operations, halving their length down to single ones.
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "program/binary.h"
#include "program/fixup.h"
#include "program/mutate_bytes.h"

namespace mmdiff {
namespace {

// A step of splitmix64: AFL++ gives one seed at the start, each mutation needs its own.
uint64_t NextSeed(uint64_t* state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

struct AflMutator {
  uint64_t seed_state = 0;
  uint64_t mutations = 0;
  bool spliced = false;
  std::vector<uint8_t> fuzzed, processed, trimmed;
  std::string description;
  // Trimming: the smallest program that still behaves the same, the run of operations tried now.
  Program smallest, candidate;
  size_t run = 0;
  size_t at = 0;
  int32_t steps_done = 0;
  int32_t steps = 0;
};

// Steps of trimming a program of n operations if nothing can be removed: n/run for each halving.
int32_t TrimSteps(size_t nops) {
  int32_t steps = 0;
  for (size_t run = nops / 2; run > 0; run /= 2) {
    steps += static_cast<int32_t>((nops + run - 1) / run);
  }
  return steps;
}

}  // namespace
}  // namespace mmdiff

using mmdiff::AflMutator;

extern "C" {

void* afl_custom_init(void* /*afl*/, unsigned int seed) {
  auto* m = new AflMutator;
  m->seed_state = seed;
  return m;
}

size_t afl_custom_fuzz(AflMutator* m, uint8_t* data, size_t size, uint8_t** out, uint8_t* other,
                       size_t other_size, size_t max_size) {
  m->fuzzed.resize(max_size);
  m->spliced = other != nullptr && other_size > 0;
  ++m->mutations;
  const size_t made =
      mmdiff::MutateBytesWith(data, size, m->spliced ? other : nullptr, m->spliced ? other_size : 0,
                              m->fuzzed.data(), max_size, mmdiff::NextSeed(&m->seed_state));
  *out = m->fuzzed.data();
  return made;
}

size_t afl_custom_post_process(AflMutator* m, uint8_t* data, size_t size, uint8_t** out) {
  m->processed =
      mmdiff::Encode(mmdiff::Decode(absl::MakeConstSpan(data, size), mmdiff::kMaxFuzzOps));
  *out = m->processed.data();
  return m->processed.size();
}

int32_t afl_custom_init_trim(AflMutator* m, uint8_t* data, size_t size) {
  m->smallest = mmdiff::Decode(absl::MakeConstSpan(data, size), mmdiff::kMaxFuzzOps);
  m->run = m->smallest.ops.size() / 2;
  m->at = 0;
  m->steps_done = 0;
  m->steps = mmdiff::TrimSteps(m->smallest.ops.size());
  return m->steps;
}

size_t afl_custom_trim(AflMutator* m, uint8_t** out) {
  m->candidate = m->smallest;
  auto& ops = m->candidate.ops;
  const size_t begin = m->at < ops.size() ? m->at : ops.size();
  const size_t end = begin + m->run < ops.size() ? begin + m->run : ops.size();
  ops.erase(ops.begin() + static_cast<std::ptrdiff_t>(begin),
            ops.begin() + static_cast<std::ptrdiff_t>(end));
  mmdiff::Fixup(&m->candidate, mmdiff::kMaxFuzzOps);
  m->trimmed = mmdiff::Encode(m->candidate);
  *out = m->trimmed.data();
  return m->trimmed.size();
}

int32_t afl_custom_post_trim(AflMutator* m, unsigned char success) {
  if (success && m->candidate.ops.size() < m->smallest.ops.size()) {
    m->smallest = m->candidate;
  } else {
    m->at += m->run;
  }
  while (m->run > 0 && m->at >= m->smallest.ops.size()) {
    m->run /= 2;
    m->at = 0;
  }
  if (m->run == 0 || m->smallest.ops.empty()) {
    m->steps_done = m->steps;
  } else if (m->steps_done + 1 < m->steps) {
    ++m->steps_done;
  }
  return m->steps_done;
}

const char* afl_custom_describe(AflMutator* m, size_t max_length) {
  m->description = m->spliced ? "mmdiff-splice-" : "mmdiff-mutate-";
  m->description += std::to_string(m->mutations);
  if (m->description.size() > max_length) m->description.resize(max_length);
  return m->description.c_str();
}

void afl_custom_deinit(AflMutator* m) { delete m; }

}  // extern "C"
