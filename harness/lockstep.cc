#include "harness/lockstep.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "harness/expectation.h"
#include "harness/signature.h"
#include "program/errno.h"
#include "program/text.h"

namespace mmdiff {
namespace {

constexpr ArgKind kResultKind[kOpcodes] = {
#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(name, result, weight, args, doc) ArgKind::k##result,
#include "program/ops.def"
};

// Relations of answers are not part of a state, so Compare does not see them.
void AddAnswer(RelationId id, std::string a, std::string b, CompareResult* out) {
  if (RelationOf(id).kind == RelationKind::ignored) return;
  FieldDiff d;
  d.relation = id;
  d.key.record = RelationOf(id).record;
  d.where = RecordName(d.key.record);
  d.a = std::move(a);
  d.b = std::move(b);
  out->equal = false;
  out->diffs.push_back(std::move(d));
}

std::string ChoiceText(const Choice& c) {
  return absl::StrCat(ChoiceName(c.kind), "(a=", c.a, " b=", c.b, " c=", static_cast<uint32_t>(c.c),
                      ")");
}

std::string BadDigest(const Implementation& impl) {
  return absl::StrCat("digest: what ", impl.info().name, " keeps does not fit its snapshot");
}

// Confirming may cost the start of a kernel; recognising a finding costs next to nothing.
bool NeedsConfirming(const RunOptions& options, const RunResult& result) {
  return options.confirm && (options.confirmed == nullptr ||
                             !options.confirmed->contains(SignatureOf(result).FileName()));
}

// The one that came out the same less often.
void KeepLeast(const Repeats& repeats, Repeats* least) {
  if (repeats.of == 0) return;
  if (least->of == 0 || repeats.same * least->of < least->same * repeats.of) *least = repeats;
}

std::string InvariantName(const std::string& text) { return text.substr(0, text.find(':')); }

}  // namespace

const char* RunOutcomeName(RunOutcome outcome) {
  switch (outcome) {
    case RunOutcome::ok:
      return "ok";
    case RunOutcome::divergence:
      return "divergence";
    case RunOutcome::invariant:
      return "invariant";
    case RunOutcome::expectation:
      return "expectation";
    case RunOutcome::harness_fault:
      return "harness_fault";
  }
  return "?";
}

void RunResult::Clear() {
  if (outcome != RunOutcome::ok) divergence = Divergence{};
  outcome = RunOutcome::ok;
  message.clear();
  op_index = ops_run = ops_with_effect = ops_unsupported = full_compares = 0;
  ops.clear();
  last_digest = 0;
}

// One leader, its reference, and what both said to the operation that ran last.
struct Lockstep::Side {
  std::unique_ptr<Implementation> leader;
  std::unique_ptr<Implementation> reference;
  OpResult result, reference_result;
  Digest digest = 0, reference_digest = 0;
  Digest digest_before = 0;
  bool skipped = false;
  // The leader, a kernel, has decided otherwise than by default: what a text expects of the default
  // is not said of it.
  bool chose = false;
  ChoiceLog log;

