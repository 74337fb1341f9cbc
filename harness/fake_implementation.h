// FakeImplementation: a tiny machine with a real State, for the tests of the harness.
//
// It knows processes, VMAs and order-0 anonymous folios: mm, map, unmap, fork, write and read do
// roughly what they should, every other operation succeeds without effect. A hook runs after each
// operation and may change the state, the result, the digest or the invariant, record or follow
// choices: that is how a test makes two of them disagree. It models no kernel. Digest and snapshot
// cost O(state); nothing allocates in the steady state.
#ifndef MMDIFF_HARNESS_FAKE_IMPLEMENTATION_H_
#define MMDIFF_HARNESS_FAKE_IMPLEMENTATION_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/implementation.h"
#include "harness/lockstep.h"
#include "program/program.h"

namespace mmdiff {

class FakeImplementation : public Implementation {
 public:
  struct Call {
    FakeImplementation& self;
    Opcode code;
    std::array<uint32_t, kMaxArgs> arg;
    OpContext& context;
    OpResult& result;
  };
  using Hook = std::function<void(Call&)>;

  explicit FakeImplementation(std::string name, Hook hook = nullptr) : hook_(std::move(hook)) {
    info_.name = std::move(name);
    info_.is_reference = info_.name == "reference";
  }
  void AddSwitch(const std::string& name, bool on) {
    info_.switches.push_back({name, on, "a switch"});
  }

  void Demand(const WorldDemands& demands, const OpcodeSet& lacks = {}) {
    info_.demands = demands;
    info_.lacks = lacks;
  }

  // Numbers its folios in its own way, as kernels do.
  void CountFoliosFrom(uint32_t first) {
    info_.own_folio_numbers = true;
    first_folio_ = next_folio_ = first;
  }

  const ImplInfo& info() const override { return info_; }
  void Reset(const World&) override {
    state.Clear();
    next_folio_ = first_folio_;
    digest_error = 0;
    invariant.clear();
  }
  Digest digest() override { return DigestOf(state) + digest_error; }
  void Snapshot(State* out) override { *out = state; }
  std::string CheckInvariants() override { return invariant; }

  // For hooks. Folios have the numbers of the order in which they were made.
  State state;
  Digest digest_error = 0;
  std::string invariant;
  PteState* Pte(uint32_t mm, uint32_t vpn) {
    for (PteState& r : state.ptes) {
      if (r.mm == mm && r.vpn == vpn) return &r;
    }
    return nullptr;
  }
  FolioState* Folio(uint32_t id) {
    for (FolioState& r : state.folios) {
      if (r.id == id) return &r;
    }
    return nullptr;
  }
  PageState* Page(uint32_t folio) {
    for (PageState& r : state.pages) {
      if (r.folio == folio) return &r;
    }
    return nullptr;
  }

#define MMDIFF_ARG(kind, name) a.name,
#define MMDIFF_OP(op, result, weight, arglist, doc)                          \
  OpResult op(const args::op& a, OpContext& context) override {              \
    return Do(Opcode::op, std::array<uint32_t, kMaxArgs>{arglist}, context); \
  }
#include "program/ops.def"

 private:
  static constexpr int32_t kFault = 14, kNoProcess = 3;  // EFAULT, ESRCH

  OpResult Do(Opcode code, const std::array<uint32_t, kMaxArgs>& arg, OpContext& context) {
    OpResult result;
    switch (code) {
      case Opcode::mm:
        state.mms.push_back({.id = context.result_handle});
        break;
      case Opcode::map:
        result = Map(arg);
        break;
      case Opcode::unmap:
        result = Unmap(arg);
        break;
      case Opcode::fork:
        result = Fork(arg[0], context.result_handle);
        break;
      case Opcode::write:
      case Opcode::read:
        result = Access(code == Opcode::write, arg, context);
        break;
      default:
        break;
    }
    if (hook_) {
      Call call{*this, code, arg, context, result};
      hook_(call);
    }
    return result;
  }

