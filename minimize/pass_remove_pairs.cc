#include <utility>
#include <vector>

#include "minimize/passes.h"
#include "program/edit.h"

namespace mmdiff {
namespace {

constexpr size_t kMaxSize = 32;  // n * n / 2 runs: only for programs that are short already

bool TryWithoutBoth(Search* search, size_t i, size_t j) {
  std::vector<bool> keep(search->size(), true);
  keep[i] = keep[j] = false;
  Program candidate = search->best();
  RemoveOps(&candidate, keep);
  if (search->Try(std::move(candidate))) return true;
  candidate = search->best();
  RemoveOps(&candidate, keep, Dependents::kRetarget);
  return search->Try(std::move(candidate));
}

}  // namespace

bool RemovePairs(Search* search) {
  bool accepted = false;
  if (search->size() > kMaxSize) return false;
  for (size_t j = search->size(); j-- > 1 && !search->done();) {
    for (size_t i = j; i-- > 0 && j < search->size();) {
      if (!TryWithoutBoth(search, i, j)) continue;
      accepted = true;
      break;  // j is another operation now; the next round looks at what is left of this one
    }
  }
  return accepted;
}

}  // namespace mmdiff
