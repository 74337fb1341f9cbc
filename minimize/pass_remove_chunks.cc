#include <algorithm>
#include <bit>
#include <utility>

#include "minimize/passes.h"
#include "program/edit.h"

namespace mmdiff {
namespace {

bool TryWithoutRange(Search* search, size_t at, size_t count, Dependents dependents) {
  Program candidate = search->best();
  RemoveRange(&candidate, at, count, dependents);
  return search->Try(std::move(candidate));
}

// One sweep over the program, from its end, in steps of `chunk`.
bool Sweep(Search* search, size_t chunk) {
  bool accepted = false;
  size_t end = search->size();
  while (end > 0 && !search->done()) {
    const size_t at = end > chunk ? end - chunk : 0;
    bool took = TryWithoutRange(search, at, end - at, Dependents::kRemove);
    if (!took && chunk == 1 && DescOf(search->best().ops[at].code).result != ArgKind::kNone) {
      took = TryWithoutRange(search, at, 1, Dependents::kRetarget);
    }
    accepted |= took;
    // Dependents behind `at` may have gone too; what lies before it is as it was.
    end = std::min(at, search->size());
  }
  return accepted;
}

}  // namespace

bool RemoveChunks(Search* search) {
  bool accepted = false;
  for (size_t chunk = std::bit_floor(search->size()) / 2; chunk > 1 && !search->done();
       chunk /= 2) {
    accepted |= Sweep(search, chunk);
  }
  while (Sweep(search, 1)) accepted = true;
  return accepted;
}

}  // namespace mmdiff
