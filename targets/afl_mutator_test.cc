// AFL++'s custom mutator, loaded as AFL++ loads it.
#include <dlfcn.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "program/binary.h"
#include "program/fixup.h"
#include "program/generate.h"
#include "program/mutate_bytes.h"

#ifdef MMDIFF_AFL_MUTATOR

namespace mmdiff {
namespace {

using Bytes = std::vector<uint8_t>;

// The functions that AFL++ looks up by name.
struct Api {
  void* library = dlopen(MMDIFF_AFL_MUTATOR, RTLD_NOW | RTLD_LOCAL);
  void* (*init)(void*, unsigned) = Find<void* (*)(void*, unsigned)>("afl_custom_init");
  size_t (*fuzz)(void*, uint8_t*, size_t, uint8_t**, uint8_t*, size_t, size_t) =
      Find<size_t (*)(void*, uint8_t*, size_t, uint8_t**, uint8_t*, size_t, size_t)>(
          "afl_custom_fuzz");
  size_t (*post_process)(void*, uint8_t*, size_t, uint8_t**) =
      Find<size_t (*)(void*, uint8_t*, size_t, uint8_t**)>("afl_custom_post_process");
  int32_t (*init_trim)(void*, uint8_t*,
                       size_t) = Find<int32_t (*)(void*, uint8_t*, size_t)>("afl_custom_init_trim");
  size_t (*trim)(void*, uint8_t**) = Find<size_t (*)(void*, uint8_t**)>("afl_custom_trim");
  int32_t (*post_trim)(void*, unsigned char) =
      Find<int32_t (*)(void*, unsigned char)>("afl_custom_post_trim");
  const char* (*describe)(void*,
                          size_t) = Find<const char* (*)(void*, size_t)>("afl_custom_describe");
  void (*deinit)(void*) = Find<void (*)(void*)>("afl_custom_deinit");

  template <typename F>
  F Find(const char* name) const {
    return library == nullptr ? nullptr : reinterpret_cast<F>(dlsym(library, name));
  }
};

class AflMutator : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(api_.library, nullptr) << dlerror();
    for (const void* f :
         {reinterpret_cast<void*>(api_.init), reinterpret_cast<void*>(api_.fuzz),
          reinterpret_cast<void*>(api_.post_process), reinterpret_cast<void*>(api_.init_trim),
          reinterpret_cast<void*>(api_.trim), reinterpret_cast<void*>(api_.post_trim),
          reinterpret_cast<void*>(api_.describe), reinterpret_cast<void*>(api_.deinit)}) {
      ASSERT_NE(f, nullptr);
    }
    mutator_ = api_.init(nullptr, 42);
  }
  void TearDown() override {
    if (mutator_ != nullptr) api_.deinit(mutator_);
  }
  Bytes Fuzz(void* mutator, Bytes data, Bytes other, size_t max_size) {
    uint8_t* out = nullptr;
    const size_t size = api_.fuzz(mutator, data.data(), data.size(), &out,
                                  other.empty() ? nullptr : other.data(), other.size(), max_size);
    return Bytes(out, out + size);
  }
  static Bytes Seed(uint64_t seed, size_t ops) {
    GenerateOptions options;
    options.ops = ops;
    return Encode(Generate(seed, options));
  }

  Api api_;
  void* mutator_ = nullptr;
};

TEST_F(AflMutator, MutantsAreValidDifferentAndFit) {
  const Bytes seed = Seed(1, 20);
  int different = 0;
  for (int i = 0; i < 200; ++i) {
    const Bytes mutant = Fuzz(mutator_, seed, i % 2 == 0 ? Bytes() : Seed(2, 20), 600);
    ASSERT_GT(mutant.size(), 0u);
    ASSERT_LE(mutant.size(), 600u);
    EXPECT_TRUE(Validate(Decode(absl::MakeConstSpan(mutant))).ok());
    different += mutant != seed ? 1 : 0;
  }
  EXPECT_GT(different, 180);
}

