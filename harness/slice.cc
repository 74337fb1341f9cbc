#include "harness/slice.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/signature.h"
#include "program/text.h"
#include "state/diff.h"

namespace mmdiff {
namespace {

constexpr const char kAbsent[] = "absent";

// In snapshots as implementations give them: not sorted, own folio numbers.
template <typename R, typename Is>
const R* Search(const std::vector<R>& records, Is is) {
  for (const R& r : records) {
    if (is(r)) return &r;
  }
  return nullptr;
}

const PageState* PageOf(const State& s, uint32_t folio, uint32_t offset) {
  return Search(s.pages,
                [&](const PageState& r) { return r.folio == folio && r.offset == offset; });
}

// An entry with the page it maps, because anon-exclusive and the content belong to the page.
std::string PteText(const State& s, uint32_t mm, uint32_t vpn) {
  const PteState* pte =
      Search(s.ptes, [&](const PteState& r) { return r.mm == mm && r.vpn == vpn; });
  if (pte == nullptr) return kAbsent;
  std::string out = RenderPte(*pte);
  if (const PageState* page = PageOf(s, pte->folio, pte->offset)) {
    absl::StrAppend(&out, "; ", RenderPage(*page));
  }
  return out;
}

std::string RecordText(const State& s, const RecordKey& k) {
  switch (k.record) {
    case Record::pte:
      return PteText(s, k.k0, k.k1);
    case Record::vma: {
      const auto* r = Search(s.vmas, [&](const VmaState& v) {
        return v.mm == k.k0 && v.start <= k.k1 && k.k1 < v.end;
      });
      return r != nullptr ? absl::StrCat("start=0x", absl::Hex(r->start), " ", RenderVma(*r))
                          : kAbsent;
    }
    case Record::page: {
      const PageState* r = PageOf(s, k.k0, k.k1);
      return r != nullptr ? RenderPage(*r) : kAbsent;
    }
    case Record::folio: {
      const auto* r = Search(s.folios, [&](const FolioState& f) { return f.id == k.k0; });
      return r != nullptr ? RenderFolio(*r) : kAbsent;
    }
    case Record::swap: {
      const auto* r = Search(s.swaps, [&](const SwapState& w) { return w.slot == k.k0; });
      return r != nullptr ? RenderSwap(*r) : kAbsent;
    }
    case Record::batch: {
      const auto* r = Search(s.batches, [&](const BatchState& b) {
        return b.cpu == k.k0 && static_cast<uint32_t>(b.kind) == k.k1 && b.position == k.k2;
      });
      return r != nullptr ? RenderBatch(*r) : kAbsent;
    }
    case Record::tlb: {
      const auto* r = Search(s.tlbs, [&](const TlbState& t) {
        return t.cpu == k.k0 && t.mm == k.k1 && t.vpn == k.k2;
      });
      return r != nullptr ? RenderTlb(*r) : kAbsent;
    }
    case Record::mm: {
      const auto* r = Search(s.mms, [&](const MmState& m) { return m.id == k.k0; });
      return r != nullptr ? RenderMm(*r) : kAbsent;
    }
    case Record::stat:
      return RenderStat(s.stats);
    case Record::choice:
    case Record::result:
      break;
  }
  return kAbsent;
}

// The two implementations that a divergence names, in a lockstep.
class Sides {
 public:
  Sides(Lockstep& lockstep, const Divergence& d) {
    for (size_t i = 0; i < lockstep.leaders(); ++i) {
      Implementation& leader = lockstep.leader(i);
      if (leader.info().name == d.name_b && impl[1] == nullptr) {
        impl[1] = &leader;
        if (lockstep.reference(i) != nullptr && d.name_a != d.name_b)
          impl[0] = lockstep.reference(i);
      }
      Implementation* reference = lockstep.reference(i);
      if (impl[1] == nullptr && reference != nullptr && reference->info().name == d.name_b) {
        impl[1] = reference;
      }
    }
    for (size_t i = 0; i < lockstep.leaders() && impl[0] == nullptr; ++i) {
      if (lockstep.leader(i).info().name == d.name_a) impl[0] = &lockstep.leader(i);
    }
    if (impl[0] == nullptr) impl[0] = impl[1];
  }
  bool found() const { return impl[1] != nullptr; }
  std::array<Implementation*, 2> impl{};
};

// Which folio of one side is which of the other, though each numbers its own: while the states
// agree after an operation, folios at the same canonical place are the same. Both are then called
// by the number that side 1 gives.
class FolioNames : public RunObserver {
 public:
  FolioNames(const Sides& pair, uint32_t at, const RecordKey& key)
      : pair_(pair), at_(at), key_(key) {}
  void OnOp(Lockstep&, const Program&, uint32_t op_index) override {
    std::array<std::vector<uint32_t>, 2> own;
    for (size_t side = 0; side < 2; ++side) {
      pair_.impl[side]->Snapshot(&scratch_);
      Canonicalize(&scratch_, &own[side]);
    }
    for (size_t i = 0; i < std::min(own[0].size(), own[1].size()); ++i) {
      if (!taken_.contains(own[1][i]) && of_0_.emplace(own[0][i], own[1][i]).second) {
        taken_.insert(own[1][i]);
      }
    }
    for (const uint32_t number : own[1]) above_ = std::max(above_, number + 1);
    if (op_index != at_) return;
    if (key_.k0 < own[0].size()) {
      followed = Of0(own[0][key_.k0]);
    } else if (key_.k0 < own[1].size()) {
      followed = own[1][key_.k0];
    }
  }
  // What a folio of side 0 is called; one that side 1 never had gets a number that is nobody's.
  uint32_t Of0(uint32_t number) const {
    if (number == kNoFolio) return number;
    const auto known = of_0_.find(number);
    return known != of_0_.end() ? known->second : above_ + number;
  }
  void Rename(State* state) const {
    for (FolioState& r : state->folios) r.id = Of0(r.id);
    for (PageState& r : state->pages) r.folio = Of0(r.folio);
    for (PteState& r : state->ptes) r.folio = Of0(r.folio);
    for (BatchState& r : state->batches) r.folio = Of0(r.folio);
    for (TlbState& r : state->tlbs) r.folio = Of0(r.folio);
  }
  uint32_t followed = kNoFolio;  // the folio that the key names after operation `at`

