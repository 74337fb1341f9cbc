#include <utility>

#include "minimize/passes.h"

namespace mmdiff {

bool CutTail(Search* search) {
  const auto op = search->failing_op();
  if (!op || *op + 1 >= search->size()) return false;
  Program candidate = search->best();
  candidate.ops.resize(*op + 1);
  return search->Try(std::move(candidate));
}

}  // namespace mmdiff
