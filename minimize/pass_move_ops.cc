#include <utility>

#include "minimize/passes.h"
#include "program/edit.h"

namespace mmdiff {

bool MoveOps(Search* search) {
  constexpr int kMaxSweeps = 8;  // the next round goes on
  bool accepted = false;
  for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
    bool moved = false;
    for (size_t i = 0; i + 1 < search->size() && !search->done(); ++i) {
      Program candidate = search->best();
      if (SwapOps(&candidate, i)) moved |= search->Try(std::move(candidate));
    }
    if (!moved) break;
    accepted = true;
  }
  return accepted;
}

}  // namespace mmdiff
