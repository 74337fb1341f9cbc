// OpHandler: one typed method per operation of ops.def, which every implementation inherits.
//
// A new line in ops.def adds a pure virtual method here, so the tree does not build until each
// implementation has it. Dispatch is one switch; it costs an indirect call and allocates nothing.
#ifndef MMDIFF_HARNESS_OP_HANDLER_H_
#define MMDIFF_HARNESS_OP_HANDLER_H_

#include <cstdint>

#include "harness/choice.h"
#include "program/program.h"

namespace mmdiff {

// What an operation is told besides its arguments.
struct OpContext {
  uint32_t op_index = 0;  // position in the program; makes stored values unique
  // Index that this operation's result handle has, if its kind binds one.
  uint32_t result_handle = 0;
  uint8_t cpu = 0;
  uint8_t thread = 0;
  ChoiceLog* choices = nullptr;  // never null while an operation runs
};

// What an operation answers. Two implementations must agree on all of it but `unsupported`.
struct OpResult {
  // 0, or a positive Linux errno. EAGAIN also stands for "would wait for a lock or a page that
  // another operation of the program holds": a sequential program cannot wait, so the operation
  // stops there and what it had done stays done.
  int32_t err = 0;
  // Pages, folios or PTEs done, as docs/language.md says for the operation; kept on errors too.
  uint32_t value = 0;
  // Hash of the contents that a read saw; 0 otherwise.
  uint64_t data = 0;
  // `value` is not to be had: a kernel does not always say how much it did.
  bool value_unknown = false;
  // The implementation cannot do this operation: it is left out of the comparison from here on.
  bool unsupported = false;

  // Whether two answers say the same, as far as both know.
  bool Agrees(const OpResult& o) const {
    return err == o.err && data == o.data && unsupported == o.unsupported &&
           (value == o.value || value_unknown || o.value_unknown);
  }
  bool operator==(const OpResult&) const = default;
};

// The value that operation `op_index` stores in the page at `place` (vpn, or index in a pin).
inline constexpr uint64_t StoredValue(uint32_t op_index, uint32_t place) {
  return (static_cast<uint64_t>(op_index) + 1) << 32 | place;
}
// The content of page `index` of file `file` before anybody writes it; never 0.
inline constexpr uint64_t FileValue(uint32_t file, uint32_t index) {
  return 0xF000000000000000ull | static_cast<uint64_t>(file) << 32 | index;
}
// Folds one loaded value into OpResult::data; order matters.
inline constexpr uint64_t FoldData(uint64_t data, uint64_t value) {
  data ^= value + 0x9e3779b97f4a7c15ull + (data << 6) + (data >> 2);
  return data * 0xff51afd7ed558ccdull;
}

class OpHandler {
 public:
  virtual ~OpHandler() = default;
#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(op, result, weight, arglist, doc) \
  virtual OpResult op(const args::op& a, OpContext& ctx) = 0;
#include "program/ops.def"

  // Calls the method of `op`.
  OpResult Dispatch(const Op& op, OpContext& ctx);
};

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_OP_HANDLER_H_
