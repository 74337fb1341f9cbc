// Fields of records by relation: generic access for what works on differences (compare, diff,
// slices).
//
// Internal to state/. Getters read one field of a record as a number; RenderField turns such a
// number into the words of its field. Nothing here is on the path of a run without differences.
#ifndef MMDIFF_STATE_FIELD_H_
#define MMDIFF_STATE_FIELD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "state/compare.h"
#include "state/relations.h"
#include "state/state.h"

namespace mmdiff {

// The array of each kind of record, and the key of a record.
inline RecordKey KeyOf(const MmState& r) { return {Record::mm, r.id}; }
inline RecordKey KeyOf(const VmaState& r) { return {Record::vma, r.mm, r.start}; }
inline RecordKey KeyOf(const PteState& r) { return {Record::pte, r.mm, r.vpn}; }
inline RecordKey KeyOf(const FolioState& r) { return {Record::folio, r.id}; }
inline RecordKey KeyOf(const PageState& r) { return {Record::page, r.folio, r.offset}; }
inline RecordKey KeyOf(const SwapState& r) { return {Record::swap, r.slot}; }
inline RecordKey KeyOf(const BatchState& r) {
  return {Record::batch, r.cpu, static_cast<uint32_t>(r.kind), r.position};
}
inline RecordKey KeyOf(const TlbState& r) { return {Record::tlb, r.cpu, r.mm, r.vpn}; }
inline RecordKey KeyOf(const StatState&) { return {Record::stat}; }

// Order of the arrays of a canonical state, for keys of one kind of record.
inline bool KeyLess(const RecordKey& a, const RecordKey& b) {
  if (a.k0 != b.k0) return a.k0 < b.k0;
  if (a.k1 != b.k1) return a.k1 < b.k1;
  return a.k2 < b.k2;
}

// Calls f(const std::vector<R>&, const std::vector<R>&) for the arrays of both states, each kind
// once.
template <typename F>
void ForEachArray(const State& a, const State& b, F f) {
  f(a.vmas, b.vmas);
  f(a.ptes, b.ptes);
  f(a.pages, b.pages);
  f(a.folios, b.folios);
  f(a.swaps, b.swaps);
  f(a.batches, b.batches);
  f(a.tlbs, b.tlbs);
  f(a.mms, b.mms);
}

// Calls both(ra, rb), only_a(ra) and only_b(rb) over two arrays sorted by key.
template <typename R, typename Both, typename OnlyA, typename OnlyB>
void MergeByKey(const std::vector<R>& a, const std::vector<R>& b, Both both, OnlyA only_a,
                OnlyB only_b) {
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (j == b.size() || (i < a.size() && KeyLess(KeyOf(a[i]), KeyOf(b[j])))) {
      only_a(a[i++]);
    } else if (i == a.size() || KeyLess(KeyOf(b[j]), KeyOf(a[i]))) {
      only_b(b[j++]);
    } else {
      both(a[i++], b[j++]);
    }
  }
}

// The value of the field of `id` in a record of the right kind. Not for relations that are no
// fields.
using FieldGetter = uint64_t (*)(const void* record);
FieldGetter GetterOf(RelationId id);  // nullptr if `id` is not a field

// The value of a field as text; folios are named by where they are in `state`.
std::string RenderField(const State& state, RelationId id, uint64_t value);

}  // namespace mmdiff

#endif  // MMDIFF_STATE_FIELD_H_
