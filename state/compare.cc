#include "state/compare.h"

#include <algorithm>
#include <tuple>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "program/program.h"
#include "state/diff.h"
#include "state/field.h"

namespace mmdiff {
namespace {

// The relation that says whether records of a kind may be missing.
RelationId PresentOf(Record record) {
  switch (record) {
    case Record::vma:
      return RelationId::kvma_present;
    case Record::pte:
      return RelationId::kpte_present;
    case Record::page:
      return RelationId::kpage_present;
    case Record::folio:
      return RelationId::kfolio_present;
    case Record::swap:
      return RelationId::kswap_present;
    case Record::batch:
      return RelationId::kbatch_present;
    case Record::tlb:
      return RelationId::ktlb_present;
    default:
      return RelationId::kmm_present;
  }
}

// A difference found, before it is worth any text.
struct Broken {
  RelationId relation;
  RecordKey key;
  uint64_t a = 0, b = 0;
  bool has_a = true, has_b = true;  // both false never; one false: a missing record
};

class Comparison {
 public:
  Comparison(const State& a, const State& b, RelationUses* uses, const RelationSet& seen)
      : a_(a), b_(b), uses_(uses), seen_(seen), drained_(a.batches.empty() && b.batches.empty()) {}

  void Run() {
    ForEachArray(a_, b_, [this](const auto& a, const auto& b) { Arrays(a, b); });
    Fields(a_.stats, b_.stats);
    std::stable_sort(broken_.begin(), broken_.end(),
                     [](const Broken& x, const Broken& y) { return x.relation < y.relation; });
  }

  void Report(size_t limit, CompareResult* out) const {
    out->equal = broken_.empty();
    const size_t n = std::min(limit, broken_.size());
    out->more = broken_.size() - n;
    for (size_t i = 0; i < n; ++i) {
      const Broken& x = broken_[i];
      FieldDiff d;
      d.relation = x.relation;
      d.key = x.key;
      d.where = DescribeKey(x.has_a ? a_ : b_, x.key);
      if (x.has_a != x.has_b) {
        d.a = x.has_a ? "present" : "absent";
        d.b = x.has_b ? "present" : "absent";
      } else {
        d.a = RenderField(a_, x.relation, x.a);
        d.b = RenderField(b_, x.relation, x.b);
      }
      out->diffs.push_back(std::move(d));
    }
  }

 private:
  template <typename R>
  void Arrays(const std::vector<R>& a, const std::vector<R>& b) {
    if (a == b) return;
    MergeByKey(
        a, b, [this](const R& x, const R& y) { Fields(x, y); },
        [this](const R& x) { Missing(KeyOf(x), true); },
        [this](const R& y) { Missing(KeyOf(y), false); });
  }

  template <typename R>
  void Fields(const R& x, const R& y) {
    if (x == y) return;
    const RecordKey key = KeyOf(x);
    for (size_t i = 0; i < kRelations; ++i) {
      const RelationId id = static_cast<RelationId>(i);
      const FieldGetter get = GetterOf(id);
      if (RelationOf(id).record != key.record || get == nullptr || !Sees(id)) continue;
      const uint64_t va = get(&x), vb = get(&y);
      if (va == vb) continue;
      if (Allowed(id, (va & ~vb) == 0)) continue;
      broken_.push_back(Broken{id, key, va, vb});
    }
  }

  void Missing(const RecordKey& key, bool in_a) {
    const RelationId id = PresentOf(key.record);
    if (!Sees(id) || Allowed(id, !in_a)) return;
    broken_.push_back(Broken{id, key, 0, 0, in_a, !in_a});
  }

  bool Sees(RelationId id) const { return seen_[static_cast<size_t>(id)]; }

  // `superset`: the other side has all that the reference has.
  bool Allowed(RelationId id, bool superset) {
    const bool allowed = RelationAllows(RelationOf(id).kind, superset, drained_);
    if (allowed && uses_ != nullptr) ++uses_->count[static_cast<size_t>(id)];
    return allowed;
  }

