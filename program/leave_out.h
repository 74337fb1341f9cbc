// Taking operations out of a program that somebody has no counterpart for.
//
// With an operation goes what uses the handle that it would have bound; everything else stays, in
// its order, with its handles renumbered (program/edit.h). It never puts anything in the place of
// what it takes. Costs a look at each operation where there is nothing to take.
#ifndef MMDIFF_PROGRAM_LEAVE_OUT_H_
#define MMDIFF_PROGRAM_LEAVE_OUT_H_

#include <bitset>
#include <cstddef>
#include <initializer_list>
#include <string>

#include "program/program.h"

namespace mmdiff {

using OpcodeSet = std::bitset<kOpcodes>;
OpcodeSet SetOf(std::initializer_list<Opcode> codes);
// "migrate_begin, zap_begin", in the order of ops.def.
std::string OpcodesText(const OpcodeSet& codes);

// The operations of the program that are in `codes`, as a set.
OpcodeSet Uses(const Program& program, const OpcodeSet& codes);

// Takes out the operations in `codes` and those that depend on them. Returns how many went. What
// was expected from the first of them on goes too: it follows from a program that had them. The
// result is valid if the program was; it may be empty.
size_t LeaveOut(const OpcodeSet& codes, Program* program);

// True if nothing but processes and files is made: no operation on memory is left.
bool HasNothingLeft(const Program& program);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_LEAVE_OUT_H_