  MmState* Mm(uint32_t id) {
    for (MmState& r : state.mms) {
      if (r.id == id) return &r;
    }
    return nullptr;
  }
  OpResult Map(const std::array<uint32_t, kMaxArgs>& arg) {
    if (Mm(arg[0]) == nullptr) return {.err = kNoProcess};
    state.vmas.push_back({.mm = arg[0],
                          .start = arg[1],
                          .end = arg[1] + arg[2],
                          .flags = arg[3] & (kVmRead | kVmWrite),
                          .file = kNoFile,
                          .pgoff = arg[1]});
    return {};
  }
  const VmaState* Vma(uint32_t mm, uint32_t vpn) const {
    for (const VmaState& r : state.vmas) {
      if (r.mm == mm && r.start <= vpn && vpn < r.end) return &r;
    }
    return nullptr;
  }
  uint32_t NewFolio() {
    state.folios.push_back({.id = next_folio_,
                            .flags = kFolioAnon | kFolioSwapBacked,
                            .refcount = 1,
                            .mapcount = 1,
                            .file = kNoFile});
    state.pages.push_back({.folio = next_folio_, .mapcount = 1, .anon_exclusive = 1});
    return next_folio_++;
  }
  void Drop(uint32_t folio) {
    FolioState* f = Folio(folio);
    --f->refcount;
    --f->mapcount;
    --Page(folio)->mapcount;
    if (f->refcount > 0) return;
    std::erase_if(state.folios, [&](const FolioState& r) { return r.id == folio; });
    std::erase_if(state.pages, [&](const PageState& r) { return r.folio == folio; });
  }
  OpResult Unmap(const std::array<uint32_t, kMaxArgs>& arg) {
    OpResult result;
    for (uint32_t vpn = arg[1]; vpn < arg[1] + arg[2]; ++vpn) {
      PteState* pte = Pte(arg[0], vpn);
      if (pte == nullptr) continue;
      Drop(pte->folio);
      state.ptes.erase(state.ptes.begin() + (pte - state.ptes.data()));
      ++result.value;
    }
    std::erase_if(state.vmas, [&](const VmaState& r) {
      return r.mm == arg[0] && arg[1] <= r.start && r.end <= arg[1] + arg[2];
    });
    return result;
  }
  OpResult Fork(uint32_t parent, uint32_t child) {
    if (Mm(parent) == nullptr) return {.err = kNoProcess};
    state.mms.push_back({.id = child});
    for (size_t i = 0, n = state.vmas.size(); i < n; ++i) {
      if (state.vmas[i].mm != parent) continue;
      VmaState copy = state.vmas[i];
      copy.mm = child;
      state.vmas.push_back(copy);
    }
    for (size_t i = 0, n = state.ptes.size(); i < n; ++i) {
      if (state.ptes[i].mm != parent) continue;
      state.ptes[i].bits &= static_cast<uint8_t>(~kPteWrite);
      PteState copy = state.ptes[i];
      copy.mm = child;
      ++Folio(copy.folio)->refcount;
      ++Folio(copy.folio)->mapcount;
      ++Page(copy.folio)->mapcount;
      Page(copy.folio)->anon_exclusive = 0;
      state.ptes.push_back(copy);
    }
    return {};
  }
  OpResult Access(bool write, const std::array<uint32_t, kMaxArgs>& arg, OpContext& context) {
    OpResult result;
    if (Mm(arg[0]) == nullptr) return {.err = kNoProcess};
    for (uint32_t vpn = arg[1]; vpn < arg[1] + arg[2]; ++vpn) {
      const VmaState* vma = Vma(arg[0], vpn);
      if (vma == nullptr || (write && (vma->flags & kVmWrite) == 0)) {
        result.err = kFault;
        return result;
      }
      if (write) Store(arg[0], vpn, StoredValue(context.op_index, vpn));
      const PteState* pte = Pte(arg[0], vpn);
      if (!write)
        result.data = FoldData(result.data, pte == nullptr ? 0 : Page(pte->folio)->content);
      ++result.value;
    }
    return result;
  }
  void Store(uint32_t mm, uint32_t vpn, uint64_t value) {
    PteState* pte = Pte(mm, vpn);
    if (pte != nullptr && (pte->bits & kPteWrite) == 0) {  // copy on write
      Drop(pte->folio);
      pte->folio = NewFolio();
    } else if (pte == nullptr) {
      state.ptes.push_back({.mm = mm, .vpn = vpn, .kind = PteKind::kPresent, .folio = NewFolio()});
      pte = &state.ptes.back();
    }
    pte->bits = kPteWrite | kPteDirty | kPteYoung;
    Page(pte->folio)->content = value;
  }

  ImplInfo info_;
  Hook hook_;
  uint32_t next_folio_ = 0;
  uint32_t first_folio_ = 0;
};

// "reference" and one leader for each (name, hook), each with a reference of its own that has
// `reference_hook`.
inline Contestants FakeContestants(
    std::vector<std::pair<std::string, FakeImplementation::Hook>> leaders,
    const FakeImplementation::Hook& reference_hook = nullptr) {
  Contestants out;
  for (auto& [name, hook] : leaders) {
    out.leaders.push_back(std::make_unique<FakeImplementation>(name, std::move(hook)));
    out.references.push_back(std::make_unique<FakeImplementation>("reference", reference_hook));
  }
  return out;
}

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_FAKE_IMPLEMENTATION_H_
