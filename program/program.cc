#include "program/program.h"

namespace mmdiff {
namespace {

constexpr size_t CountArgs(const std::array<ArgDesc, kMaxArgs>& args) {
  size_t n = 0;
  while (n < kMaxArgs && args[n].kind != ArgKind::kNone) ++n;
  return n;
}

constexpr OpDesc MakeDesc(Opcode code, const char* name, ArgKind result, int weight,
                          const char* doc, std::array<ArgDesc, kMaxArgs> args) {
  return OpDesc{code, name, result, weight, doc, CountArgs(args), args};
}

constexpr std::array<OpDesc, kOpcodes> kOps = {
#define MMDIFF_ARG(kind, name) ArgDesc{ArgKind::k##kind, #name},
#define MMDIFF_OP(name, result, weight, args, doc) \
  MakeDesc(Opcode::name, #name, ArgKind::k##result, weight, doc, {args}),
#include "program/ops.def"
};

}  // namespace

const OpDesc& DescOf(Opcode code) { return kOps[static_cast<size_t>(code)]; }
const std::array<OpDesc, kOpcodes>& AllOps() { return kOps; }

}  // namespace mmdiff
