// Toy machine: a small implementation for the tests of the harness and of the reducer.
//
// It knows processes, mapped pages and their values, and answers every other operation with success
// and without effect. A test gives it a misdeed, which is called after each operation and may
// change the result or the machine, crash or hang. It models nothing of the kernel and makes no
// choices. Digest and snapshot cost O(pages).
#ifndef MMDIFF_HARNESS_TOY_MACHINE_H_
#define MMDIFF_HARNESS_TOY_MACHINE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/implementation.h"
#include "harness/lockstep.h"

namespace mmdiff {

class ToyMachine : public Implementation {
 public:
  using Arguments = std::array<uint32_t, kMaxArgs>;
  // What the operation was, and what the machine is about to answer.
  struct Event {
    ToyMachine& machine;
    Opcode code;
    const Arguments& args;
    const OpContext& context;
    OpResult& result;
  };
  using Misdeed = std::function<void(Event&)>;

  ToyMachine(std::string name, bool is_reference, Misdeed misdeed = nullptr)
      : misdeed_(std::move(misdeed)) {
    info_.name = std::move(name);
    info_.is_reference = is_reference;
  }

  void Demand(const WorldDemands& demands, const OpcodeSet& lacks = {}) {
    info_.demands = demands;
    info_.lacks = lacks;
  }
  const ImplInfo& info() const override { return info_; }
  void Reset(const World& world) override {
    mms_.clear();
    pages_.clear();
    ops_done = 0;
  }
  Digest digest() override {
    State state;
    Snapshot(&state);
    return DigestOf(state);
  }
  void Snapshot(State* out) override {
    out->Clear();
    for (const auto& [id, flags] : mms_) out->mms.push_back({.id = id, .has_pinned = flags});
    for (const auto& [place, slot] : pages_) {
      out->ptes.push_back(
          {.mm = place.first, .vpn = place.second, .kind = PteKind::kSwap, .slot = slot});
    }
  }
  std::string CheckInvariants() override { return ""; }

  // For misdeeds: the processes with one free bit each, and the pages (mm, vpn) with a value each.
  std::map<uint32_t, uint32_t>& mms() { return mms_; }
  std::map<std::pair<uint32_t, uint32_t>, uint32_t>& pages() { return pages_; }
  uint32_t ops_done = 0;  // since Reset

#define MMDIFF_ARG(kind, name) a.name,
#define MMDIFF_OP(op, result, weight, arglist, doc)             \
  OpResult op(const args::op& a, OpContext& context) override { \
    return Do(Opcode::op, Arguments{arglist}, context);         \
  }
#include "program/ops.def"

 private:
  OpResult Do(Opcode code, const Arguments& args, const OpContext& context) {
    OpResult result;
    switch (code) {
      case Opcode::mm:
        mms_[context.result_handle] = 0;
        break;
      case Opcode::fork:
        result = Fork(args[0], context.result_handle);
        break;
      case Opcode::map:
        for (uint32_t i = 0; i < args[2]; ++i) pages_[{args[0], args[1] + i}] = 0;
        break;
      case Opcode::unmap:
        for (uint32_t i = 0; i < args[2]; ++i) result.value += Erase(args[0], args[1] + i);
        break;
      case Opcode::write:
        for (uint32_t i = 0; i < args[2]; ++i) {
          const auto page = pages_.find({args[0], args[1] + i});
          if (page == pages_.end()) {
            result.err = 14;
            break;
          }
          page->second = page->second + 1;
          ++result.value;
        }
        break;
      default:
        break;
    }
    ++ops_done;
    if (misdeed_) {
      Event event{*this, code, args, context, result};
      misdeed_(event);
    }
    return result;
  }
  OpResult Fork(uint32_t parent, uint32_t child) {
    if (!mms_.contains(parent)) return {.err = 3};
    mms_[child] = 0;
    std::vector<std::pair<uint32_t, uint32_t>> copied;  // vpn, value
    for (const auto& [place, value] : pages_) {
      if (place.first == parent) copied.push_back({place.second, value});
    }
    for (const auto& [vpn, value] : copied) pages_[{child, vpn}] = value;
    return {};
  }
  uint32_t Erase(uint32_t mm, uint32_t vpn) {
    return static_cast<uint32_t>(pages_.erase({mm, vpn}));
  }

  ImplInfo info_;
  Misdeed misdeed_;
  std::map<uint32_t, uint32_t> mms_;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> pages_;
};

// A reference that behaves, and a leader "toy" that commits `misdeed`.
inline Contestants ToyContestants(ToyMachine::Misdeed misdeed) {
  Contestants contestants;
  contestants.leaders.push_back(std::make_unique<ToyMachine>("toy", false, std::move(misdeed)));
  contestants.references.push_back(std::make_unique<ToyMachine>("reference", true));
  return contestants;
}

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_TOY_MACHINE_H_
