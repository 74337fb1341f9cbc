// Compare: do two canonical states agree, and if not, where.
//
// Works on canonical states (Canonicalize) and knows no implementation. `a` is the reference side,
// `b` the side that may be a superset where relations.def allows it. Equal states cost one pass
// over their bytes; different ones O(n) plus text for at most `limit` fields. A result object is
// reused without allocation as long as the states agree.
#ifndef MMDIFF_STATE_COMPARE_H_
#define MMDIFF_STATE_COMPARE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "state/relations.h"
#include "state/state.h"

namespace mmdiff {

// Where a record is, whatever its kind: the key it is sorted by. Meaning by kind: mm (id), vma (mm,
// start), pte (mm, vpn), folio (id), page (folio, offset), swap (slot), batch (cpu, kind,
// position), tlb (cpu, mm, vpn), stat, result and choice ().
struct RecordKey {
  Record record = Record::stat;
  uint32_t k0 = 0, k1 = 0, k2 = 0;
  bool operator==(const RecordKey&) const = default;
};

// One field in which two states differ.
struct FieldDiff {
  RelationId relation{};
  RecordKey key;
  std::string
      where;  // the key in words: "m0 0x43 pte", "folio 3 (m0 0x40)", "cpu1 mlock batch slot 2"
  std::string a, b;  // both values as text; "absent" and "present" for a record on one side only

  // "pte.write", and its parts.
  const char* name() const { return RelationOf(relation).name; }
};

struct CompareResult {
  bool equal = true;
  // Ranked by relation in the order of relations.def, then by key; the first is the one that names
  // the divergence. At most `limit`, the rest is counted in `more`.
  std::vector<FieldDiff> diffs;
  size_t more = 0;
  void Clear() {
    equal = true;
    diffs.clear();
    more = 0;
  }
};

inline constexpr size_t kMaxFieldDiffs = 64;

// Fills `out` (cleared first) and returns out->equal. Differences that a relation allows are
// counted in `uses` if it is given. What is not in `seen`, because one of the two sides does not
// see it, is not compared; a record whose presence is not seen may be missing on either side.
bool Compare(const State& a, const State& b, CompareResult* out, RelationUses* uses = nullptr,
             size_t limit = kMaxFieldDiffs, const RelationSet& seen = EveryRelation());

// The key in words; folios are named by where they are in `state`.
std::string DescribeKey(const State& state, const RecordKey& key);
// A folio by number and by where it is: "folio 3 (m0 0x40)", "folio 5 (f0 page 8)", "folio 2
// (unmapped)".
std::string DescribeFolio(const State& state, uint32_t folio);

// Lookup by binary search in a canonical state; nullptr if there is none.
const PteState* FindPte(const State& state, uint32_t mm, uint32_t vpn);
const VmaState* FindVma(const State& state, uint32_t mm,
                        uint32_t vpn);  // the one that contains vpn
const MmState* FindMm(const State& state, uint32_t mm);
const FolioState* FindFolio(const State& state, uint32_t folio);
const PageState* FindPage(const State& state, uint32_t folio, uint32_t offset);
const SwapState* FindSwap(const State& state, uint32_t slot);

}  // namespace mmdiff

#endif  // MMDIFF_STATE_COMPARE_H_
