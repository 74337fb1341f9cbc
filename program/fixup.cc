#include "program/fixup.h"

#include <algorithm>

#include "program/arg_kinds.h"
#include "program/text.h"
#include "program/words.h"
#include "program/world.h"

namespace mmdiff {
namespace {

// Fixup drops operations that have no handle to refer to. It need not renumber anything for that,
// because an operation that binds a handle needs at most a process, and a process can always be
// had.
constexpr bool BindersNeedOnlyProcesses() {
#define MMDIFF_ARG(kind, name) ArgKind::k##kind,
#define MMDIFF_OP(name, result, weight, args, doc)                                        \
  for (ArgKind kind : {args ArgKind::kNone}) {                                            \
    if (ArgKind::k##result != ArgKind::kNone && IsHandle(kind) && kind != ArgKind::kMm && \
        kind != ArgKind::kFile) {                                                         \
      return false;                                                                       \
    }                                                                                     \
  }
#include "program/ops.def"
  return true;
}
static_assert(BindersNeedOnlyProcesses());

enum class Missing { kNothing, kProcess, kOther };

// What handle the operation needs and cannot have.
Missing MissingHandle(const OpDesc& desc, const HandleCounts& bound) {
  Missing missing = Missing::kNothing;
  for (size_t a = 0; a < desc.nargs; ++a) {
    const ArgKind kind = desc.args[a].kind;
    if (!IsHandle(kind) || kind == ArgKind::kFile || bound[kind] > 0) continue;
    if (kind != ArgKind::kMm) return Missing::kOther;
    missing = Missing::kProcess;
  }
  return missing;
}

void FixOp(Op* op, const World& world, const HandleCounts& bound) {
  const OpDesc& desc = DescOf(op->code);
  for (size_t a = 0; a < kMaxArgs; ++a) {
    op->arg[a] = a < desc.nargs ? FixupArg(desc.args[a].kind, op->arg[a], world, bound) : 0;
  }
  op->cpu = static_cast<uint8_t>(op->cpu % world.cpus);
  op->thread = static_cast<uint8_t>(op->thread % kMaxThreads);
  op->reserved = 0;
}

Opcode FixCode(Opcode code) { return static_cast<Opcode>(static_cast<size_t>(code) % kOpcodes); }

// True if the first operation that needs a process comes before any that binds one.
bool NeedsLeadingProcess(const Program& program) {
  HandleCounts bound;
  for (const Op& op : program.ops) {
    const Missing missing = MissingHandle(DescOf(op.code), bound);
    if (missing == Missing::kProcess) return true;
    if (missing == Missing::kOther) continue;
    if (DescOf(op.code).result == ArgKind::kMm) return false;
    bound.Add(op);
  }
  return false;
}

// Puts `mm` in front; every other process gets the next number.
void InsertLeadingProcess(Program* program, size_t max_ops) {
  if (program->ops.size() >= max_ops) program->ops.resize(max_ops - 1);
  Op first;
  first.code = Opcode::mm;
  program->ops.insert(program->ops.begin(), first);
  HandleCounts bound;
  for (Op& op : program->ops) {
    const OpDesc& desc = DescOf(op.code);
    for (size_t a = 0; a < desc.nargs; ++a) {
      // Saturating, because the number may not be fixed up yet.
      if (desc.args[a].kind == ArgKind::kMm && op.arg[a] != UINT32_MAX) ++op.arg[a];
    }
    bound.Add(op);
  }
  for (Expectation& expectation : program->expectations) ++expectation.op_index;
}

bool IsState(const Expectation& e) { return !e.text.empty() && e.text[0] == '?'; }

// A line that the printer can print and the parser reads back as it was.
bool TextIsValid(const std::string& text) {
  if (text.compare(0, 3, "=> ") == 0) {
    const auto canonical = CanonicalResult(text);
    return canonical.ok() && *canonical == text;
  }
  if (text.compare(0, 2, "? ") != 0 || text.size() < 3) return false;
  const std::string_view rest = std::string_view(text).substr(2);
  return Trim(rest) == rest && std::all_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
         });
}

// Order of writing: by operation, the result before the state. No operation has two results.
bool ExpectationBefore(const Expectation& a, const Expectation& b) {
  if (a.op_index != b.op_index) return a.op_index < b.op_index;
  return !IsState(a) && IsState(b);
}
bool IsSecondResult(const Expectation& a, const Expectation& b) {
  return a.op_index == b.op_index && !IsState(a) && !IsState(b);
}