 private:
  const Sides& pair_;
  const uint32_t at_;
  const RecordKey key_;
  std::map<uint32_t, uint32_t> of_0_;
  std::set<uint32_t> taken_;  // numbers of side 1 in of_0_
  uint32_t above_ = 0;        // all numbers of side 1
  State scratch_;
};

class Follower : public RunObserver {
 public:
  Follower(const Sides& pair, const FolioNames& names, const RecordKey& key)
      : pair_(pair), names_(names), key_(key) {}
  void OnOp(Lockstep&, const Program& program, uint32_t op_index) override {
    SliceStep step;
    std::array<std::string, 2> now;
    for (size_t side = 0; side < 2; ++side) {
      pair_.impl[side]->Snapshot(&scratch_);
      if (side == 0) names_.Rename(&scratch_);
      now[side] = RecordText(scratch_, key_);
    }
    if (now != last_) {
      step.op_index = op_index;
      step.op = PrintOpAt(program, op_index);
      step.before_a = last_[0];
      step.before_b = last_[1];
      step.after_a = now[0];
      step.after_b = now[1];
      steps.push_back(std::move(step));
      last_ = now;
    }
  }
  std::vector<SliceStep> steps;

 private:
  const Sides& pair_;
  const FolioNames& names_;
  const RecordKey key_;
  std::array<std::string, 2> last_{kAbsent, kAbsent};
  State scratch_;
};

}  // namespace

std::vector<SliceStep> SliceOf(Lockstep& lockstep, const Program& program,
                               const Divergence& divergence) {
  RecordKey key;
  const Sides pair(lockstep, divergence);
  if (!pair.found() || !ObjectOf(divergence, &key)) return {};
  RunOptions options = RunOptions::Thorough();
  options.confirm = false;  // it is known already
  options.max_ops = divergence.op_index + 1;
  RunResult result;
  FolioNames names(pair, divergence.op_index, key);
  options.observer = &names;
  lockstep.Run(program, options, &result);
  if (key.record == Record::folio || key.record == Record::page) key.k0 = names.followed;
  Follower follower(pair, names, key);
  options.observer = &follower;
  lockstep.Run(program, options, &result);
  return std::move(follower.steps);
}

}  // namespace mmdiff
