#include "kernel/linux.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "kernel/report.h"
#include "kernel/wire_state.h"

namespace mmdiff {
namespace {

std::string OneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

// "kasan folio_put: ...": the function tells bugs of one kind apart.
std::string FailureLine(const WorkerRun& run) {
  if (run.end == WorkerEnd::kLeak) return absl::StrCat("leak: ", OneLine(run.text));
  const KernelReport report = ReadKernelReport(run.console);
  std::string kind = report.kind;
  if (run.end == WorkerEnd::kHung && kind.empty()) kind = "hang";
  if (kind.empty()) kind = "died";
  if (!report.where.empty()) absl::StrAppend(&kind, " ", report.where);
  std::replace(kind.begin(), kind.end(), ':', '.');  // the line is split at the first colon
  std::string text = report.title;
  const std::string said = OneLine(run.text);
  if (text.empty() || run.end == WorkerEnd::kHung) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", said.empty() ? "the kernel gave up" : said);
  }
  return absl::StrCat(kind, ": ", text);
}

bool SameResult(const mmdiff_wire_result& a, const mmdiff_wire_result& b) {
  return a.err == b.err && a.value == b.value && a.data == b.data && a.digest == b.digest &&
         a.choices_n == b.choices_n && a.unsupported == b.unsupported;
}
bool SameChoice(const mmdiff_wire_choice& a, const mmdiff_wire_choice& b) {
  return a.kind == b.kind && a.a == b.a && a.b == b.b && a.c == b.c;
}

// Whether two failures are one: what they say besides may differ.
bool SameFailure(const LinuxAnswers& a, const LinuxAnswers& b) {
  return a.failure_op == b.failure_op &&
         a.failure.substr(0, a.failure.find(':')) == b.failure.substr(0, b.failure.find(':'));
}

// Whether the first `ops` operations differ: which one, and how.
struct Difference {
  uint32_t op = LinuxAnswers::kNoFailure;  // none
  std::string text;
};

Difference Differ(const LinuxAnswers& kept, const LinuxAnswers& again, uint32_t ops) {
  const size_t n = std::min<size_t>({ops, kept.results.size(), again.results.size()});
  for (size_t i = 0; i < n; ++i) {
    const mmdiff_wire_result &a = kept.results[i], &b = again.results[i];
    bool same = SameResult(a, b);
    for (uint32_t c = 0; same && c < a.choices_n; ++c) {
      same = SameChoice(kept.choices[a.choices_from + c], again.choices[b.choices_from + c]);
    }
    if (same) continue;
    return {static_cast<uint32_t>(i),
            absl::StrCat("op ", i, " gives err=", a.err, " value=", a.value, " choices=",
                         a.choices_n, " digest ", absl::Hex(a.digest, absl::kZeroPad16),
                         " after other programs and err=", b.err, " value=", b.value,
                         " choices=", b.choices_n, " digest ",
                         absl::Hex(b.digest, absl::kZeroPad16), " when it is run again")};
  }
  const bool kept_fails = kept.failure_op < ops, again_fails = again.failure_op < ops;
  if (kept_fails == again_fails) return {};
  if (kept_fails) {
    return {kept.failure_op, absl::StrCat("fails only after other programs: ", kept.failure)};
  }
  return {again.failure_op, absl::StrCat("fails only when it is run again: ", again.failure)};
}

}  // namespace

LinuxImplementation::LinuxImplementation(const LinuxOptions& options) : options_(options) {
  info_.name = options.name;
  info_.demands = options.demands;
  info_.lacks = options.lacks;
  info_.sees = options.sees;
  info_.own_folio_numbers = options.own_folio_numbers;
  digest_ = DigestOf(State{});
}

absl::StatusOr<std::unique_ptr<Implementation>> LinuxImplementation::Make(
    const LinuxOptions& options) {
  struct stat file;
  if (stat(options.worker.executable.c_str(), &file) != 0) {
    return absl::NotFoundError(
        absl::StrCat("'", options.name, "': there is no kernel ", options.worker.executable,
                     "; build one with ./mmdiff kernel build --debian 6.12"));
  }
  return std::unique_ptr<Implementation>(new LinuxImplementation(options));
}

void LinuxImplementation::Load(const Program& program, uint32_t ops) {
  ops_.assign(program.ops.begin(),
              program.ops.begin() + std::min<ptrdiff_t>(ops, std::ssize(program.ops)));
  loaded_ = true;
}