  const State& a_;
  const State& b_;
  RelationUses* uses_;
  const RelationSet& seen_;
  const bool drained_;
  std::vector<Broken> broken_;
};

// Binary search in an array of a canonical state.
template <typename R, typename K>
const R* Find(const std::vector<R>& v, const K& key, K (*key_of)(const R&)) {
  const auto it = std::lower_bound(v.begin(), v.end(), key,
                                   [&](const R& r, const K& k) { return key_of(r) < k; });
  return it != v.end() && key_of(*it) == key ? &*it : nullptr;
}

using Two = std::tuple<uint32_t, uint32_t>;

}  // namespace

bool Compare(const State& a, const State& b, CompareResult* out, RelationUses* uses, size_t limit,
             const RelationSet& seen) {
  out->Clear();
  if (a == b) return true;
  Comparison comparison(a, b, uses, seen);
  comparison.Run();
  comparison.Report(limit, out);
  return out->equal;
}

std::string DescribeFolio(const State& state, uint32_t folio) {
  if (folio == kNoFolio) return "none";
  if (folio >= 0x80000000u) return absl::StrCat("a folio that does not exist");
  for (const PteState& r : state.ptes) {
    if (r.folio == folio) return absl::StrFormat("folio %u (m%u 0x%x)", folio, r.mm, r.vpn);
  }
  const FolioState* f = FindFolio(state, folio);
  if (f == nullptr) return absl::StrFormat("folio %u (freed)", folio);
  if (f->file != kNoFile) {
    if (f->file >= kShmemFile) {
      return absl::StrFormat("folio %u (shmem%u page %u)", folio, f->file - kShmemFile, f->index);
    }
    return absl::StrFormat("folio %u (f%u page %u)", folio, f->file, f->index);
  }
  if (f->slot != kNoSlot) return absl::StrFormat("folio %u (swap slot %u)", folio, f->slot);
  return absl::StrFormat("folio %u (unmapped)", folio);
}

std::string DescribeKey(const State& state, const RecordKey& key) {
  switch (key.record) {
    case Record::choice:
      return "choice";
    case Record::result:
      return "result";
    case Record::vma:
      return absl::StrFormat("m%u 0x%x vma", key.k0, key.k1);
    case Record::pte:
      return absl::StrFormat("m%u 0x%x pte", key.k0, key.k1);
    case Record::page:
      return absl::StrFormat("%s page %u", DescribeFolio(state, key.k0), key.k1);
    case Record::folio:
      return DescribeFolio(state, key.k0);
    case Record::swap:
      return absl::StrFormat("swap slot %u", key.k0);
    case Record::batch:
      return absl::StrFormat("cpu%u %s batch slot %u", key.k0,
                             BatchKindName(static_cast<BatchKind>(key.k1)), key.k2);
    case Record::tlb:
      return absl::StrFormat("cpu%u tlb m%u 0x%x", key.k0, key.k1, key.k2);
    case Record::mm:
      return absl::StrFormat("m%u", key.k0);
    case Record::stat:
      return "statistics";
  }
  return "?";
}

const PteState* FindPte(const State& state, uint32_t mm, uint32_t vpn) {
  return Find<PteState, Two>(state.ptes, Two(mm, vpn),
                             [](const PteState& r) { return Two(r.mm, r.vpn); });
}

const VmaState* FindVma(const State& state, uint32_t mm, uint32_t vpn) {
  auto it =
      std::upper_bound(state.vmas.begin(), state.vmas.end(), Two(mm, vpn),
                       [](const Two& k, const VmaState& r) { return k < Two(r.mm, r.start); });
  if (it == state.vmas.begin()) return nullptr;
  --it;
  return it->mm == mm && it->start <= vpn && vpn < it->end ? &*it : nullptr;
}

const MmState* FindMm(const State& state, uint32_t mm) {
  return Find<MmState, uint32_t>(state.mms, mm, [](const MmState& r) { return r.id; });
}

const FolioState* FindFolio(const State& state, uint32_t folio) {
  return Find<FolioState, uint32_t>(state.folios, folio, [](const FolioState& r) { return r.id; });
}

const PageState* FindPage(const State& state, uint32_t folio, uint32_t offset) {
  return Find<PageState, Two>(state.pages, Two(folio, offset),
                              [](const PageState& r) { return Two(r.folio, r.offset); });
}

const SwapState* FindSwap(const State& state, uint32_t slot) {
  return Find<SwapState, uint32_t>(state.swaps, slot, [](const SwapState& r) { return r.slot; });
}

}  // namespace mmdiff
