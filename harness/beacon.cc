#include "harness/beacon.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "absl/status/status.h"
#include "program/fixup.h"

namespace mmdiff {

absl::StatusOr<Beacon> Beacon::Create() {
  void* p =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return absl::ErrnoToStatus(errno, "mmap of the beacon");
  // The mapping is zero already; default initialisation would touch every page of it.
  Shared* shared = static_cast<Shared*>(p);
  new (&shared->progress) RunProgress;
  new (&shared->programs) std::atomic<uint64_t>(0);
  new (&shared->lit) std::atomic<uint32_t>(0);
  return Beacon(shared);
}

Beacon& Beacon::operator=(Beacon&& other) noexcept {
  std::swap(shared_, other.shared_);
  return *this;
}

Beacon::~Beacon() {
  if (shared_ != nullptr) munmap(shared_, sizeof(Shared));
}

void Beacon::Begin(const Program& program) {
  shared_->lit.store(0, std::memory_order_release);
  const size_t n = std::min(program.ops.size(), kMaxOps);
  shared_->world = program.world;
  shared_->nops = static_cast<uint32_t>(n);
  std::copy_n(program.ops.begin(), n, shared_->ops);
  shared_->progress.op_index.store(RunProgress::kIdle, std::memory_order_relaxed);
  shared_->progress.leader.store(0, std::memory_order_relaxed);
  shared_->progress.in_reference.store(0, std::memory_order_relaxed);
  shared_->programs.fetch_add(1, std::memory_order_relaxed);
  shared_->lit.store(1, std::memory_order_release);
}

void Beacon::End() { shared_->lit.store(0, std::memory_order_release); }

bool Beacon::lit() const { return shared_->lit.load(std::memory_order_acquire) != 0; }

Beacon::Position Beacon::position() const {
  const RunProgress& p = shared_->progress;
  return Position{p.op_index.load(std::memory_order_relaxed),
                  p.leader.load(std::memory_order_relaxed),
                  p.in_reference.load(std::memory_order_relaxed) != 0};
}

bool Beacon::starting() const {
  return shared_->progress.starting.load(std::memory_order_relaxed) != 0;
}

std::optional<Program> Beacon::program() const {
  if (!lit()) return std::nullopt;
  Program program;
  program.world = shared_->world;
  // A dying process may have scribbled here: trust neither the count nor the operations.
  const size_t n = std::min<size_t>(shared_->nops, kMaxOps);
  program.ops.assign(shared_->ops, shared_->ops + n);
  Fixup(&program);
  return program;
}

uint64_t Beacon::programs() const { return shared_->programs.load(std::memory_order_relaxed); }

}  // namespace mmdiff