void LinuxImplementation::Reset(const World& world) {
  if (!loaded_) ops_.clear();
  if (ran_ && looked_first_ == kNoState) habit_ = Habit::kNever;
  loaded_ = ran_ = worker_has_it_ = alone_ = false;
  repeated_ = {};
  world_ = world;
  next_ = 0;
  digest_ = DigestOf(State{});
  answers_.Clear();
  late_failure_.clear();
  state_op_ = kNoState;
  looked_first_ = kNoState;
}

absl::Status LinuxImplementation::EnsureWorker() {
  if (worker_ != nullptr && worker_->usable()) return absl::OkStatus();
  worker_.reset();
  absl::StatusOr<std::unique_ptr<Worker>> worker = Worker::Start(options_.worker);
  if (!worker.ok()) return worker.status();
  worker_ = *std::move(worker);
  return absl::OkStatus();
}

void LinuxAnswers::Clear() {
  results.clear();
  choices.clear();
  failure_op = kNoFailure;
  failure.clear();
  log.clear();
}

// Runs the program and copies what can be trusted of the answers.
void LinuxImplementation::RunOn(Worker* worker, uint32_t snap_from, LinuxAnswers* answers) const {
  LinuxAnswers& out = *answers;
  out.Clear();
  WorkerRun run = worker->Run(world_, ops_, snap_from, MMDIFF_WIRE_INVARIANTS);
  const mmdiff_wire& wire = worker->wire();
  out.results.assign(wire.results, wire.results + run.answered);
  uint32_t choices = 0;
  for (size_t i = 0; i < out.results.size(); ++i) {
    const mmdiff_wire_result& r = out.results[i];
    if (r.choices_n > MMDIFF_WIRE_CHOICES || r.choices_from > MMDIFF_WIRE_CHOICES - r.choices_n) {
      out.failure_op = static_cast<uint32_t>(i);
      out.failure = "harness: the kernel's worker says that choices lie outside of their room";
      out.results.resize(i);
      break;
    }
    choices = std::max(choices, r.choices_from + r.choices_n);
  }
  out.choices.assign(wire.choices, wire.choices + choices);
  if (!out.failure.empty()) return;
  if (run.end != WorkerEnd::kOk) {
    out.failure_op = run.op_index;
    out.failure = FailureLine(run);
    out.log = std::move(run.console);
    if (!run.text.empty()) absl::StrAppend(&out.log, "[mmdiff: ", OneLine(run.text), "]\n");
    return;
  }
  const bool stopped = std::any_of(out.results.begin(), out.results.end(),
                                   [](const auto& r) { return r.unsupported != 0; });
  if (out.results.size() < ops_.size() && !stopped) {
    out.failure_op = run.answered;
    out.failure = absl::StrCat("harness: the kernel's worker ran ", run.answered, " of ",
                               ops_.size(), " operations and does not say why");
  }
}

// The operation from which on states are likely to be asked for.
uint32_t LinuxImplementation::Guess() const {
  if (habit_ == Habit::kNever) return MMDIFF_WIRE_IDLE;
  return habit_ == Habit::kFirst ? 0 : static_cast<uint32_t>(ops_.size()) - 1;
}

void LinuxImplementation::RunAhead() {
  ran_ = true;
  if (absl::Status s = EnsureWorker(); !s.ok()) {
    answers_.Clear();
    answers_.failure_op = next_;
    answers_.failure = absl::StrCat("harness: ", OneLine(std::string(s.message())));
    return;
  }
  alone_ = worker_->runs() == 0;
  RunOn(worker_.get(), Guess(), &answers_);
  worker_has_it_ = true;
  ++programs_;
  if (answers_.failure_op != LinuxAnswers::kNoFailure) {
    if (!alone_) SettleFailure();
  } else if (options_.replay_every != 0 && programs_ % options_.replay_every == 0 && !alone_) {
    answers_.failure = RunFresh(static_cast<uint32_t>(ops_.size()), &answers_.failure_op);
  }
}

