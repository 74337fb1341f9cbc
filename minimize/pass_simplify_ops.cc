#include <utility>

#include "minimize/passes.h"
#include "minimize/ranges.h"
#include "program/arg_kinds.h"
#include "program/edit.h"

namespace mmdiff {
namespace {

constexpr size_t kMaxSize = 64;  // a run for each earlier line of ops.def and operation

// `op` as an operation of another code, with the arguments the two share.
bool Recast(const Op& op, Opcode code, Op* out) {
  *out = op;
  out->code = code;
  const OpDesc& desc = DescOf(code);
  for (size_t i = 0; i < kMaxArgs; ++i) {
    out->arg[i] = 0;
    if (i < desc.nargs && !ArgFrom(op, nullptr, desc.args[i].kind, &out->arg[i])) return false;
  }
  return true;
}

bool SimplifyOp(Search* search, size_t at) {
  const Op op = search->best().ops[at];
  for (size_t code = 0; code < static_cast<size_t>(op.code); ++code) {
    Op simpler;
    if (!Recast(op, static_cast<Opcode>(code), &simpler)) continue;
    Program candidate = search->best();
    ReplaceOp(&candidate, at, simpler);
    if (search->Try(std::move(candidate))) return true;
  }
  return false;
}

}  // namespace

bool SimplifyOps(Search* search) {
  bool accepted = false;
  if (search->size() > kMaxSize) return false;
  for (size_t at = search->size(); at-- > 0 && !search->done();) {
    if (at < search->size()) accepted |= SimplifyOp(search, at);
  }
  return accepted;
}

}  // namespace mmdiff
