#include "harness/op_handler.h"

namespace mmdiff {

OpResult OpHandler::Dispatch(const Op& o, OpContext& ctx) {
  [[maybe_unused]] size_t i = 0;
  switch (o.code) {
#define MMDIFF_ARG(kind, name) o.arg[i++],
#define MMDIFF_OP(name, result, weight, arglist, doc) \
  case Opcode::name: {                                \
    const args::name a{arglist};                      \
    return this->name(a, ctx);                        \
  }
#include "program/ops.def"
  }
  return OpResult{.err = 22};  // an opcode out of range; decoders never let one through
}

}  // namespace mmdiff
