// Linux: a kernel's own mm/ as an implementation, in a worker process (worker.h).
//
// A program is run ahead of the harness, all of it at its first operation; then each operation gets
// the answer, the choices and the digest that the kernel gave, as if it had run just now. States
// are taken from the same run if it kept them, else the program is run again. What kills, hangs or
// upsets the kernel becomes the Failure() of the operation it happened in, tried again in a fresh
// process first. That programs leave nothing behind for later ones is checked by running one in
// `replay_every` in a fresh process too, which then stays, and by Confirm() before any disagreement
// is reported. It knows nothing of the reference. A virtual machine is lent to children, for it is
// slow to boot.
//
// A program costs one round trip (worker.h); snapshots may cost another, a failure one boot or two,
// and Confirm() a boot and a few round trips, of a failure as many boots as it is repeated.
#ifndef MMDIFF_KERNEL_LINUX_H_
#define MMDIFF_KERNEL_LINUX_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/implementation.h"
#include "kernel/worker.h"

namespace mmdiff {

// Entries of a page table of the kernels that can be workers.
inline constexpr uint32_t kLinuxTable = 512;

struct LinuxOptions {
  std::string name;  // ImplInfo::name
  WorkerOptions worker;
  WorldDemands demands{.table = kLinuxTable};  // ImplInfo::demands
  OpcodeSet lacks;                             // ImplInfo::lacks
  RelationSet sees = EveryRelation();          // ImplInfo::sees
  bool own_folio_numbers = true;               // ImplInfo::own_folio_numbers
  uint32_t replay_every = 16384;  // one program in so many is run again in a fresh process; 0: none
  uint32_t repeats = 5;           // runs in which a disagreement is confirmed, in one process
  uint32_t failure_repeats = 3;   // the same of a failure, each in a process of its own
};

// One program's answers, kept apart from the worker, which may die or run something else.
struct LinuxAnswers {
  std::vector<mmdiff_wire_result> results;
  std::vector<mmdiff_wire_choice> choices;
  // What went wrong with the kernel, "kind: text", and in which operation.
  static constexpr uint32_t kNoFailure = 0xffffffff;
  uint32_t failure_op = kNoFailure;
  std::string failure;
  std::string log;

  void Clear();  // keeps capacity
};

class LinuxImplementation : public Implementation {
 public:
  // Starts nothing yet: a kernel that cannot run is a fault of the harness at the first operation.
  // Error: NotFound if there is no such executable.
  static absl::StatusOr<std::unique_ptr<Implementation>> Make(const LinuxOptions& options);

  const ImplInfo& info() const override { return info_; }
  void Load(const Program& program, uint32_t ops) override;
  void Reset(const World& world) override;
  Digest digest() override { return digest_; }
  void Snapshot(State* out) override;
  std::string CheckInvariants() override;
  std::string Failure() override;
  std::string Confirm() override;
  Repeats Repeated() const override { return repeated_; }
  std::string FailureLog() override { return answers_.log; }
  uint32_t CoverageEdges() override;
  void CopyCoverage(uint8_t* to) override;
  void Lend() override;
  void TakeBack() override;

#define MMDIFF_ARG(kind, name) a.name,
#define MMDIFF_OP(op, result, weight, arglist, doc)                              \
  OpResult op(const args::op& a, OpContext& context) override {                  \
    return Answer(Opcode::op, std::array<uint32_t, kMaxArgs>{arglist}, context); \
  }
#include "program/ops.def"

 private:
  explicit LinuxImplementation(const LinuxOptions& options);

  OpResult Answer(Opcode code, const std::array<uint32_t, kMaxArgs>& arg, OpContext& context);
  void RunAhead();
  absl::Status EnsureWorker();
  void RunOn(Worker* worker, uint32_t snap_from, LinuxAnswers* answers) const;
  void SettleFailure();
  std::string RunFresh(uint32_t ops, uint32_t* op);
  void Repeat(uint32_t ops);
  void RepeatFailure();
  bool FindState();
  void ReadState(uint32_t op);
  uint32_t Guess() const;

  ImplInfo info_;
  LinuxOptions options_;
  std::unique_ptr<Worker> worker_;
  uint64_t programs_ = 0;
  uint32_t coverage_edges_ = 0;  // as was answered first

  // The program; `loaded_` until the Reset that belongs to it.
  World world_;
  std::vector<Op> ops_;
  bool loaded_ = false;
  bool ran_ = false;
  uint32_t next_ = 0;   // operations that were asked for
  bool alone_ = false;  // it was the first that worker_ ran
  LinuxAnswers answers_;
  Repeats repeated_;
  Digest digest_ = 0;
  std::string late_failure_;  // seen when the program was run again

  // The state after operation `state_op_`, if it has been read.
  static constexpr uint32_t kNoState = 0xffffffff;
  bool worker_has_it_ = false;  // the last program of worker_ is this one
  uint32_t state_op_ = kNoState;
  State state_;
  std::string state_text_;
  // Where the harness looked first in the last program: likely so again.
  enum class Habit : uint8_t { kNever, kFirst, kLast } habit_ = Habit::kNever;
  uint32_t looked_first_ = kNoState;
};

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_LINUX_H_
