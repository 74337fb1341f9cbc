// Edits of a program that keep every handle on the operation that bound it.
//
// A handle is the index of its binding among the operations of that kind, so inserting, removing or
// moving a binding renumbers the arguments of all later operations. These functions do that, and
// the same in the labels inside expectations. They know nothing of what operations mean. Linear in
// the program; the result is valid if the program was.
#ifndef MMDIFF_PROGRAM_EDIT_H_
#define MMDIFF_PROGRAM_EDIT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "program/arg_kinds.h"
#include "program/program.h"

namespace mmdiff {

// What becomes of an operation whose handle's binding is removed.
enum class Dependents {
  kRemove,    // it is removed as well (and so on)
  kRetarget,  // it refers to the nearest earlier binding that stays, else to the first; removed if
              // none
};

// Removes the operations with !keep[i]; `keep` has an entry for each operation. Expectations go
// with their operation. Returns the number of operations removed, dependents included.
size_t RemoveOps(Program* program, const std::vector<bool>& keep,
                 Dependents dependents = Dependents::kRemove);
// Removes `count` operations from `at` on.
size_t RemoveRange(Program* program, size_t at, size_t count,
                   Dependents dependents = Dependents::kRemove);
// Inserts `ops` before operation `at`. Their handles count the program's bindings before `at`
// first, then those of `ops` themselves.
void InsertOps(Program* program, size_t at, absl::Span<const Op> ops);
// Puts `op` in the place of operation `at`. If it binds another kind, dependents are handled as
// said. The handles of `op` count the bindings before `at`.
void ReplaceOp(Program* program, size_t at, const Op& op,
               Dependents dependents = Dependents::kRetarget);
// Swaps operations `at` and `at + 1`. False, and nothing done, if the second needs the first.
bool SwapOps(Program* program, size_t at);
// Moves operation `from` to before operation `to` (an index in the program as it is) if no handle
// stands in the way; otherwise as near as it can get. Returns its new index.
size_t MoveOp(Program* program, size_t from, size_t to);
// The index of the operation that binds handle `id` of `kind`; the number of operations if none
// does.
size_t BindingOp(const Program& program, ArgKind kind, uint32_t id);

// Gives each handle label of a text ("? m1 0x40 p0") the number that `rename` returns.
void RenameLabels(std::string* text, const std::function<uint32_t(ArgKind, uint32_t)>& rename);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_EDIT_H_
