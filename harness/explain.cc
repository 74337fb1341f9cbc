#include "harness/explain.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "program/arg_kinds.h"
#include "program/fixup.h"
#include "program/text.h"
#include "program/words.h"
#include "state/compare.h"

namespace mmdiff {
namespace {

// One more value for an argument; where `value` is invalid in the program it is not tried.
void AddValue(uint32_t value, uint32_t old, std::vector<uint32_t>* out) {
  if (value != old && std::find(out->begin(), out->end(), value) == out->end())
    out->push_back(value);
}

// Values to try in the place of `old`: near it, simple ones, and the borders of tables and folios.
std::vector<uint32_t> ValuesFor(ArgKind kind, uint32_t old, const World& world) {
  std::vector<uint32_t> out;
  switch (kind) {
    case ArgKind::kProt:
    case ArgKind::kMapFlags:
    case ArgKind::kGupFlags:
    case ArgKind::kTtuFlags:
      for (uint32_t bit = 1; bit <= kMapAllFlags; bit <<= 1) AddValue(old ^ bit, old, &out);
      break;
    case ArgKind::kVpn:
      for (const uint32_t v : {old + 1, old - 1, old + world.table, old - world.table, 0u}) {
        AddValue(v, old, &out);
      }
      break;
    case ArgKind::kNpages:
      for (const uint32_t v : {1u, 2u, old - 1, old + 1, 2 * old, world.table})
        AddValue(v, old, &out);
      break;
    default:
      for (const uint32_t v : {0u, 1u, 2u, old - 1, old + 1}) AddValue(v, old, &out);
      break;
  }
  return out;
}

// Runs variants of one program and says whether they show the same bug.
class Prober {
 public:
  Prober(Lockstep& lockstep, const ContestantsFactory& make, uint64_t what, uint32_t max_runs)
      : lockstep_(lockstep), make_(make), what_(what), max_runs_(max_runs) {}

  bool SpendRun() {
    if (runs_ == max_runs_) return false;
    ++runs_;
    return true;
  }
  bool Same(const Program& program) {
    RunOptions options = RunOptions::Thorough();
    options.confirm = false;
    lockstep_.Run(program, options, &result_);
    return SignatureOf(result_).what == what_;
  }
  // The same program on other implementations.
  absl::StatusOr<Signature> SignatureOn(const Program& program, const std::string& specs) {
    absl::StatusOr<Contestants> contestants = make_(specs);
    if (!contestants.ok()) return contestants.status();
    Lockstep lockstep(*std::move(contestants));
    lockstep.Run(program, RunOptions::Thorough(), &result_);
    return SignatureOf(result_);
  }
  uint32_t runs() const { return runs_; }

