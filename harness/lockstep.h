// Lockstep: runs one program on several implementations and stops where they first disagree.
//
// Every implementation but the reference is a leader. With a reference in the list each leader has
// a reference of its own, which runs every operation after it and follows its choices. After each
// operation the results and the digests are compared; only where digests differ, at samples, at
// `check` and at the end are full snapshots taken, and those decide. Lockstep knows nothing of what
// the operations do.
//
// A run costs the operations, two digests an operation and leader, and the samples; after the first
// runs nothing is allocated unless something is wrong.
#ifndef MMDIFF_HARNESS_LOCKSTEP_H_
#define MMDIFF_HARNESS_LOCKSTEP_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "harness/implementation.h"
#include "program/program.h"
#include "state/compare.h"
#include "state/relations.h"
#include "state/state.h"

namespace mmdiff {

// Who takes part in a run; registry.h makes it from specs.
struct Contestants {
  std::vector<std::unique_ptr<Implementation>> leaders;
  // references[i] follows leaders[i]. Empty: no reference takes part, and the leaders are compared
  // with leaders[0] directly. A lone reference is its own leader.
  std::vector<std::unique_ptr<Implementation>> references;
};

// Where a run is, written as it goes, so that a parent process can say which operation crashed or
// hangs. May lie in shared memory.
struct RunProgress {
  static constexpr uint32_t kIdle = 0xffffffff;
  std::atomic<uint32_t> op_index{kIdle};
  std::atomic<uint32_t> leader{0};
  std::atomic<uint32_t> in_reference{0};  // 1 while the reference of that leader runs
  std::atomic<uint32_t> starting{0};      // implementations that start now (harness/starting.h)
};

class Lockstep;

// Is told of every operation after it was compared; for traces and explanations.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  // Called once before the first operation.
  virtual void OnStart(Lockstep& lockstep, const Program& program) {}
  // Called after operation `op_index` ran everywhere and before its comparison is acted on.
  virtual void OnOp(Lockstep& lockstep, const Program& program, uint32_t op_index) = 0;
};

struct RunOptions {
  // Full snapshots, comparison, invariants and the check of digests every so many operations; 0:
  // never.
  uint32_t full_every = 64;
  // The same at the end of one program in so many, picked by its last digest; 1: always, 0: never.
  uint32_t full_at_end_every = 1;
  bool check_invariants = true;     // at the samples above
  bool check_expectations = false;  // evaluate Program::expectations
  // Ask implementations to stand by their answers before a disagreement is reported; what runs many
  // variants of a known one may do without.
  bool confirm = true;
  // Findings, by Signature::FileName(), that need no confirming any more; may be null.
  const std::set<std::string>* confirmed = nullptr;
  // Run only so many operations of the program; the end of the prefix is the end of the run.
  uint32_t max_ops = 0xffffffff;
  RunProgress* progress = nullptr;
  RunObserver* observer = nullptr;

  // Everything compared in full after each operation; what reproducing and explaining use.
  static RunOptions Thorough() {
    RunOptions o;
    o.full_every = 1;
    return o;
  }
};

enum class RunOutcome : uint8_t {
  ok,
  divergence,     // implementations disagree
  invariant,      // one implementation's state contradicts itself, or it failed by itself
  expectation,    // not what the text of the program said
  harness_fault,  // a digest that does not fit its state, an expectation that cannot be read, a
                  // program that an implementation cannot run
};
const char* RunOutcomeName(RunOutcome outcome);

struct NamedResult {
  std::string name;
  OpResult result;
};

// Everything about a disagreement (or a broken invariant) that reports and signatures need.
struct Divergence {
  uint32_t op_index = 0;
  Op op;
  std::string relation;  // "pte.write", "result.err", "choice.refused", "refcount" for an invariant
  std::string message;   // one line
  std::vector<std::vector<std::string>> partition;  // groups of implementations that agree, sorted
  std::vector<NamedResult> results;                 // of this operation, all implementations
  // The two sides that differ first: `name_a` is the reference if there is one. For a broken
  // invariant both are the implementation that broke it.
  std::string name_a, name_b;
  CompareResult compare;
  State state_a, state_b;  // canonical, after the operation
  std::string log;         // what the implementation said when it failed (FailureLog); mostly empty
  Repeats repeats;         // of the leader that was the least sure
};