// A failure counts as it is in a fresh process. One that is not seen there is kept, and says so.
void LinuxImplementation::SettleFailure() {
  absl::StatusOr<std::unique_ptr<Worker>> fresh = Worker::Start(options_.worker);
  if (!fresh.ok()) {
    absl::StrAppend(&answers_.failure, " (not tried in a fresh process: it does not start)");
    return;
  }
  LinuxAnswers again;
  RunOn(fresh->get(), 0, &again);  // with the states before it, which cost another boot otherwise
  repeated_.of = 1;
  if (again.failure_op != LinuxAnswers::kNoFailure) {
    repeated_.same = SameFailure(answers_, again) ? 1 : 0;
    answers_ = std::move(again);
    worker_ = *std::move(fresh);
    return;
  }
  absl::StrAppend(&answers_.failure,
                  " (not reproduced in a fresh process: state leaked from an earlier program?)");
}

// Runs the program in a fresh process and compares its first `ops` operations with what was
// answered. Returns a failure, and in which operation; empty if they are the same. The fresh
// process then stays, so that none gets older than it must.
std::string LinuxImplementation::RunFresh(uint32_t ops, uint32_t* op) {
  absl::StatusOr<std::unique_ptr<Worker>> fresh = Worker::Start(options_.worker);
  if (!fresh.ok()) {
    *op = 0;
    return absl::StrCat("harness: ", OneLine(std::string(fresh.status().message())));
  }
  LinuxAnswers again;
  RunOn(fresh->get(), Guess(), &again);
  const Difference difference = Differ(answers_, again, ops);
  *op = difference.op;
  ++repeated_.of;
  if (difference.text.empty()) {
    ++repeated_.same;
    worker_ = *std::move(fresh);
    worker_has_it_ = alone_ = true;
    return "";
  }
  if (answers_.log.empty()) answers_.log = again.log;
  return absl::StrCat("state_leak: ", difference.text);
}

OpResult LinuxImplementation::Answer(Opcode code, const std::array<uint32_t, kMaxArgs>& arg,
                                     OpContext& context) {
  Op op{.code = code, .thread = context.thread, .cpu = context.cpu};
  std::copy(arg.begin(), arg.end(), op.arg);
  const uint32_t i = next_;
  // What was not announced is added to the program, which is then run again.
  if (i >= ops_.size() || !(ops_[i] == op)) {
    ops_.resize(i);
    ops_.push_back(op);
    ran_ = false;
  }
  if (!ran_) RunAhead();
  ++next_;
  if (i >= answers_.results.size()) return {};  // Failure() says why
  const mmdiff_wire_result& r = answers_.results[i];
  for (uint32_t c = 0; c < r.choices_n; ++c) {
    const mmdiff_wire_choice& choice = answers_.choices[r.choices_from + c];
    if (choice.kind >= kChoiceKinds) {
      late_failure_ = absl::StrCat("harness: the kernel's worker took a choice of unknown kind ",
                                   static_cast<uint32_t>(choice.kind));
      break;
    }
    context.choices->Record(static_cast<ChoiceKind>(choice.kind), choice.a, choice.b, choice.c);
  }
  digest_ = r.digest;
  OpResult result;
  result.err = r.err;
  result.value = r.value;
  result.data = r.data;
  result.value_unknown = r.value_unknown != 0;
  result.unsupported = r.unsupported != 0;
  return result;
}

std::string LinuxImplementation::Failure() {
  if (next_ != 0 && answers_.failure_op == next_ - 1) return answers_.failure;
  return late_failure_;
}

// Runs the program again in the process that has it, and counts how often its first `ops`
// operations come out the same.
void LinuxImplementation::Repeat(uint32_t ops) {
  while (repeated_.of < options_.repeats && worker_->usable()) {
    LinuxAnswers again;
    RunOn(worker_.get(), Guess(), &again);
    ++repeated_.of;
    worker_has_it_ = Differ(answers_, again, ops).text.empty();
    if (worker_has_it_) ++repeated_.same;
  }
}

// Counts how often the failure happens in a fresh process. Hangs are not tried more often than they
// are to be settled: each costs its time limit.
void LinuxImplementation::RepeatFailure() {
  for (const char* kind : {"harness", "state_leak", "hang"}) {
    if (absl::StartsWith(answers_.failure, kind)) return;
  }
  while (repeated_.of < options_.failure_repeats) {
    absl::StatusOr<std::unique_ptr<Worker>> fresh = Worker::Start(options_.worker);
    if (!fresh.ok()) return;
    LinuxAnswers again;
    RunOn(fresh->get(), MMDIFF_WIRE_IDLE, &again);
    ++repeated_.of;
    if (SameFailure(answers_, again)) ++repeated_.same;
  }
}