 private:
  Lockstep& lockstep_;
  const ContestantsFactory& make_;
  const uint64_t what_;
  const uint32_t max_runs_;
  uint32_t runs_ = 0;
  RunResult result_;
};

// "model" or "model:-a" with one more switch turned.
std::string WithSwitch(const std::string& spec, const SwitchInfo& s) {
  const char* separator = spec.find(':') == std::string::npos ? ":" : ",";
  return absl::StrCat(spec, separator, s.on ? "-" : "+", s.name);
}

// Whom the diverging implementation is compared with: its reference, or the other side.
std::string OpponentSpec(const Divergence& d) { return d.name_a == d.name_b ? "" : d.name_a; }

absl::Status TrySwitches(const std::vector<SwitchInfo>& switches, const Program& program,
                         Prober* prober, Explanation* out) {
  const Divergence& d = out->result.divergence;
  const std::string opponent = OpponentSpec(d);
  for (const SwitchInfo& s : switches) {
    if (!prober->SpendRun()) {
      out->complete = false;
      return absl::OkStatus();
    }
    std::string specs = WithSwitch(d.name_b, s);
    if (!opponent.empty()) specs = absl::StrCat(opponent, ",", specs);
    absl::StatusOr<Signature> seen = prober->SignatureOn(program, specs);
    if (!seen.ok()) return seen.status();
    SwitchVerdict v;
    v.name = s.name;
    v.was_on = s.on;
    v.goes_away = seen->what != out->signature.what;
    v.instead = seen->text.empty() ? "ok" : seen->text;
    out->switches.push_back(std::move(v));
  }
  return absl::OkStatus();
}

// Tries other values of one place of the program; `place` points into `variant`, which equals the
// program before and after. Returns false if the runs are used up.
template <typename T>
bool TryValues(const std::vector<uint32_t>& values, T* place, Program* variant, Prober* prober,
               const std::function<std::string(uint32_t)>& text, ArgumentVerdict* v) {
  const T old = *place;
  bool more = true;
  for (const uint32_t value : values) {
    *place = static_cast<T>(value);
    if (static_cast<uint32_t>(*place) != value || !Validate(*variant).ok()) continue;
    more = prober->SpendRun();
    if (!more) break;
    (prober->Same(*variant) ? v->same : v->different).push_back(text(value));
  }
  *place = old;
  v->matters = v->same.empty() || !v->different.empty();
  return more;
}

bool TryArguments(const Program& program, Prober* prober, Explanation* out) {
  Program variant = program;
  variant.expectations.clear();
  for (uint32_t i = 0; i < variant.ops.size(); ++i) {
    Op& op = variant.ops[i];
    const OpDesc& desc = DescOf(op.code);
    for (uint32_t a = 0; a < desc.nargs; ++a) {
      const ArgKind kind = desc.args[a].kind;
      ArgumentVerdict v;
      v.op_index = i;
      v.arg = a;
      v.name = desc.args[a].name;
      v.value = ArgText(kind, op.arg[a]);
      const bool more = TryValues(
          ValuesFor(kind, op.arg[a], program.world), &op.arg[a], &variant, prober,
          [kind](uint32_t value) { return ArgText(kind, value); }, &v);
      if (!v.same.empty() || !v.different.empty()) out->arguments.push_back(std::move(v));
      if (!more) return false;
    }
    ArgumentVerdict v;
    v.op_index = i;
    v.arg = kMaxArgs;
    v.name = "cpu";
    v.value = absl::StrCat(static_cast<uint32_t>(op.cpu));
    std::vector<uint32_t> cpus;
    for (uint32_t c = 0; c < program.world.cpus; ++c) AddValue(c, op.cpu, &cpus);
    const bool more = TryValues(
        cpus, &op.cpu, &variant, prober, [](uint32_t value) { return Concat(value); }, &v);
    if (!v.same.empty() || !v.different.empty()) out->arguments.push_back(std::move(v));
    if (!more) return false;
  }
  return true;
}

// The leader that a divergence names; for one in a reference, the leader it follows.
size_t LeaderOf(Lockstep& lockstep, const Divergence& d) {
  for (size_t i = 0; i < lockstep.leaders(); ++i) {
    if (lockstep.leader(i).info().name == d.name_b) return i;
  }
  return 0;
}

void FillChoices(const ChoiceLog& log, Explanation* out) {
  for (size_t i = 0; i < log.size(); ++i) {
    const Choice& c = log.at(i);
    out->choices.push_back(absl::StrCat(ChoiceName(c.kind), " a=", c.a, " b=", c.b,
                                        " c=", static_cast<uint32_t>(c.c)));
  }
}

void FillObject(Explanation* out) {
  const Divergence& d = out->result.divergence;
  RecordKey key;
  if (!d.compare.diffs.empty()) {
    out->object = d.compare.diffs.front().where;
  } else if (ObjectOf(d, &key)) {
    out->object = DescribeKey(d.state_b, key);
  }
}

}  // namespace

absl::StatusOr<Explanation> Explain(const Program& program, std::string_view specs,
                                    const ContestantsFactory& make, const ExplainOptions& options) {
  std::unique_ptr<Lockstep> own;
  if (options.lockstep == nullptr) {
    absl::StatusOr<Contestants> contestants = make(specs);
    if (!contestants.ok()) return contestants.status();
    own = std::make_unique<Lockstep>(*std::move(contestants));
  }
  Lockstep& lockstep = own != nullptr ? *own : *options.lockstep;
  Explanation out;
  out.program = program;
  lockstep.Run(program, RunOptions::Thorough(), &out.result);
  if (out.result.outcome == RunOutcome::ok && !program.expectations.empty()) {
    RunOptions with_expectations = RunOptions::Thorough();
    with_expectations.check_expectations = true;
    lockstep.Run(program, with_expectations, &out.result);
  }
  out.outcome = out.result.outcome;
  out.signature = SignatureOf(out.result);
  out.runs = 1;
  if (out.outcome != RunOutcome::divergence && out.outcome != RunOutcome::invariant) return out;

  const Divergence& d = out.result.divergence;
  FillObject(&out);
  const size_t leader = LeaderOf(lockstep, d);
  FillChoices(lockstep.choices(leader), &out);
  out.slice = SliceOf(lockstep, program, d);

  // What comes after the operation where it went wrong plays no part.
  Program prefix = program;
  prefix.ops.resize(d.op_index + 1);
  prefix.expectations.clear();
  Prober prober(lockstep, make, out.signature.what, options.max_runs);
  if (options.try_switches && lockstep.leader(leader).info().name == d.name_b) {
    const absl::Status status =
        TrySwitches(lockstep.leader(leader).info().switches, prefix, &prober, &out);
    if (!status.ok()) return status;
  }
  if (options.try_arguments && !TryArguments(prefix, &prober, &out)) out.complete = false;
  out.runs += prober.runs();
  return out;
}

}  // namespace mmdiff