  bool Sees(RelationId id) const { return leader->info().sees[static_cast<size_t>(id)]; }
  bool SeesAll() const { return leader->info().sees.all(); }
};

std::array<uint64_t, kChoiceKinds> Lockstep::ChoiceUses() const {
  std::array<uint64_t, kChoiceKinds> uses{};
  for (const auto& side : sides_) {
    for (size_t kind = 0; kind < kChoiceKinds; ++kind) uses[kind] += side->log.used()[kind];
  }
  return uses;
}

Lockstep::Lockstep(Contestants contestants) : counters_(std::make_unique<LockstepCounters>()) {
  for (size_t i = 0; i < contestants.leaders.size(); ++i) {
    auto side = std::make_unique<Side>();
    side->leader = std::move(contestants.leaders[i]);
    if (i < contestants.references.size()) side->reference = std::move(contestants.references[i]);
    sides_.push_back(std::move(side));
  }
}

Lockstep::~Lockstep() = default;

Implementation& Lockstep::leader(size_t i) { return *sides_[i]->leader; }
Implementation* Lockstep::reference(size_t i) { return sides_[i]->reference.get(); }
const OpResult& Lockstep::leader_result(size_t i) const { return sides_[i]->result; }
const OpResult& Lockstep::reference_result(size_t i) const { return sides_[i]->reference_result; }
const ChoiceLog& Lockstep::choices(size_t i) const { return sides_[i]->log; }
bool Lockstep::skipped(size_t i) const { return sides_[i]->skipped; }
void Lockstep::ResetCounters() { *counters_ = LockstepCounters{}; }

RunOutcome Lockstep::Run(const Program& program, const RunOptions& options, RunResult* out) {
  out->Clear();
  if (!Accepts(program, out)) return out->outcome;
  const uint32_t n = static_cast<uint32_t>(
      std::min<size_t>({program.ops.size(), options.max_ops, RunProgress::kIdle}));
  Start(program, n);
  if (options.observer != nullptr) options.observer->OnStart(*this, program);
  ++counters_->programs;
  size_t next_expectation = 0;
  for (uint32_t i = 0; i < n; ++i) {
    RunOp(program, i, options.progress);
    Account(program.ops[i], out);
    if (options.observer != nullptr) options.observer->OnOp(*this, program, i);
    const bool at_end =
        i + 1 == n && options.full_at_end_every != 0 &&
        (options.full_at_end_every == 1 || out->last_digest % options.full_at_end_every == 0);
    const bool full = at_end || program.ops[i].code == Opcode::check ||
                      (options.full_every != 0 && (i + 1) % options.full_every == 0);
    if (!CheckFailures(program, i, out)) {
      if (NeedsConfirming(options, *out)) ConfirmFailure(out);
      break;
    }
    if ((full || !OpLooksEqual()) && !CompareAll(program, i, out)) {
      if (NeedsConfirming(options, *out)) Confirm(program, i, out);
      break;
    }
    if (full && options.check_invariants && !CheckInvariants(program, i, out)) {
      if (NeedsConfirming(options, *out)) Confirm(program, i, out);
      break;
    }
    if (options.check_expectations && !CheckExpectations(program, i, &next_expectation, out)) break;
  }
  counters_->ops += out->ops_run;
  counters_->ops_with_effect += out->ops_with_effect;
  counters_->ops_unsupported += out->ops_unsupported;
  counters_->full_compares += out->full_compares;
  if (options.progress != nullptr) {
    options.progress->op_index.store(RunProgress::kIdle, std::memory_order_relaxed);
  }
  return out->outcome;
}

bool Lockstep::Accepts(const Program& program, RunResult* out) {
  for (const auto& side : sides_) {
    const ImplInfo& info = side->leader->info();
    if (const OpcodeSet lacking = Uses(program, info.lacks); lacking.any()) {
      return Fault(0,
                   absl::StrCat("operations: ", info.name, " has no counterpart for ",
                                OpcodesText(lacking), "; take them out of the program"),
                   out);
    }
    const WorldDemands unmet = Unmet(program, info.demands);
    if (!unmet.any()) continue;
    std::string fields = absl::StrReplaceAll(DemandsText(unmet), {{"<=", "="}});
    if (absl::StrContains(fields, ' ')) fields = absl::StrCat("\"", fields, "\"");
    return Fault(0,
                 absl::StrCat("world: ", info.name, " demands ", DemandsText(unmet),
                              "; carry the program over with ./mmdiff fmt --world ", fields),
                 out);
  }
  return true;
}

void Lockstep::Start(const Program& program, uint32_t ops) {
  next_handle_.fill(0);
  for (auto& side : sides_) {
    side->leader->Load(program, ops);
    side->leader->Reset(program.world);
    side->digest = side->leader->digest();
    if (side->reference != nullptr) {
      side->reference->Reset(program.world);
      side->reference_digest = side->reference->digest();
    }
    side->result = side->reference_result = OpResult{};
    side->skipped = side->chose = false;
    side->log.BeginOp();
  }
}

void Lockstep::RunOp(const Program& program, uint32_t i, RunProgress* progress) {
  const Op& op = program.ops[i];
  OpContext ctx;
  ctx.op_index = i;
  ctx.result_handle =
      next_handle_[static_cast<size_t>(kResultKind[static_cast<size_t>(op.code)])]++;
  ctx.cpu = op.cpu;
  ctx.thread = op.thread;
  for (size_t s = 0; s < sides_.size(); ++s) {
    Side& side = *sides_[s];
    if (side.skipped) continue;
    if (progress != nullptr) {
      progress->leader.store(static_cast<uint32_t>(s), std::memory_order_relaxed);
      progress->in_reference.store(0, std::memory_order_relaxed);
      progress->op_index.store(i, std::memory_order_relaxed);
    }
    side.log.BeginOp();
    ctx.choices = &side.log;
    side.digest_before = side.digest;
    side.result = side.leader->Dispatch(op, ctx);
    if (side.result.unsupported) {
      side.skipped = true;
      continue;
    }
    side.digest = side.leader->digest();
    side.chose |= side.leader->info().own_folio_numbers && side.log.size() != 0;
    if (side.reference == nullptr) continue;
    if (progress != nullptr) progress->in_reference.store(1, std::memory_order_relaxed);
    // One that is not told what its kernel chose may still know some of it.
    if (side.Sees(RelationId::kchoice_refused) || side.log.size() != 0) side.log.BeginFollowing();
    side.reference_result = side.reference->Dispatch(op, ctx);
    if (side.reference_result.unsupported) {
      side.skipped = true;
      continue;
    }
    side.reference_digest = side.reference->digest();
  }
}

void Lockstep::Account(const Op& op, RunResult* out) {
  const Side& first = *sides_[0];
  OpRecord record;
  record.supported = !first.skipped;
  record.result = first.result;
  if (record.supported) {
    record.effect = first.digest != first.digest_before || first.result.data != 0;
    const size_t err =
        std::min<size_t>(static_cast<uint32_t>(first.result.err), LockstepCounters::kErrnos - 1);
    ++counters_->outcomes[static_cast<size_t>(op.code)][err];
    out->last_digest = first.digest;
  } else {
    ++out->ops_unsupported;
  }
  out->ops_with_effect += record.effect;
  ++out->ops_run;
  out->ops.push_back(record);
}

// The opponent of a side without a reference: the first leader before it that is still compared, or
// -1.
int Lockstep::Opponent(size_t s) const {
  for (size_t i = 0; i < s; ++i) {
    if (!sides_[i]->skipped) return static_cast<int>(i);
  }
  return -1;
}

Implementation& Lockstep::OpponentOf(size_t s) const {
  Side& side = *sides_[s];
  return side.reference != nullptr ? *side.reference
                                   : *sides_[static_cast<size_t>(Opponent(s))]->leader;
}

bool Lockstep::OpLooksEqual() const {
  for (size_t s = 0; s < sides_.size(); ++s) {
    const Side& side = *sides_[s];
    if (side.skipped) continue;
    if (side.reference != nullptr) {
      if (side.digest != side.reference_digest || !side.result.Agrees(side.reference_result) ||
          !side.SeesAll() || side.log.refused() || side.log.left_over() != 0 ||
          side.log.overflow()) {
        return false;
      }
      continue;
    }
    const int opponent = Opponent(s);
    if (opponent < 0) continue;
    const Side& other = *sides_[static_cast<size_t>(opponent)];
    if (side.digest != other.digest || !side.result.Agrees(other.result) || !side.SeesAll() ||
        !other.SeesAll()) {
      return false;
    }
  }
  return true;
}

void Lockstep::JudgeAnswers(size_t s, CompareResult* out) const {
  const Side& side = *sides_[s];
  const ChoiceLog& log = side.log;
  if (log.refused() && side.Sees(RelationId::kchoice_refused)) {
    AddAnswer(RelationId::kchoice_refused, log.refused_why(), ChoiceName(log.refused_kind()), out);
  }
  if (log.left_over() != 0 && side.Sees(RelationId::kchoice_left_over)) {
    AddAnswer(RelationId::kchoice_left_over, "no such choice", ChoiceText(log.next()), out);
  }
  if (log.overflow()) {
    AddAnswer(RelationId::kchoice_overflow, absl::StrCat("at most ", ChoiceLog::kCapacity), "more",
              out);
  }
  const OpResult& a = side.reference != nullptr ? side.reference_result
                                                : sides_[static_cast<size_t>(Opponent(s))]->result;
  const OpResult& b = side.result;
  if (a.err != b.err) AddAnswer(RelationId::kresult_err, ErrnoText(a.err), ErrnoText(b.err), out);
  if (a.value != b.value && !a.value_unknown && !b.value_unknown) {
    AddAnswer(RelationId::kresult_value, absl::StrCat(a.value), absl::StrCat(b.value), out);
  }
  if (a.data != b.data) {
    AddAnswer(RelationId::kresult_data, absl::StrCat("0x", absl::Hex(a.data)),
              absl::StrCat("0x", absl::Hex(b.data)), out);
  }
}

// Compares one side in full. Returns true if it agrees; `fault` is set if a digest does not fit.
bool Lockstep::Judge(size_t s, CompareResult* result, State* a, State* b, std::string* fault) {
  Side& side = *sides_[s];
  result->Clear();
  if (side.reference == nullptr && Opponent(s) < 0) {
    side.leader->Snapshot(b);
    if (side.SeesAll() && DigestOf(*b) != side.digest) *fault = BadDigest(*side.leader);
    return true;
  }
  Implementation& opponent = OpponentOf(s);
  const Digest digest_a = side.reference != nullptr
                              ? side.reference_digest
                              : sides_[static_cast<size_t>(Opponent(s))]->digest;
  opponent.Snapshot(a);
  side.leader->Snapshot(b);
  const Digest real_a = DigestOf(*a), real_b = DigestOf(*b);
  const RelationSet seen = opponent.info().sees & side.leader->info().sees;
  if (real_a != digest_a && opponent.info().sees.all()) {
    *fault = BadDigest(opponent);
  } else if (real_b != side.digest && side.SeesAll()) {
    *fault = BadDigest(*side.leader);
  }
  JudgeAnswers(s, result);
  if (result->equal && *a == *b) return true;
  Canonicalize(a);
  Canonicalize(b);
  if (Compare(*a, *b, &compare_, &counters_->relation_uses, kMaxFieldDiffs, seen)) {
    const bool renumbered =
        result->equal && fault->empty() && real_a != real_b && *a == *b && seen.all();
    if (renumbered &&
        (opponent.info().own_folio_numbers || side.leader->info().own_folio_numbers)) {
      ++counters_->renumbered;
    } else if (renumbered) {
      *fault = absl::StrCat("digest: ", opponent.info().name, " and ", side.leader->info().name,
                            " agree but number their folios differently");
    }
  } else {
    result->equal = false;
    for (FieldDiff& d : compare_.diffs) result->diffs.push_back(std::move(d));
    result->more = compare_.more;
  }
  return result->equal;
}

bool Lockstep::CompareAll(const Program& program, uint32_t i, RunResult* out) {
  ++out->full_compares;
  std::string fault;
  bool equal = true;
  for (size_t s = 0; s < sides_.size() && equal; ++s) {
    if (sides_[s]->skipped) continue;
    equal = Judge(s, &out->divergence.compare, &scratch_a_, &scratch_b_, &fault);
  }
  if (!equal) {
    FillDivergence(program, i, out);
    return false;
  }
  return fault.empty() || Fault(i, std::move(fault), out);
}

bool Lockstep::Fault(uint32_t i, std::string message, RunResult* out) {
  out->outcome = RunOutcome::harness_fault;
  out->op_index = i;
  out->message = std::move(message);
  return false;
}

void Lockstep::FillDivergence(const Program& program, uint32_t i, RunResult* out) {
  out->outcome = RunOutcome::divergence;
  out->op_index = i;
  Divergence& d = out->divergence;
  d.op_index = i;
  d.op = program.ops[i];
  std::vector<bool> dissents(sides_.size());
  bool first = true;
  std::string ignored_fault;
  for (size_t s = 0; s < sides_.size(); ++s) {
    if (sides_[s]->skipped) continue;
    CompareResult result;
    dissents[s] = !Judge(s, &result, &scratch_a_, &scratch_b_, &ignored_fault);
    if (!dissents[s] || !first) continue;
    first = false;
    Canonicalize(&scratch_a_);
    Canonicalize(&scratch_b_);
    d.compare = std::move(result);
    d.state_a = scratch_a_;
    d.state_b = scratch_b_;
    d.name_a = OpponentOf(s).info().name;
    d.name_b = sides_[s]->leader->info().name;
  }
  for (const auto& side : sides_) {
    if (side->skipped) continue;
    if (side->reference != nullptr && d.results.empty()) {
      d.results.push_back({side->reference->info().name, side->reference_result});
    }
    d.results.push_back({side->leader->info().name, side->result});
  }
  if (d.compare.diffs.empty()) {  // it did differ a moment ago
    Fault(i, "snapshot: an implementation gives another snapshot when asked twice", out);
    return;
  }
  FillPartition(dissents, &d);
  const FieldDiff& worst = d.compare.diffs.front();
  d.relation = worst.name();
  d.message =
      absl::StrCat(d.relation, " of ", worst.where, " after op ", i, " ", PrintOpAt(program, i),
                   ": ", d.name_a, " has ", worst.a, ", ", d.name_b, " has ", worst.b);
  out->message = d.message;
}

bool Lockstep::SameAnswer(size_t s, size_t t) {
  if (!sides_[s]->result.Agrees(sides_[t]->result)) return false;
  sides_[s]->leader->Snapshot(&scratch_a_);
  sides_[t]->leader->Snapshot(&scratch_b_);
  Canonicalize(&scratch_a_);
  Canonicalize(&scratch_b_);
  return Compare(scratch_a_, scratch_b_, &compare_, nullptr, kMaxFieldDiffs,
                 sides_[s]->leader->info().sees & sides_[t]->leader->info().sees);
}

void Lockstep::FillPartition(const std::vector<bool>& dissents, Divergence* out) {
  // Leaders that agree with their reference are one group, also where they chose differently; the
  // others are grouped by what they answered and by their states.
  std::vector<std::string> agreeing;
  std::vector<std::vector<size_t>> groups;
  for (size_t s = 0; s < sides_.size(); ++s) {
    const Side& side = *sides_[s];
    if (side.skipped) continue;
    if (side.reference != nullptr && agreeing.empty())
      agreeing.push_back(side.reference->info().name);
    if (!dissents[s]) {
      agreeing.push_back(side.leader->info().name);
      continue;
    }
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const std::vector<size_t>& g) {
      return SameAnswer(g[0], s);
    });
    if (same != groups.end()) {
      same->push_back(s);
    } else {
      groups.push_back({s});
    }
  }
  out->partition.push_back(std::move(agreeing));
  for (const auto& group : groups) {
    std::vector<std::string> names;
    names.reserve(group.size());
    for (const size_t s : group) names.push_back(sides_[s]->leader->info().name);
    out->partition.push_back(std::move(names));
  }
}

