// The reference and one kernel in a process of its own, as the benchmarks of kernels run them.
#ifndef MMDIFF_BENCH_KERNEL_PAIR_H_
#define MMDIFF_BENCH_KERNEL_PAIR_H_

#include <memory>
#include <utility>

#include "harness/lockstep.h"
#include "harness/registry.h"
#include "kernel/linux.h"

namespace mmdiff {

// nullptr if there is no such kernel. Costs a boot, some 50 ms.
inline std::unique_ptr<Lockstep> Pair(const LinuxOptions& options) {
  Contestants contestants;
  auto reference = MakeImplementation("reference");
  auto leader = LinuxImplementation::Make(options);
  if (!reference.ok() || !leader.ok()) return nullptr;
  contestants.references.push_back(*std::move(reference));
  contestants.leaders.push_back(*std::move(leader));
  return std::make_unique<Lockstep>(std::move(contestants));
}

}  // namespace mmdiff

#endif  // MMDIFF_BENCH_KERNEL_PAIR_H_
