// Reverse mapping: from a folio to the page-table entries that map it. The kernel's rmap.h and
// rmap.c.
//
// AnonVma and its chains tell which VMAs may map an anonymous folio; FileObject::i_mmap tells it
// for the page cache. A walk costs O(log n + VMAs that cover the folio). Nothing here changes a
// VMA's range.
#ifndef MMDIFF_MODEL_RMAP_H_
#define MMDIFF_MODEL_RMAP_H_

#include <algorithm>
#include <functional>
#include <vector>

#include "model/folio.h"
#include "model/page_table.h"
#include "model/task.h"

MMDIFF_MODEL_BEGIN

// VMAs (or chains) ordered by page offset; a query costs O(log n + hits) as long as lengths are
// alike. T gives interval_start() and interval_last() (inclusive), which do not change while it is
// inside.
template <typename T>
class IntervalSet {
 public:
  void Insert(T* x) {
    max_len_ = std::max(max_len_, x->interval_last() - x->interval_start());
    items_.insert(UpperBound(x->interval_start()), x);
  }
  void Remove(T* x) {
    auto it = LowerBound(x->interval_start());
    while (*it != x) ++it;
    items_.erase(it);
    if (items_.empty()) max_len_ = 0;
  }
  // Calls fn(T*) for those that meet [first, last], until it returns false. False if it was
  // stopped.
  template <typename Fn>
  bool ForEach(uint32_t first, uint32_t last, Fn&& fn) const {
    const uint32_t from = first > max_len_ ? first - max_len_ : 0;
    for (auto it = LowerBound(from); it != items_.end() && (*it)->interval_start() <= last; ++it) {
      if ((*it)->interval_last() < first) continue;
      if (!fn(*it)) return false;
    }
    return true;
  }
  bool empty() const { return items_.empty(); }
  void clear() {
    items_.clear();
    max_len_ = 0;
  }
  const std::vector<T*>& items() const { return items_; }

 private:
  auto LowerBound(uint32_t start) const {
    return std::lower_bound(items_.begin(), items_.end(), start,
                            [](const T* a, uint32_t s) { return a->interval_start() < s; });
  }
  auto UpperBound(uint32_t start) const {
    return std::upper_bound(items_.begin(), items_.end(), start,
                            [](uint32_t s, const T* a) { return s < a->interval_start(); });
  }
  std::vector<T*> items_;
  uint32_t max_len_ = 0;
};

// Links a VMA to an anon_vma that may hold pages of it.
struct AnonVmaChain {
  Vma* vma = nullptr;
  AnonVma* anon_vma = nullptr;
  uint32_t interval_start() const;
  uint32_t interval_last() const;
};
struct AnonVma {
  sync::Ptr<AnonVma> root = nullptr;
  AnonVma* parent = nullptr;     // itself for a root
  uint32_t num_children = 0;     // anon_vmas whose parent this is, but itself
  uint32_t num_active_vmas = 0;  // VMAs whose own anon_vma this is
  IntervalSet<AnonVmaChain> chains;
  sync::SharedMutex<sync::Rank::kAnonVma> lock;  // the root's is used
  uint32_t refs = 0;  // who keeps it though no VMA is chained (get_anon_vma); under the root's lock
};

// vma.cc: the life of anon_vmas.
void anon_vma_prepare(Task& t, Vma& vma);
void anon_vma_clone(Task& t, Vma& dst, Vma& src);
void anon_vma_fork(Task& t, Vma& child, Vma& parent);
void unlink_anon_vmas(Task& t, Vma& vma);
// Keeps the anon_vma of a locked folio while nothing maps the folio (migration, split); nullptr,
// and nothing to be put, if it is not anonymous or not mapped now.
AnonVma* folio_get_anon_vma(Task& t, Folio& folio);
void put_anon_vma(Task& t, AnonVma& anon_vma);

// Finds the entries of one VMA that map (or, with `migration`, are migration entries for) pages of
// a folio. next() stops at each, with the table locked; the caller may leave with done().
struct PageVmaMappedWalk {
  Folio* folio = nullptr;
  Vma* vma = nullptr;
  bool migration = false;
  uint32_t vpn = 0;  // of the current entry
  uint32_t end = 0;
  PageTable* table = nullptr;  // locked while not nullptr
  Pte pte;
  bool started = false;
  bool crossed_table = false;  // PVMW_PGTABLE_CROSSED
};
// Readies a walk over the pages of `folio` that `vma` may map; false if it covers none.
bool page_vma_mapped_walk_init(PageVmaMappedWalk* walk, Folio& folio, Vma& vma, bool migration);
bool page_vma_mapped_walk(Task& t, PageVmaMappedWalk* walk);
void page_vma_mapped_walk_done(PageVmaMappedWalk* walk);

// Calls rmap_one(Vma&) for each VMA that may map the folio, until it returns false. The folio is
// locked, or (migration, split) known not to change. Takes the rmap lock for read. An anonymous
// folio that is not mapped is walked only by who holds its anon_vma (folio_get_anon_vma): nothing
// else keeps that.
void rmap_walk(Task& t, Folio& folio, AnonVma* held, const std::function<bool(Vma&)>& rmap_one);

struct FolioReferenced {
  uint32_t referenced = 0;  // VMAs through which it was used
  bool vm_locked = false;
};
FolioReferenced folio_referenced(Task& t, Folio& folio);
// Beyond TtuFlagBits: the walk of a split, which nothing can stop early, so that it records no
// Visit.
inline constexpr uint32_t kTtuSplit = 1u << 16;
// Number of entries unmapped. TtuFlagBits.
uint32_t try_to_unmap(Task& t, Folio& folio, uint32_t ttu_flags);
// Number of entries replaced by migration entries; ttu_flags: 0 or kTtuSplit.
uint32_t try_to_migrate(Task& t, Folio& folio, uint32_t ttu_flags);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_RMAP_H_
