// The main fuzz target: implementations in lockstep on programs. For libFuzzer, AFL++ and the
// driver.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "program/mutate_bytes.h"
#include "targets/lockstep_target.h"

namespace {

mmdiff::LockstepTarget* target = nullptr;
uint8_t* kernel_counters = nullptr;  // of the edges of kernels, which run in processes of their own

template <typename T>
T OrDie(absl::StatusOr<T> made) {
  if (made.ok()) return *std::move(made);
  std::fprintf(stderr, "mmdiff: %s\n", made.status().ToString().c_str());
  std::_Exit(2);
}

}  // namespace

#ifdef MMDIFF_LIBFUZZER
// libFuzzer's, called by the start-up code of every module that counts its edges.
extern "C" void __sanitizer_cov_8bit_counters_init(uint8_t* start, uint8_t* stop);
extern "C" void __sanitizer_cov_pcs_init(const uintptr_t* start, const uintptr_t* stop);

namespace {

// Registers the edges of the kernels as a module of this program. libFuzzer clears the counters
// before each input and reads them after it; without a kernel that counts there is nothing to pay.
// An edge is told from the others by its number: its address means nothing here.
void RegisterKernelCoverage() {
  const uint32_t edges = target->CoverageEdges();
  if (edges == 0) return;
  kernel_counters = new uint8_t[edges]();
  auto* const pcs = new uintptr_t[2 * static_cast<size_t>(edges)]();  // address and flags of each
  for (uint32_t i = 0; i < edges; ++i) pcs[2 * i] = i + 1;
  __sanitizer_cov_8bit_counters_init(kernel_counters, kernel_counters + edges);
  __sanitizer_cov_pcs_init(pcs, pcs + 2 * static_cast<size_t>(edges));
}

}  // namespace
#endif

// Defaults of the sanitizer runtimes; the environment overrides them. The runtime that coverage
// brings along must not turn signals into exits, since a death is attributed by its signal.
// AddressSanitizer's reports say more than a signal does and stay.
extern "C" const char* __ubsan_default_options() {
  return "print_stacktrace=1:halt_on_error=1:handle_segv=0:handle_abort=0:handle_sigbus=0:"
         "handle_sigfpe=0:handle_sigill=0:handle_sigtrap=0";
}
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0:allocator_may_return_null=1:handle_abort=0";
}
extern "C" const char* __tsan_default_options() { return "halt_on_error=1:handle_abort=0"; }

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const mmdiff::TargetConfig config = OrDie(mmdiff::TargetConfigFromEnvironment());
  if (const char* death = std::getenv("MMDIFF_DEATH")) {
    std::_Exit(mmdiff::KeepDeathFromDirectory(death, config));
  }
  if (const char* file = std::getenv("MMDIFF_REPLAY")) {
    std::_Exit(mmdiff::ReplayFile(file, config));
  }
  target = OrDie(mmdiff::LockstepTarget::Create(config)).release();
#ifdef MMDIFF_LIBFUZZER
  RegisterKernelCoverage();
#endif
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  target->Run(data, size);
  if (kernel_counters != nullptr) target->CopyCoverage(kernel_counters);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  return mmdiff::MutateBytes(data, size, max_size, seed);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* a, size_t a_size, const uint8_t* b,
                                            size_t b_size, uint8_t* out, size_t max_size,
                                            unsigned int seed) {
  return mmdiff::CrossoverBytes(a, a_size, b, b_size, out, max_size, seed);
}