// What one operation did, on the first leader.
struct OpRecord {
  OpResult result;
  bool effect = false;  // changed the state or returned data
  bool supported = true;
};

struct RunResult {
  RunOutcome outcome = RunOutcome::ok;
  std::string message;        // empty if ok; else one line
  uint32_t op_index = 0;      // of the operation where it went wrong
  Divergence divergence;      // for divergence and invariant
  std::vector<OpRecord> ops;  // those that ran
  uint32_t ops_run = 0;
  uint32_t ops_with_effect = 0;
  uint32_t ops_unsupported = 0;
  uint32_t full_compares = 0;
  Digest last_digest = 0;  // of the first leader, after the last operation

  void Clear();  // keeps capacity
};

// Counts over all runs of one Lockstep.
struct LockstepCounters {
  static constexpr size_t kErrnos = 134;
  uint64_t programs = 0;
  uint64_t ops = 0;
  uint64_t ops_with_effect = 0;
  uint64_t ops_unsupported = 0;
  uint64_t full_compares = 0;
  // Comparisons that found equal states with folios numbered in another order, of implementations
  // that may do so (ImplInfo::own_folio_numbers).
  uint64_t renumbered = 0;
  // [opcode][errno], on the first leader; 0 is success.
  std::array<std::array<uint64_t, kErrnos>, kOpcodes> outcomes{};
  RelationUses relation_uses;
};

class Lockstep {
 public:
  // Needs at least one leader, and no references or one for each leader.
  explicit Lockstep(Contestants contestants);
  ~Lockstep();

  // Runs `program` from an empty machine until it ends or something is wrong; fills `out` (cleared
  // first) and returns out->outcome. The program must be valid (fixed up or parsed).
  RunOutcome Run(const Program& program, const RunOptions& options, RunResult* out);

  // The implementations, for observers and tools.
  size_t leaders() const { return sides_.size(); }
  Implementation& leader(size_t i);
  Implementation* reference(size_t i);  // of leader i; nullptr if there is none
  // Results and choices of the operation that ran last. Valid in an observer and after Run.
  const OpResult& leader_result(size_t i) const;
  const OpResult& reference_result(size_t i) const;
  const ChoiceLog& choices(size_t i) const;
  bool skipped(size_t i) const;  // left out of the comparison since an unsupported operation

  const LockstepCounters& counters() const { return *counters_; }
  // How often the references followed each kind of choice, over all runs.
  std::array<uint64_t, kChoiceKinds> ChoiceUses() const;
  void ResetCounters();

 private:
  struct Side;
  // Refuses a program that an implementation cannot run.
  bool Accepts(const Program& program, RunResult* out);
  void Start(const Program& program, uint32_t ops);
  void RunOp(const Program& program, uint32_t i, RunProgress* progress);
  void Account(const Op& op, RunResult* out);
  bool OpLooksEqual() const;
  // Each returns true if the run may go on; else `out` says what is wrong.
  bool CompareAll(const Program& program, uint32_t i, RunResult* out);
  bool CheckFailures(const Program& program, uint32_t i, RunResult* out);
  bool Confirm(const Program& program, uint32_t i, RunResult* out);
  void ConfirmFailure(RunResult* out);
  bool CheckInvariants(const Program& program, uint32_t i, RunResult* out);
  bool CheckExpectations(const Program& program, uint32_t i, size_t* next, RunResult* out);

  int Opponent(size_t side) const;
  Implementation& OpponentOf(size_t side) const;
  bool Judge(size_t side, CompareResult* result, State* a, State* b, std::string* fault);
  void JudgeAnswers(size_t side, CompareResult* result) const;
  void FillDivergence(const Program& program, uint32_t i, RunResult* out);
  void FillPartition(const std::vector<bool>& dissents, Divergence* out);
  bool SameAnswer(size_t side_a, size_t side_b);
  bool Fault(uint32_t i, std::string message, RunResult* out);
  bool Broken(const Program& program, uint32_t i, Side& side, Implementation& impl,
              const std::string& what, const std::string& text, RunResult* out);

  std::vector<std::unique_ptr<Side>> sides_;
  std::array<uint32_t, kArgKinds + 1> next_handle_{};
  State scratch_a_, scratch_b_;
  CompareResult compare_;
  std::unique_ptr<LockstepCounters> counters_;
};

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_LOCKSTEP_H_