// Reports what one implementation alone did wrong.
bool Lockstep::Broken(const Program& program, uint32_t i, Side& side, Implementation& impl,
                      const std::string& what, const std::string& text, RunResult* out) {
  const std::string relation = InvariantName(text);
  if (relation == "harness") return Fault(i, absl::StrCat(impl.info().name, ": ", text), out);
  out->outcome = RunOutcome::invariant;
  out->op_index = i;
  Divergence& d = out->divergence;
  d = Divergence{};
  d.op_index = i;
  d.op = program.ops[i];
  d.relation = relation;
  d.name_a = d.name_b = impl.info().name;
  d.partition = {{impl.info().name}};
  d.results.push_back({side.leader->info().name, side.result});
  d.log = impl.FailureLog();
  impl.Snapshot(&d.state_a);
  Canonicalize(&d.state_a);
  d.state_b = d.state_a;
  d.message = absl::StrCat(what, i, " ", PrintOpAt(program, i), ": ", text);
  out->message = d.message;
  return false;
}

bool Lockstep::CheckFailures(const Program& program, uint32_t i, RunResult* out) {
  for (auto& side : sides_) {
    if (side->skipped) continue;
    const std::string text = side->leader->Failure();
    if (text.empty()) continue;
    const std::string what = absl::StrCat("failure of ", side->leader->info().name, " in op ");
    return Broken(program, i, *side, *side->leader, what, text, out);
  }
  return true;
}

