// VMAs: find, insert, merge, split, remove; anon_vma sharing, forking and compatibility.
#include <algorithm>
#include <cerrno>

#include "reference/engine.h"

namespace mmdiff::reference {

size_t Engine::FirstVmaAtOrAfter(const Mm& mm, uint32_t vpn) const {
  size_t i = 0;
  while (i < mm.vmas.size() && mm.vmas[i].end <= vpn) ++i;
  return i;
}

Vma* Engine::FindVma(Mm& mm, uint32_t vpn) {
  const size_t i = FirstVmaAtOrAfter(mm, vpn);
  return i < mm.vmas.size() && mm.vmas[i].start <= vpn ? &mm.vmas[i] : nullptr;
}

// A copy of `chain`, with `extra` at its end if given.
Chain Engine::CloneChain(const Chain& chain, uint32_t extra) {
  Chain copy{static_cast<uint32_t>(chains_.size()), chain.size};
  for (uint32_t i = 0; i < chain.size; ++i) chains_.push_back(chains_[chain.first + i]);
  if (extra != kNoAnonVma) {
    chains_.push_back(extra);
    ++copy.size;
  }
  return copy;
}

// May `a` and `b` become one VMA as far as their anon_vmas go?
bool Engine::AnonCompatible(const Vma& a, const Vma& b) const {
  if (a.anon_vma == b.anon_vma) return true;
  if (a.anon_vma == kNoAnonVma) return b.chain.size == 1;
  if (b.anon_vma == kNoAnonVma) return a.chain.size == 1;
  return false;
}

bool Engine::CanMerge(const Vma& left, const Vma& right) const {
  return left.end == right.start && left.flags == right.flags && left.file == right.file &&
         left.pgoff + left.pages() == right.pgoff && AnonCompatible(left, right) &&
         std::find(no_merge_.begin(), no_merge_.end(), right.start) == no_merge_.end();
}

// Where the leader has kept VMAs apart in this operation.
void Engine::TakeNoMerges(OpContext& ctx) {
  no_merge_.clear();
  for (const Choice* c; (c = ctx.choices->Peek(ChoiceKind::kNoMerge)) != nullptr;) {
    no_merge_.push_back(c->b);
    ctx.choices->Take();
  }
}

void Engine::InheritAnonVma(Vma* to, const Vma& from) {
  if (to->anon_vma != kNoAnonVma || from.anon_vma == kNoAnonVma) return;
  to->anon_vma = from.anon_vma;
  to->chain = CloneChain(from.chain);
}

void Engine::SplitVma(Mm& mm, size_t index, uint32_t at) {
  Vma upper = mm.vmas[index];
  upper.pgoff += at - upper.start;
  upper.start = at;
  upper.chain = CloneChain(upper.chain);
  mm.vmas[index].end = at;
  mm.vmas.insert(mm.vmas.begin() + static_cast<std::ptrdiff_t>(index) + 1, upper);
  TouchMm(mm);
}

// Gives [start, end), which lies in one VMA, new flags: merged with neighbours where that can be,
// else split.
int Engine::ModifyVma(Mm& mm, uint32_t start, uint32_t end, uint32_t new_flags) {
  const size_t i = FirstVmaAtOrAfter(mm, start);
  TouchMm(mm);
  Vma piece = mm.vmas[i];
  piece.pgoff = piece.FileIndex(start);
  piece.start = start;
  piece.end = end;
  piece.flags = new_flags;
  const bool at_left = mm.vmas[i].start == start;
  const bool at_right = mm.vmas[i].end == end;
  const bool left = at_left && i > 0 && CanMerge(mm.vmas[i - 1], piece);
  bool right = at_right && i + 1 < mm.vmas.size() && CanMerge(piece, mm.vmas[i + 1]);
  if (left && right) {
    const uint32_t p = mm.vmas[i - 1].anon_vma, n = mm.vmas[i + 1].anon_vma;
    right = p == n || p == kNoAnonVma || n == kNoAnonVma;
  }
  const auto erase = [&](size_t k) {
    mm.vmas.erase(mm.vmas.begin() + static_cast<std::ptrdiff_t>(k));
  };
  if (left) {
    Vma& prev = mm.vmas[i - 1];
    InheritAnonVma(&prev, piece);
    if (right) {
      InheritAnonVma(&prev, mm.vmas[i + 1]);
      prev.end = mm.vmas[i + 1].end;
      erase(i + 1);
    } else {
      prev.end = end;
    }
    if (at_right) {
      erase(i);
    } else {
      mm.vmas[i].pgoff = mm.vmas[i].FileIndex(end);
      mm.vmas[i].start = end;
    }
    return 0;
  }
  if (right) {
    Vma& next = mm.vmas[i + 1];
    InheritAnonVma(&next, piece);
    next.start = start;
    next.pgoff = piece.pgoff;
    if (at_left) {
      erase(i);
    } else {
      mm.vmas[i].end = start;
    }
    return 0;
  }
  size_t k = i;
  if (!at_left) {
    if (mm.vmas.size() >= world_.maps) return ENOMEM;
    SplitVma(mm, k++, start);
  }
  if (!at_right) {
    if (mm.vmas.size() >= world_.maps) return ENOMEM;
    SplitVma(mm, k, end);
  }
  mm.vmas[k].flags = new_flags;
  return 0;
}

// Adds a new mapping over a hole, merged with its neighbours where that can be.
void Engine::InsertVma(Mm& mm, const Vma& vma) {
  const size_t i = FirstVmaAtOrAfter(mm, vma.start);
  TouchMm(mm);
  const bool left = i > 0 && CanMerge(mm.vmas[i - 1], vma);
  bool right = i < mm.vmas.size() && CanMerge(vma, mm.vmas[i]);
  if (left && right) {
    const uint32_t p = mm.vmas[i - 1].anon_vma, n = mm.vmas[i].anon_vma;
    right = p == n || p == kNoAnonVma || n == kNoAnonVma;
  }
  if (left) {
    mm.vmas[i - 1].end = vma.end;
    if (right) {
      InheritAnonVma(&mm.vmas[i - 1], mm.vmas[i]);
      mm.vmas[i - 1].end = mm.vmas[i].end;
      mm.vmas.erase(mm.vmas.begin() + static_cast<std::ptrdiff_t>(i));
    }
  } else if (right) {
    mm.vmas[i].start = vma.start;
    mm.vmas[i].pgoff = vma.pgoff;
  } else {
    mm.vmas.insert(mm.vmas.begin() + static_cast<std::ptrdiff_t>(i), vma);
  }
}

// munmap of [start, end). *removed: pages that were covered.
int Engine::MakeHole(Mm& mm, uint32_t start, uint32_t end, OpContext& ctx, uint32_t* removed) {
  size_t i = FirstVmaAtOrAfter(mm, start);
  if (i == mm.vmas.size() || mm.vmas[i].start >= end) return 0;
  if (mm.vmas[i].start < start) {
    if (mm.vmas[i].end > end && mm.vmas.size() >= world_.maps) return ENOMEM;
    SplitVma(mm, i++, start);
  }
  size_t k = i;
  while (k < mm.vmas.size() && mm.vmas[k].end <= end) ++k;
  if (k < mm.vmas.size() && mm.vmas[k].start < end) SplitVma(mm, k++, end);
  for (size_t j = i; j < k; ++j) FlushPending(mm, mm.vmas[j].start, mm.vmas[j].end);
  DrainIfChosen(0, ctx);
  gather_ = Gather{.mm = mm.slot, .pages = std::move(gather_.pages)};
  for (size_t j = i; j < k; ++j) {
    *removed += mm.vmas[j].pages();
    ZapRange(mm, mm.vmas[j], mm.vmas[j].start, mm.vmas[j].end, &gather_, ctx);
  }
  FlushGather(&gather_, ctx);
  mm.vmas.erase(mm.vmas.begin() + static_cast<std::ptrdiff_t>(i),
                mm.vmas.begin() + static_cast<std::ptrdiff_t>(k));
  // free_pgtables: the tables that no VMA reaches into any more.
  const uint32_t floor = i == 0 ? 0 : mm.vmas[i - 1].end;
  const uint32_t ceiling = i == mm.vmas.size() ? world_.arena() : mm.vmas[i].start;
  for (uint32_t t = (floor + world_.table - 1) / world_.table; t < ceiling / world_.table; ++t) {
    mm.tables[t] = 0;
  }
  TouchMm(mm);
  vmas_changed_ = true;
  return 0;
}

// The anon_vma of a VMA that is about to get its first anonymous page.
void Engine::PrepareAnonVma(Mm& mm, Vma& vma) {
  if (vma.anon_vma != kNoAnonVma) return;
  TouchMm(mm);
  const size_t i = FirstVmaAtOrAfter(mm, vma.start);
  const auto alike = [](const Vma& a, const Vma& b) {
    const uint32_t access = kVmRead | kVmWrite;
    return a.end == b.start && a.file == b.file && (a.flags & ~access) == (b.flags & ~access) &&
           a.pgoff + a.pages() == b.pgoff;
  };
  const Vma* from = nullptr;
  if (i + 1 < mm.vmas.size() && alike(vma, mm.vmas[i + 1]) &&
      mm.vmas[i + 1].anon_vma != kNoAnonVma && mm.vmas[i + 1].chain.size == 1) {
    from = &mm.vmas[i + 1];
  } else if (i > 0 && alike(mm.vmas[i - 1], vma) && mm.vmas[i - 1].anon_vma != kNoAnonVma &&
             mm.vmas[i - 1].chain.size == 1) {
    from = &mm.vmas[i - 1];
  }
  if (from != nullptr) {
    vma.anon_vma = from->anon_vma;
  } else {
    vma.anon_vma = static_cast<uint32_t>(anon_vmas_.size());
    anon_vmas_.emplace_back();
  }
  vma.chain = CloneChain(Chain{}, vma.anon_vma);
}

bool Engine::HasActiveVma(uint32_t anon_vma) const {
  for (const Mm* mm : live_) {
    for (const Vma& vma : mm->vmas) {
      if (vma.anon_vma == anon_vma) return true;
    }
  }
  return false;
}

uint32_t Engine::LiveChildren(uint32_t anon_vma) const {
  uint32_t n = 0;
  for (uint32_t child = 0; child < anon_vmas_.size(); ++child) {
    if (anon_vmas_[child].parent != anon_vma) continue;
    bool alive = false;
    for (const Mm* mm : live_) {
      for (const Vma& vma : mm->vmas) {
        for (uint32_t i = 0; i < vma.chain.size; ++i)
          alive |= chains_[vma.chain.first + i] == child;
      }
    }
    n += alive;
  }
  return n;
}

// anon_vma_fork: an ancestor that nobody uses as its own any more is taken again before a new one
// is made.
void Engine::ForkAnonVma(const Vma& parent, Vma* child) {
  for (uint32_t i = 0; i < parent.chain.size; ++i) {
    const uint32_t a = chains_[parent.chain.first + i];
    if (anon_vmas_[a].parent == kNoAnonVma || HasActiveVma(a) || LiveChildren(a) > 1) continue;
    child->anon_vma = a;
    child->chain = CloneChain(parent.chain);
    return;
  }
  child->anon_vma = static_cast<uint32_t>(anon_vmas_.size());
  anon_vmas_.push_back(AnonVma{parent.anon_vma});
  child->chain = CloneChain(parent.chain, child->anon_vma);
}

}  // namespace mmdiff::reference
