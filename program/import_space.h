// Address spaces of traced processes, and the events that change them. Used by the strace import
// only.
//
// Addresses are page numbers of the traced machine. Nothing here knows strace's text or the arena.
// Operations on a space are O(log mappings + mappings touched).
#ifndef MMDIFF_PROGRAM_IMPORT_SPACE_H_
#define MMDIFF_PROGRAM_IMPORT_SPACE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "program/program.h"

namespace mmdiff {

// A mapping, or a piece of one.
struct TracedMap {
  uint64_t start = 0, end = 0;
  uint32_t flags = 0;  // kMapRead, kMapWrite, kMapShared
  int file = -1;       // number of the file; -1 for none
  uint64_t pgoff = 0;  // of `start` in the file
  bool locked = false;
};

// Appends a piece; joins it with the last one if that goes on in it and nothing tells them apart.
void AppendPiece(const TracedMap& piece, std::vector<TracedMap>* pieces);

class TracedSpace {
 public:
  // What mlockall(MCL_FUTURE) has asked for.
  enum class Future : uint8_t { kNothing, kLock, kLockOnFault };

  int family = 0;  // spaces with the same layout: a process and what it forked
  Future future = Future::kNothing;
  // Puts the mapping in place of whatever overlaps it.
  void Put(const TracedMap& map);
  void Erase(uint64_t start, uint64_t end);
  // Changes protection or the locked mark of what is mapped in the range.
  void Protect(uint64_t start, uint64_t end, uint32_t prot);
  void Lock(uint64_t start, uint64_t end, bool locked);
  // The pieces of mappings inside the range, by address, joined where they can be.
  std::vector<TracedMap> Pieces(uint64_t start, uint64_t end) const;
  // True if all of the range is mapped.
  bool Covers(uint64_t start, uint64_t end) const;
  const std::map<uint64_t, TracedMap>& maps() const { return maps_; }

 private:
  void SplitAt(uint64_t page);
  std::map<uint64_t, TracedMap> maps_;  // by start; they do not overlap
};

// Something a traced process did.
struct TracedEvent {
  enum class Kind {
    kMap,    // map is put at [start, end); `flags` may hold map flags besides protection
    kRange,  // `code` on [start, end): unmap, protect, advice, locks
    kFork,   // `other` is the child
    kExit,
    kMove,  // a mapping moved from [start, end) to `map`: no operation says that
  };
  Kind kind = Kind::kRange;
  Opcode code = Opcode::check;
  int space = 0;
  int other = 0;
  uint64_t start = 0, end = 0;
  TracedMap map;
  uint32_t prot = 0;
  uint8_t cpu = 0;
  size_t line = 0;
};

// All spaces, by number. A space keeps its number for good.
using TracedSpaces = std::vector<TracedSpace>;
// Does to the spaces what the event did to those of the traced machine.
void ApplyEvent(const TracedEvent& event, TracedSpaces* spaces);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_IMPORT_SPACE_H_