std::string LinuxImplementation::Confirm() {
  if (!late_failure_.empty()) return late_failure_;
  if (next_ == 0 || worker_ == nullptr) return "";
  if (answers_.failure_op == next_ - 1) {
    RepeatFailure();
    return "";
  }
  // A process that has run nothing else is as fresh as can be.
  uint32_t op;
  std::string failure = alone_ ? "" : RunFresh(next_, &op);
  if (failure.empty()) Repeat(next_);
  return failure;
}

// A process boots faster than it is made out whether a child has left it in order.
void LinuxImplementation::Lend() {
  if (options_.worker.machine != Machine::kQemu || !EnsureWorker().ok()) return;
  worker_->Lend();
}

void LinuxImplementation::TakeBack() {
  if (worker_ == nullptr || options_.worker.machine != Machine::kQemu) return;
  worker_->TakeBack();
  worker_has_it_ = false;
}

uint32_t LinuxImplementation::CoverageEdges() {
  if (coverage_edges_ == 0 && EnsureWorker().ok()) {
    coverage_edges_ = std::min(worker_->wire().coverage_bytes, MMDIFF_WIRE_COVERAGE);
  }
  return coverage_edges_;
}

void LinuxImplementation::CopyCoverage(uint8_t* to) {
  const bool whole = ran_ && worker_has_it_ && worker_ != nullptr &&
                     answers_.failure_op == LinuxAnswers::kNoFailure;
  if (!whole || worker_->wire().coverage_bytes != coverage_edges_) return;
  std::memcpy(to, worker_->wire().coverage, coverage_edges_);
}

void LinuxImplementation::ReadState(uint32_t op) {
  if (!worker_has_it_ || worker_ == nullptr) return;
  const uint32_t at = worker_->wire().results[op].state_at;
  if (at != MMDIFF_WIRE_IDLE && ReadWireState(worker_->wire(), at, &state_, &state_text_)) {
    state_op_ = op;
  }
}

// Has the state after the last operation in state_. False: there is none.
bool LinuxImplementation::FindState() {
  // A kernel that died in an operation has left the state before it.
  const uint32_t known = std::min<uint32_t>(next_, static_cast<uint32_t>(answers_.results.size()));
  if (known == 0) return false;
  const uint32_t op = known - 1;
  if (looked_first_ == kNoState) {
    looked_first_ = op;
    habit_ = op == 0 ? Habit::kFirst : op + 1 == ops_.size() ? Habit::kLast : Habit::kNever;
  }
  if (state_op_ == op) return true;
  ReadState(op);
  if (state_op_ == op) return true;
  if (absl::Status s = EnsureWorker(); !s.ok()) {
    late_failure_ = absl::StrCat("harness: ", OneLine(std::string(s.message())));
    return false;
  }
  LinuxAnswers again;
  // What killed or hung the kernel is left out: it would cost another process, or the time limit.
  std::vector<Op> left_out;
  if (answers_.failure_op != LinuxAnswers::kNoFailure) {
    const size_t answered = std::min(answers_.results.size(), ops_.size());
    left_out.assign(ops_.begin() + static_cast<ptrdiff_t>(answered), ops_.end());
    ops_.resize(answered);
  }
  RunOn(worker_.get(), op, &again);
  ops_.insert(ops_.end(), left_out.begin(), left_out.end());
  worker_has_it_ = true;
  const Difference difference = Differ(answers_, again, known);
  if (!difference.text.empty()) late_failure_ = absl::StrCat("state_leak: ", difference.text);
  if (again.results.size() > op) ReadState(op);
  // A kernel that hangs or dies while its state is looked at: what it has in its data is not sound.
  if (state_op_ != op && late_failure_.empty()) late_failure_ = again.failure;
  if (state_op_ != op && late_failure_.empty()) {
    late_failure_ = absl::StrCat("harness: the kernel's worker gives no state after op ", op,
                                 "; it may be larger than the ", MMDIFF_WIRE_STATE_BYTES >> 20,
                                 " MiB there are for states");
  }
  return state_op_ == op;
}

void LinuxImplementation::Snapshot(State* out) {
  if (FindState()) {
    *out = state_;
  } else {
    out->Clear();
  }
}

std::string LinuxImplementation::CheckInvariants() {
  if (next_ == 0) return "";
  return FindState() ? OneLine(state_text_) : late_failure_;
}

}  // namespace mmdiff
