#include "bench/planted.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "harness/implementation.h"
#include "harness/registry.h"

namespace mmdiff {
namespace {

enum class Bug : uint8_t {
#define MMDIFF_PLANTED(name, doc) name,
#include "bench/planted.def"
};
constexpr PlantedBug kBugs[] = {
#define MMDIFF_PLANTED(name, doc) {#name, doc},
#include "bench/planted.def"
};

// What the machine remembers of the operations so far; the conditions of the bugs.
struct Seen {
  uint32_t forks = 0, pins = 0, drains = 0, unmaps = 0;
  uint32_t open_isolations = 0;
  bool locked = false;
};

class Planted final : public Implementation {
 public:
  Planted(Bug bug, std::unique_ptr<Implementation> inner) : bug_(bug), inner_(std::move(inner)) {
    info_ = inner_->info();
    info_.name = std::string("planted:") + kBugs[static_cast<size_t>(bug)].name;
  }
  const ImplInfo& info() const override { return info_; }
  void Reset(const World& world) override {
    table_ = world.table;
    seen_ = Seen{};
    inner_->Reset(world);
  }
  Digest digest() override { return inner_->digest(); }
  void Snapshot(State* out) override { inner_->Snapshot(out); }
  std::string CheckInvariants() override { return inner_->CheckInvariants(); }

#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(op, result, weight, arglist, doc)         \
  OpResult op(const args::op& a, OpContext& ctx) override { \
    args::op changed = a;                                   \
    Distort(&changed);                                      \
    const OpResult r = inner_->op(changed, ctx);            \
    Remember(a, r);                                         \
    return r;                                               \
  }
#include "program/ops.def"

 private:
  bool Is(Bug bug) const { return bug_ == bug; }
  bool CrossesTable(uint32_t vpn, uint32_t npages) const {
    return npages > 1 && vpn / table_ != (vpn + npages - 1) / table_;
  }

  void Distort(void*) {}  // operations that no bug concerns
  void Distort(args::unmap* a) {
    if (Is(Bug::unmap_boundary) && CrossesTable(a->vpn, a->npages)) --a->npages;
    if (Is(Bug::unmap_after_fork) && seen_.forks >= 2 && a->npages > 2) --a->npages;
  }
  void Distort(args::dontneed* a) {
    if (Is(Bug::dontneed_pinned) && seen_.pins != 0 && a->npages > 1) --a->npages;
  }
  void Distort(args::protect* a) {
    if (Is(Bug::protect_locked) && seen_.locked && a->npages > 1) --a->npages;
    if (Is(Bug::protect_boundary) && CrossesTable(a->vpn, a->npages)) --a->npages;
  }
  void Distort(args::lock* a) {
    if (Is(Bug::lock_boundary) && CrossesTable(a->vpn, a->npages)) --a->npages;
  }
  void Distort(args::unlock* a) {
    if (Is(Bug::unlock_after_drain) && seen_.drains != 0 && a->npages > 1) --a->npages;
  }
  void Distort(args::write* a) {
    if (Is(Bug::write_isolated) && seen_.open_isolations != 0 && a->npages > 1) --a->npages;
  }
  void Distort(args::free* a) {
    if (Is(Bug::free_after_unmap) && seen_.unmaps >= 2 && a->npages > 1) --a->npages;
  }
  void Distort(args::pageout* a) {
    if (Is(Bug::pageout_after_fork) && seen_.forks != 0 && a->npages > 1) --a->npages;
  }
  void Distort(args::reclaim* a) {
    if (Is(Bug::reclaim_boundary) && CrossesTable(a->vpn, a->npages)) --a->npages;
  }
  void Distort(args::migrate* a) {
    if (Is(Bug::migrate_pinned) && seen_.pins != 0 && a->npages > 1) --a->npages;
  }

  template <typename Args>
  void Remember(const Args&, const OpResult&) {}
  void Remember(const args::fork&, const OpResult& r) { seen_.forks += r.err == 0; }
  void Remember(const args::pin&, const OpResult& r) { seen_.pins += r.value != 0; }
  void Remember(const args::drain&, const OpResult&) { ++seen_.drains; }
  void Remember(const args::unmap&, const OpResult& r) { seen_.unmaps += r.value != 0; }
  void Remember(const args::isolate&, const OpResult& r) { seen_.open_isolations += r.err == 0; }
  void Remember(const args::putback&, const OpResult& r) { seen_.open_isolations -= r.err == 0; }
  void Remember(const args::lock&, const OpResult& r) { seen_.locked |= r.err == 0; }

  Bug bug_;
  std::unique_ptr<Implementation> inner_;
  ImplInfo info_;
  uint32_t table_ = 1;
  Seen seen_;
};

}  // namespace

size_t PlantedBugs() { return std::size(kBugs); }
const PlantedBug& PlantedBugAt(size_t bug) { return kBugs[bug]; }

Contestants PlantedContestants(size_t bug) {
  auto pair = MakeAll(kDefaultImplementations);
  if (!pair.ok()) {
    std::fprintf(stderr, "%s\n", std::string(pair.status().message()).c_str());
    std::exit(3);
  }
  pair->leaders[0] = std::make_unique<Planted>(static_cast<Bug>(bug), std::move(pair->leaders[0]));
  return *std::move(pair);
}

}  // namespace mmdiff
