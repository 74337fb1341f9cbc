// Canonicalize: sort by key, number folios by first appearance.
#include <algorithm>
#include <tuple>
#include <vector>

#include "program/program.h"  // kNoFile
#include "state/digest.h"
#include "state/state.h"

namespace mmdiff {
namespace {

// Sorting what is sorted already (the usual case) is one pass.
template <typename T, typename Key>
void SortBy(std::vector<T>* v, Key key) {
  const auto less = [&](const T& a, const T& b) { return key(a) < key(b); };
  if (!std::is_sorted(v->begin(), v->end(), less)) std::sort(v->begin(), v->end(), less);
}

// Kept between calls so that samples of a long run allocate nothing.
struct Scratch {
  std::vector<uint32_t> new_id;
  std::vector<std::tuple<uint32_t, uint32_t, uint32_t>> cache, swap;
  std::vector<std::tuple<uint32_t, uint64_t, uint64_t, uint32_t>> held;
};
Scratch& ThreadScratch() {
  thread_local Scratch scratch;
  return scratch;
}

// Gives folios new numbers in the order in which Visit meets them. Folios are looked up by their
// old number in the array of folios, which is sorted by it while this lives.
class Renumber {
 public:
  Renumber(const std::vector<FolioState>& by_old_id, std::vector<uint32_t>* new_id)
      : folios_(by_old_id), new_id_(*new_id) {
    new_id_.assign(folios_.size(), kNoFolio);
  }
  void Visit(uint32_t old_id) {
    const size_t i = Find(old_id);
    if (i < new_id_.size() && new_id_[i] == kNoFolio) new_id_[i] = next_++;
  }
  bool Visited(size_t position) const { return new_id_[position] != kNoFolio; }
  // Numbers of folios that do not exist (a dangling entry) move behind all others, so that they can
  // not be taken for a folio that exists.
  uint32_t Map(uint32_t old_id) const {
    if (old_id == kNoFolio) return kNoFolio;
    const size_t i = Find(old_id);
    return i < new_id_.size() ? new_id_[i] : (0x80000000u | old_id);
  }

 private:
  size_t Find(uint32_t old_id) const {
    // Numbers are usually dense from 0, so the guess is often right.
    if (old_id < folios_.size() && folios_[old_id].id == old_id) return old_id;
    const auto it = std::lower_bound(folios_.begin(), folios_.end(), old_id,
                                     [](const FolioState& f, uint32_t id) { return f.id < id; });
    return it != folios_.end() && it->id == old_id ? static_cast<size_t>(it - folios_.begin())
                                                   : folios_.size();
  }

  const std::vector<FolioState>& folios_;
  std::vector<uint32_t>& new_id_;
  uint32_t next_ = 0;
};

// Page cache by (file, index), then swap cache by slot.
void VisitCaches(const State& s, Scratch* scratch, Renumber* numbers) {
  auto& cache = scratch->cache;
  auto& swap = scratch->swap;
  cache.clear();
  swap.clear();
  for (const FolioState& f : s.folios) {
    if (f.file != kNoFile) cache.emplace_back(f.file, f.index, f.id);
    if (f.slot != kNoSlot) swap.emplace_back(f.slot, 0, f.id);
  }
  std::sort(cache.begin(), cache.end());
  std::sort(swap.begin(), swap.end());
  for (const auto& p : cache) numbers->Visit(std::get<2>(p));
  for (const auto& p : swap) numbers->Visit(std::get<2>(p));
}

// Folios that only somebody outside page tables, caches and batches holds. Nothing says which is
// which but what they are, so they go by that: their own numbers are those of one implementation.
void VisitHeld(const State& s, Scratch* scratch, Renumber* numbers) {
  auto& held = scratch->held;
  held.clear();
  for (size_t i = 0; i < s.folios.size(); ++i) {
    if (!numbers->Visited(i)) held.emplace_back(s.folios[i].order, 0, 0, s.folios[i].id);
  }
  if (held.size() > 1) {
    for (auto& [order, pages, facts, id] : held) {
      for (PageState page : s.pages) {
        if (page.folio != id) continue;
        page.folio = 0;
        pages += FactHash(page);
      }
      FolioState folio =
          *std::lower_bound(s.folios.begin(), s.folios.end(), id,
                            [](const FolioState& f, uint32_t wanted) { return f.id < wanted; });
      folio.id = 0;
      facts = FactHash(folio);
    }
    std::sort(held.begin(), held.end());
  }
  for (const auto& h : held) numbers->Visit(std::get<3>(h));
}

}  // namespace

void Canonicalize(State* state) { Canonicalize(state, nullptr); }

void Canonicalize(State* s, std::vector<uint32_t>* own) {
  SortBy(&s->mms, [](const MmState& r) { return r.id; });
  SortBy(&s->vmas, [](const VmaState& r) { return std::tuple(r.mm, r.start); });
  SortBy(&s->ptes, [](const PteState& r) { return std::tuple(r.mm, r.vpn); });
  SortBy(&s->folios, [](const FolioState& r) { return r.id; });
  SortBy(&s->swaps, [](const SwapState& r) { return r.slot; });
  SortBy(&s->batches, [](const BatchState& r) { return std::tuple(r.cpu, r.kind, r.position); });
  SortBy(&s->tlbs, [](const TlbState& r) { return std::tuple(r.cpu, r.mm, r.vpn); });

  Scratch& scratch = ThreadScratch();
  Renumber numbers(s->folios, &scratch.new_id);
  for (const PteState& r : s->ptes) numbers.Visit(r.folio);
  VisitCaches(*s, &scratch, &numbers);
  for (const BatchState& r : s->batches) numbers.Visit(r.folio);
  for (const TlbState& r : s->tlbs) numbers.Visit(r.folio);
  VisitHeld(*s, &scratch, &numbers);

  for (PteState& r : s->ptes) r.folio = numbers.Map(r.folio);
  for (PageState& r : s->pages) r.folio = numbers.Map(r.folio);
  for (BatchState& r : s->batches) r.folio = numbers.Map(r.folio);
  for (TlbState& r : s->tlbs) r.folio = numbers.Map(r.folio);
  if (own != nullptr) {
    own->resize(s->folios.size());
    for (size_t i = 0; i < s->folios.size(); ++i) (*own)[scratch.new_id[i]] = s->folios[i].id;
  }
  // s->folios is the table that Map searches, so its own numbers change last and by position.
  for (size_t i = 0; i < s->folios.size(); ++i) s->folios[i].id = scratch.new_id[i];

  SortBy(&s->folios, [](const FolioState& r) { return r.id; });
  SortBy(&s->pages, [](const PageState& r) { return std::tuple(r.folio, r.offset); });
}

}  // namespace mmdiff
