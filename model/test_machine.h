// A model with a program of calls around it, for the tests of model/: each call is one operation on
// CPU `cpu`.
//
// It numbers operations and handles as a runner would. For tests only; a call costs its operation
// plus a full check: the digest must fit the snapshot and no invariant may be broken.
#ifndef MMDIFF_MODEL_TEST_MACHINE_H_
#define MMDIFF_MODEL_TEST_MACHINE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "harness/choice.h"
#include "model/model.h"
#include "model/syscalls.h"
#include "state/digest.h"

namespace mmdiff::model {

class TestMachine {
 public:
  explicit TestMachine(const World& world = World{}, std::string_view spec = "") {
    std::string error;
    impl_ = MakeModel(spec, &error);
    EXPECT_EQ(error, "");
    impl_->Reset(world);
  }

  uint32_t cpu = 0;

  // Runs one operation; `result` is the number of the handle that it binds.
  template <typename Args>
  OpResult Run(OpResult (Model::*op)(const Args&, OpContext&), const Args& args,
               uint32_t result = 0) {
    log_->BeginOp();
    OpContext ctx{.op_index = next_op_++,
                  .result_handle = result,
                  .cpu = static_cast<uint8_t>(cpu),
                  .choices = log_.get()};
    const OpResult r = (static_cast<Model&>(*impl_).*op)(args, ctx);
    const Digest digest = impl_->digest();
    impl_->Snapshot(&state_);
    EXPECT_EQ(digest, DigestOf(state_)) << "digest after operation " << ctx.op_index;
    EXPECT_EQ(impl_->CheckInvariants(), "") << "after operation " << ctx.op_index;
    return r;
  }

  void Mm(uint32_t m) { EXPECT_EQ(Run(&Model::mm, args::mm{}, m).err, 0); }
  void Fork(uint32_t from, uint32_t to) {
    EXPECT_EQ(Run(&Model::fork, args::fork{from}, to).err, 0);
  }
  OpResult Exit(uint32_t m) { return Run(&Model::exit, args::exit{m}); }
  void File(uint32_t f, uint32_t npages, uint32_t order) {
    EXPECT_EQ(Run(&Model::file, args::file{npages, order}, f).err, 0);
  }
  OpResult Map(uint32_t m, uint32_t vpn, uint32_t n, uint32_t flags, uint32_t file = kNoFile,
               uint32_t pgoff = 0) {
    return Run(&Model::map, args::map{m, vpn, n, flags, file, pgoff});
  }
  OpResult Unmap(uint32_t m, uint32_t vpn, uint32_t n) {
    return Run(&Model::unmap, args::unmap{m, vpn, n});
  }
  OpResult Protect(uint32_t m, uint32_t vpn, uint32_t n, uint32_t prot) {
    return Run(&Model::protect, args::protect{m, vpn, n, prot});
  }
  OpResult Read(uint32_t m, uint32_t vpn, uint32_t n) {
    return Run(&Model::read, args::read{m, vpn, n});
  }
  OpResult Write(uint32_t m, uint32_t vpn, uint32_t n) {
    return Run(&Model::write, args::write{m, vpn, n});
  }
  OpResult Dontneed(uint32_t m, uint32_t vpn, uint32_t n) {
    return Run(&Model::dontneed, args::dontneed{m, vpn, n});
  }

  const State& state() const { return state_; }
  const ChoiceLog& choices() const { return *log_; }
  Implementation& impl() { return *impl_; }

  // Facts of the last snapshot.
  const MmState& mm(uint32_t m) const {
    for (const MmState& s : state_.mms) {
      if (s.id == m) return s;
    }
    ADD_FAILURE() << "no process m" << m;
    static const MmState none;
    return none;
  }
  PteState pte(uint32_t m, uint32_t vpn) const {
    for (const PteState& s : state_.ptes) {
      if (s.mm == m && s.vpn == vpn) return s;
    }
    return PteState{};
  }
  FolioState folio(uint32_t id) const {
    for (const FolioState& s : state_.folios) {
      if (s.id == id) return s;
    }
    ADD_FAILURE() << "no folio " << id;
    return FolioState{};
  }
  FolioState folio_at(uint32_t m, uint32_t vpn) const { return folio(pte(m, vpn).folio); }
  std::vector<VmaState> vmas(uint32_t m) const {
    std::vector<VmaState> result;
    for (const VmaState& s : state_.vmas) {
      if (s.mm == m) result.push_back(s);
    }
    return result;
  }
  // Translations of m that some CPU holds at vpn.
  uint32_t tlb_entries(uint32_t m, uint32_t vpn) const {
    uint32_t n = 0;
    for (const TlbState& s : state_.tlbs) n += s.mm == m && s.vpn == vpn;
    return n;
  }
  uint64_t cost(std::string_view name) const {
    for (const CostItem& item : impl_->Costs()) {
      if (item.name == name) return item.count;
    }
    ADD_FAILURE() << "no cost " << name;
    return 0;
  }

 private:
  std::unique_ptr<Implementation> impl_;
  std::unique_ptr<ChoiceLog> log_ = std::make_unique<ChoiceLog>();
  State state_;
  uint32_t next_op_ = 0;
};

inline constexpr uint32_t kRw = kMapRead | kMapWrite;

}  // namespace mmdiff::model

#endif  // MMDIFF_MODEL_TEST_MACHINE_H_
