#include "program/import_space.h"

#include <algorithm>

namespace mmdiff {

void AppendPiece(const TracedMap& piece, std::vector<TracedMap>* pieces) {
  if (!pieces->empty()) {
    TracedMap& last = pieces->back();
    const bool follows = last.end == piece.start && last.flags == piece.flags &&
                         last.file == piece.file && last.locked == piece.locked;
    if (follows && (piece.file < 0 || last.pgoff + (last.end - last.start) == piece.pgoff)) {
      last.end = piece.end;
      return;
    }
  }
  pieces->push_back(piece);
}

void TracedSpace::SplitAt(uint64_t page) {
  auto it = maps_.upper_bound(page);
  if (it == maps_.begin()) return;
  --it;
  TracedMap& left = it->second;
  if (left.start >= page || left.end <= page) return;
  TracedMap right = left;
  right.start = page;
  if (right.file >= 0) right.pgoff += page - left.start;
  left.end = page;
  maps_.emplace(page, right);
}

void TracedSpace::Erase(uint64_t start, uint64_t end) {
  SplitAt(start);
  SplitAt(end);
  maps_.erase(maps_.lower_bound(start), maps_.lower_bound(end));
}

void TracedSpace::Put(const TracedMap& map) {
  Erase(map.start, map.end);
  maps_[map.start] = map;
}

void TracedSpace::Protect(uint64_t start, uint64_t end, uint32_t prot) {
  SplitAt(start);
  SplitAt(end);
  for (auto it = maps_.lower_bound(start); it != maps_.end() && it->first < end; ++it) {
    it->second.flags = (it->second.flags & ~(kMapRead | kMapWrite)) | prot;
  }
}

void TracedSpace::Lock(uint64_t start, uint64_t end, bool locked) {
  SplitAt(start);
  SplitAt(end);
  for (auto it = maps_.lower_bound(start); it != maps_.end() && it->first < end; ++it) {
    it->second.locked = locked;
  }
}

std::vector<TracedMap> TracedSpace::Pieces(uint64_t start, uint64_t end) const {
  std::vector<TracedMap> pieces;
  auto it = maps_.upper_bound(start);
  if (it != maps_.begin()) --it;
  for (; it != maps_.end() && it->first < end; ++it) {
    TracedMap piece = it->second;
    if (piece.end <= start) continue;
    if (piece.start < start) {
      if (piece.file >= 0) piece.pgoff += start - piece.start;
      piece.start = start;
    }
    piece.end = std::min(piece.end, end);
    AppendPiece(piece, &pieces);
  }
  return pieces;
}

bool TracedSpace::Covers(uint64_t start, uint64_t end) const {
  for (const TracedMap& piece : Pieces(start, end)) {
    if (piece.start > start) return false;
    start = piece.end;
  }
  return start >= end;
}

void ApplyEvent(const TracedEvent& event, TracedSpaces* spaces) {
  const auto number = static_cast<size_t>(event.space);
  TracedSpace& space = (*spaces)[number];
  switch (event.kind) {
    case TracedEvent::Kind::kMap: {
      TracedMap map = event.map;
      map.locked = (map.flags & kMapLocked) != 0;
      map.flags &= kMapRead | kMapWrite | kMapShared;
      space.Put(map);
      break;
    }
    case TracedEvent::Kind::kFork: {
      TracedSpace child = space;
      child.Lock(0, UINT64_MAX, false);
      child.future = TracedSpace::Future::kNothing;
      (*spaces)[static_cast<size_t>(event.other)] = std::move(child);
      break;
    }
    case TracedEvent::Kind::kExit:
      space.Erase(0, UINT64_MAX);
      break;
    case TracedEvent::Kind::kMove:
      space.Erase(event.start, event.end);
      space.Put(event.map);
      break;
    case TracedEvent::Kind::kRange:
      if (event.code == Opcode::unmap) {
        space.Erase(event.start, event.end);
      } else if (event.code == Opcode::protect) {
        space.Protect(event.start, event.end, event.prot);
      } else if (event.code == Opcode::lock || event.code == Opcode::lock_onfault) {
        space.Lock(event.start, event.end, true);
      } else if (event.code == Opcode::unlock) {
        space.Lock(event.start, event.end, false);
      }
      break;
  }
}

}  // namespace mmdiff