// Asks the leaders whether they stand by what they answered; if one does not, that is what is
// reported.
bool Lockstep::Confirm(const Program& program, uint32_t i, RunResult* out) {
  for (auto& side : sides_) {
    if (side->skipped) continue;
    std::string text = side->leader->Confirm();
    const Repeats repeats = side->leader->Repeated();
    if (text.empty()) {
      KeepLeast(repeats, &out->divergence.repeats);
      continue;
    }
    absl::StrAppend(&text, "; first there was: ", out->message);
    const std::string what = absl::StrCat("failure of ", side->leader->info().name, " by op ");
    Broken(program, i, *side, *side->leader, what, text, out);
    out->divergence.repeats = repeats;
    return false;
  }
  return true;
}

// A failure stands, however rare; it is only asked how rare it is.
void Lockstep::ConfirmFailure(RunResult* out) {
  for (auto& side : sides_) {
    if (side->leader->info().name != out->divergence.name_b) continue;
    side->leader->Confirm();
    out->divergence.repeats = side->leader->Repeated();
    return;
  }
}

bool Lockstep::CheckInvariants(const Program& program, uint32_t i, RunResult* out) {
  for (auto& side : sides_) {
    if (side->skipped) continue;
    for (Implementation* impl : {side->leader.get(), side->reference.get()}) {
      if (impl == nullptr) continue;
      const std::string text = impl->CheckInvariants();
      if (text.empty()) continue;
      const std::string what =
          absl::StrCat("invariant of ", impl->info().name, " broken after op ");
      return Broken(program, i, *side, *impl, what, text, out);
    }
  }
  return true;
}

bool Lockstep::CheckExpectations(const Program& program, uint32_t i, size_t* next, RunResult* out) {
  const Side& side = *sides_[0];
  bool have_state = false;
  for (; *next < program.expectations.size() && program.expectations[*next].op_index <= i;
       ++*next) {
    const Expectation& e = program.expectations[*next];
    if (e.op_index < i || side.skipped || side.chose) continue;
    if (ExpectsState(e.text) && !have_state) {
      side.leader->Snapshot(&scratch_b_);
      Canonicalize(&scratch_b_);
      have_state = true;
    }
    const ExpectationResult r = EvaluateExpectation(e.text, side.result, scratch_b_);
    if (r.verdict == ExpectationVerdict::holds) continue;
    std::string message = absl::StrCat(e.line != 0 ? absl::StrCat("line ", e.line, ": ") : "", "`",
                                       e.text, "` after op ", i, " ", PrintOpAt(program, i), " on ",
                                       side.leader->info().name, ": ", r.message);
    if (r.verdict == ExpectationVerdict::malformed) return Fault(i, std::move(message), out);
    out->outcome = RunOutcome::expectation;
    out->op_index = i;
    out->message = std::move(message);
    return false;
  }
  return true;
}

}  // namespace mmdiff
