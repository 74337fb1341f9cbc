// Relations: how two states must agree in each field, expanded from relations.def.
//
// A relation has a name ("pte.write", "folio.refcount", "result.err", "tlb.present"), a kind and,
// unless it is plain equality, a sentence that says why. This file decides nothing about states:
// compare.h does. All lookups are into constant tables; FindRelation is linear in their number.
#ifndef MMDIFF_STATE_RELATIONS_H_
#define MMDIFF_STATE_RELATIONS_H_

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mmdiff {

enum class RelationKind : uint8_t {
  equal,     // always the same
  drained,   // the same whenever no folio waits in a per-CPU batch on either side
  superset,  // every bit (or record) of the reference is there in the other; more is allowed
  ignored,   // never compared
};
// "equal", "equal once drained", "may be a superset", "ignored".
const char* RelationKindText(RelationKind kind);

// Whether a difference is allowed. `superset`: the other side has all that the reference has;
// `drained`: no folio waits in a batch of either side.
constexpr bool RelationAllows(RelationKind kind, bool superset, bool drained) {
  switch (kind) {
    case RelationKind::equal:
      return false;
    case RelationKind::drained:
      return !drained;
    case RelationKind::superset:
      return superset;
    case RelationKind::ignored:
      return true;
  }
  return false;
}

// The kinds of record of state.h, and two that are not part of a state: what an operation answered,
// and the choices it took.
enum class Record : uint8_t { choice, result, vma, pte, page, folio, swap, batch, tlb, mm, stat };
inline constexpr size_t kRecords = 11;
// "pte", "folio", ...
const char* RecordName(Record record);

struct RelationInfo {
  Record record;
  const char* field;  // of the record; one bit of a flag word has its own line
  const char* name;   // "pte.write"
  RelationKind kind;
  const char* why;  // empty for equal
};

// One constant per line of relations.def, in its order, which is the order in which broken
// relations are ranked: kpte_present, kpte_kind, kpte_write, kresult_err, kchoice_refused, ...
enum class RelationId : uint16_t {
#define MMDIFF_RELATION(record, field, relation, why) k##record##_##field,
#define MMDIFF_RELATION_BIT(record, word, bit, mask, relation, why) k##record##_##bit,
#define MMDIFF_RELATION_REST(record, word, relation, why) k##record##_##word,
#define MMDIFF_RELATION_OTHER(record, what, relation, why) k##record##_##what,
#include "state/relations.def"
};
inline constexpr size_t kRelations = 0
#define MMDIFF_RELATION(record, field, relation, why) +1
#define MMDIFF_RELATION_BIT(record, word, bit, mask, relation, why) +1
#define MMDIFF_RELATION_REST(record, word, relation, why) +1
#define MMDIFF_RELATION_OTHER(record, what, relation, why) +1
#include "state/relations.def"
    ;

// Relations by RelationId: what an implementation sees of a state and of answers, for instance.
using RelationSet = std::bitset<kRelations>;
// All of them.
RelationSet EveryRelation();

const std::array<RelationInfo, kRelations>& AllRelations();
const RelationInfo& RelationOf(RelationId id);
// The relation called `name`; nullptr if there is none.
const RelationInfo* FindRelation(std::string_view name);

// How often a relation that is not plain equality excused a difference, by RelationId.
struct RelationUses {
  std::array<uint64_t, kRelations> count{};
};

}  // namespace mmdiff

#endif  // MMDIFF_STATE_RELATIONS_H_
