// Wire states: a State in the form in which wire.h carries it.
//
// Reads and writes the record arrays that follow a mmdiff_wire_state. What comes from a worker is
// not trusted: every count is checked against the room. It runs nothing. O(size of the state).
#ifndef MMDIFF_KERNEL_WIRE_STATE_H_
#define MMDIFF_KERNEL_WIRE_STATE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "kernel/wire.h"
#include "state/state.h"

namespace mmdiff {

// Reads the state at `offset` of wire.states into `out` (cleared first) and `text`. False if there
// is none or it does not lie within the states, with `out` cleared.
bool ReadWireState(const mmdiff_wire& wire, uint32_t offset, State* out, std::string* text);

// Appends a state at wire->state_bytes_used and moves that on. Returns its offset, or
// MMDIFF_WIRE_IDLE if there is no room, with nothing changed. For workers written in C++.
uint32_t AppendWireState(const State& state, std::string_view text, mmdiff_wire* wire);

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_WIRE_STATE_H_