TEST_F(AflMutator, SameSeedSameMutants) {
  void* a = api_.init(nullptr, 7);
  void* b = api_.init(nullptr, 7);
  void* c = api_.init(nullptr, 8);
  bool other_seed_differs = false;
  for (int i = 0; i < 50; ++i) {
    const Bytes mutant = Fuzz(a, Seed(3, 20), {}, 600);
    EXPECT_EQ(mutant, Fuzz(b, Seed(3, 20), {}, 600));
    other_seed_differs = other_seed_differs || mutant != Fuzz(c, Seed(3, 20), {}, 600);
  }
  EXPECT_TRUE(other_seed_differs);
  for (void* m : {a, b, c}) api_.deinit(m);
}

TEST_F(AflMutator, PostProcessMakesAnyBytesCanonical) {
  Bytes noise;
  for (int i = 0; i < 300; ++i) noise.push_back(static_cast<uint8_t>(i * 37));
  uint8_t* out = nullptr;
  const size_t size = api_.post_process(mutator_, noise.data(), noise.size(), &out);
  const Bytes canonical(out, out + size);
  EXPECT_EQ(Encode(Decode(absl::MakeConstSpan(canonical))), canonical);
  EXPECT_EQ(Decode(absl::MakeConstSpan(canonical)),
            Decode(absl::MakeConstSpan(noise), kMaxFuzzOps));
}

// Runs AFL++'s trimming loop with this rule for "still the same behaviour"; gives the end and the
// steps.
template <typename Rule>
std::pair<Program, int> Trim(const Api& api, void* mutator, Bytes data, const Rule& same) {
  Program smallest = Decode(absl::MakeConstSpan(data));
  const int32_t steps = api.init_trim(mutator, data.data(), data.size());
  int32_t at = 0;
  int executions = 0;
  while (at < steps) {
    uint8_t* out = nullptr;
    const size_t size = api.trim(mutator, &out);
    const Program candidate = Decode(absl::MakeConstSpan(out, size));
    ++executions;
    const bool success = same(candidate);
    if (success) smallest = candidate;
    at = api.post_trim(mutator, success ? 1 : 0);
    if (executions > 100000) break;
  }
  return {smallest, executions};
}

TEST_F(AflMutator, TrimmingKeepsWhatMattersAndEnds) {
  const Bytes seed = Seed(5, 60);
  const auto forks = [](const Program& p) {
    int n = 0;
    for (const Op& op : p.ops) n += op.code == Opcode::fork ? 1 : 0;
    return n;
  };
  const int wanted = forks(Decode(absl::MakeConstSpan(seed)));
  const auto [smallest, executions] =
      Trim(api_, mutator_, seed, [&](const Program& p) { return forks(p) == wanted; });
  EXPECT_EQ(forks(smallest), wanted);
  EXPECT_LT(smallest.ops.size(), Decode(absl::MakeConstSpan(seed)).ops.size());
  EXPECT_LT(executions, 1000);
}

TEST_F(AflMutator, TrimmingEndsWhateverTheAnswer) {
  for (const size_t ops : {1, 2, 3, 17, 64}) {
    EXPECT_LT(Trim(api_, mutator_, Seed(9, ops), [](const Program&) { return false; }).second,
              1000);
    EXPECT_LT(Trim(api_, mutator_, Seed(9, ops), [](const Program&) { return true; }).second, 1000);
  }
  EXPECT_EQ(Trim(api_, mutator_, {}, [](const Program&) { return true; }).first.ops.size(), 0u);
}

TEST_F(AflMutator, DescriptionFitsItsLimit) {
  Fuzz(mutator_, Seed(1, 5), {}, 200);
  EXPECT_EQ(std::string(api_.describe(mutator_, 100)).find("mmdiff-mutate-"), 0u);
  Fuzz(mutator_, Seed(1, 5), Seed(2, 5), 200);
  EXPECT_EQ(std::string(api_.describe(mutator_, 100)).find("mmdiff-splice-"), 0u);
  EXPECT_LE(std::string(api_.describe(mutator_, 6)).size(), 6u);
}

}  // namespace
}  // namespace mmdiff

#endif  // MMDIFF_AFL_MUTATOR