// Wants them sorted.
void FixExpectations(Program* program) {
  std::vector<Expectation>& all = program->expectations;
  if (all.empty()) return;
  std::erase_if(all, [&](const Expectation& e) {
    return e.op_index >= program->ops.size() || !TextIsValid(e.text);
  });
  all.erase(std::unique(all.begin(), all.end(), IsSecondResult), all.end());
}

absl::Status ValidateExpectations(const Program& program) {
  const Expectation* previous = nullptr;
  for (const Expectation& e : program.expectations) {
    if (e.op_index >= program.ops.size()) {
      return Invalid("expectation '", e.text, "' is for operation ", e.op_index,
                     ", but the program has ", program.ops.size());
    }
    if (!TextIsValid(e.text)) {
      return Invalid("expectation '", e.text, "' of operation ", e.op_index,
                     " is neither a result ('=> ok 3') nor a state ('? m0 0x40 present')");
    }
    if (previous != nullptr && (ExpectationBefore(e, *previous) || IsSecondResult(*previous, e))) {
      return Invalid("expectation '", e.text, "' of operation ", e.op_index,
                     " is out of order: one result, then states, by operation");
    }
    previous = &e;
  }
  return absl::OkStatus();
}

absl::Status ValidateOp(const Op& op, size_t index, const World& world, const HandleCounts& bound) {
  if (static_cast<size_t>(op.code) >= kOpcodes) {
    return Invalid("operation ", index, ": opcode ", static_cast<int>(op.code),
                   " does not exist; the last one is ", kOpcodes - 1);
  }
  const OpDesc& desc = DescOf(op.code);
  for (size_t a = 0; a < kMaxArgs; ++a) {
    if (a >= desc.nargs) {
      if (op.arg[a] == 0) continue;
      return Invalid("operation ", index, " (", desc.name, "): argument ", a,
                     " is not used and must be 0, not ", op.arg[a]);
    }
    const ArgKind kind = desc.args[a].kind;
    if (!ArgIsValid(kind, op.arg[a], world, bound)) {
      return Invalid("operation ", index, " (", desc.name, "): ", desc.args[a].name, " is ",
                     ArgText(kind, op.arg[a]), "; expected ", ArgExpected(kind, world, bound));
    }
  }
  if (op.cpu >= world.cpus) {
    return Invalid("operation ", index, " (", desc.name, "): cpu ", static_cast<int>(op.cpu),
                   " does not exist; the world has ", world.cpus);
  }
  if (op.thread >= kMaxThreads) {
    return Invalid("operation ", index, " (", desc.name, "): thread ", static_cast<int>(op.thread),
                   " is too large; the last one is ", static_cast<int>(kMaxThreads - 1));
  }
  if (op.reserved != 0) return Invalid("operation ", index, ": the reserved byte must be 0");
  return absl::OkStatus();
}

}  // namespace

void Fixup(Program* program, size_t max_ops) {
  max_ops = std::clamp<size_t>(max_ops, 1, kMaxOps);
  FixWorld(&program->world);
  if (program->ops.size() > max_ops) program->ops.resize(max_ops);
  for (Op& op : program->ops) op.code = FixCode(op.code);
  if (NeedsLeadingProcess(*program)) InsertLeadingProcess(program, max_ops);

  HandleCounts bound;
  size_t kept = 0, e = 0, kept_expectations = 0;
  std::vector<Expectation>& expectations = program->expectations;
  std::stable_sort(expectations.begin(), expectations.end(), ExpectationBefore);
  for (size_t i = 0; i < program->ops.size(); ++i) {
    Op& op = program->ops[i];
    const bool keep = MissingHandle(DescOf(op.code), bound) == Missing::kNothing;
    if (keep) {
      FixOp(&op, program->world, bound);
      bound.Add(op);
      program->ops[kept] = op;
    }
    for (; e < expectations.size() && expectations[e].op_index == i; ++e) {
      if (!keep) continue;
      if (kept_expectations != e) expectations[kept_expectations] = std::move(expectations[e]);
      expectations[kept_expectations++].op_index = static_cast<uint32_t>(kept);
    }
    kept += keep;
  }
  program->ops.resize(kept);
  expectations.resize(kept_expectations);
  FixExpectations(program);
}

absl::Status Validate(const Program& program) {
  if (absl::Status status = CheckWorld(program.world); !status.ok()) return status;
  if (program.ops.size() > kMaxOps) {
    return Invalid("the program has ", program.ops.size(), " operations; at most ", kMaxOps,
                   " are allowed");
  }
  HandleCounts bound;
  for (size_t i = 0; i < program.ops.size(); ++i) {
    absl::Status status = ValidateOp(program.ops[i], i, program.world, bound);
    if (!status.ok()) return status;
    bound.Add(program.ops[i]);
  }
  return ValidateExpectations(program);
}

}  // namespace mmdiff
