#include <set>
#include <utility>

#include "minimize/passes.h"

namespace mmdiff {
namespace {

// Gives `to` to all operations that have `from` there, or, where that fails, to as many as
// possible.
bool Lower(Search* search, uint8_t Op::*field, uint8_t from, uint8_t to) {
  Program all = search->best();
  for (Op& op : all.ops) {
    if (op.*field == from) op.*field = to;
  }
  if (search->Try(std::move(all))) return true;
  bool accepted = false;
  for (size_t i = 0; i < search->size() && !search->done(); ++i) {
    if (search->best().ops[i].*field != from) continue;
    Program candidate = search->best();
    candidate.ops[i].*field = to;
    accepted |= search->Try(std::move(candidate));
  }
  return accepted;
}

}  // namespace

bool OneCpu(Search* search) {
  bool accepted = false;
  for (uint8_t Op::*field : {&Op::thread, &Op::cpu}) {
    Program all = search->best();
    for (Op& op : all.ops) op.*field = 0;
    accepted |= search->Try(std::move(all));
    std::set<uint8_t> used;
    for (const Op& op : search->best().ops) used.insert(op.*field);
    for (const uint8_t from : used) {
      for (uint8_t to = 0; to < from && !search->done(); ++to) {
        if (Lower(search, field, from, to)) {
          accepted = true;
          break;
        }
      }
    }
  }
  return accepted;
}

}  // namespace mmdiff
