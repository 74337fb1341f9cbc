// Model: the Implementation; one method per operation, each in the file of its subject: processes
// and mappings in mmap.cc, protect in mprotect.cc, advice in madvise.cc, and so on.
//
// An operation checks its handles first, then takes the locks of its mm. Costs are those of the
// operation.
#ifndef MMDIFF_MODEL_SYSCALLS_H_
#define MMDIFF_MODEL_SYSCALLS_H_

#include "harness/implementation.h"
#include "model/kernel.h"

MMDIFF_MODEL_BEGIN

class Model final : public Implementation {
 public:
  explicit Model(ImplInfo info, const Switches& switches);

  const ImplInfo& info() const override { return info_; }
  void Reset(const World& world) override { k_.Reset(world); }
  Digest digest() override { return k_.digest(); }
  void Snapshot(State* out) override { k_.Snapshot(out); }
  std::string CheckInvariants() override { return k_.CheckInvariants(); }
  std::vector<CostItem> Costs() const override;

  Kernel& kernel() { return k_; }

#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(op, result, weight, arglist, doc) \
  OpResult op(const args::op& a, OpContext& ctx) override;
#include "program/ops.def"

 private:
  // dontneed and zap_begin: the zap of a range into an open gather.
  int ZapRange(Task& t, Mm& mm, uint32_t start, uint32_t end, MmuGather& tlb, uint32_t* value);
  // lock, lock_onfault, unlock.
  OpResult ApplyMlock(OpContext& ctx, uint32_t mm, uint32_t vpn, uint32_t npages, uint32_t flags);
  OpResult Access(OpContext& ctx, uint32_t mm, uint32_t vpn, uint32_t npages, bool write);
  // dontfork, dofork.
  OpResult AdviseFork(OpContext& ctx, uint32_t mm, uint32_t vpn, uint32_t npages, bool dont);
  OpResult Unpin(OpContext& ctx, uint32_t pin, bool dirty);

  ImplInfo info_;
  Kernel k_;
};

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_SYSCALLS_H_
