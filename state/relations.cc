#include "state/relations.h"

namespace mmdiff {
namespace {

constexpr std::array<RelationInfo, kRelations> kInfos = {{
#define MMDIFF_RELATION(record, field, relation, why) \
  {Record::record, #field, #record "." #field, RelationKind::relation, why},
#define MMDIFF_RELATION_BIT(record, word, bit, mask, relation, why) \
  {Record::record, #bit, #record "." #bit, RelationKind::relation, why},
#define MMDIFF_RELATION_REST(record, word, relation, why) \
  {Record::record, #word, #record "." #word, RelationKind::relation, why},
#define MMDIFF_RELATION_OTHER(record, what, relation, why) \
  {Record::record, #what, #record "." #what, RelationKind::relation, why},
#include "state/relations.def"
}};

constexpr bool WhyGivenWhereNeeded() {
  for (const RelationInfo& info : kInfos) {
    if ((info.kind == RelationKind::equal) != (info.why[0] == '\0')) return false;
  }
  return true;
}
static_assert(WhyGivenWhereNeeded(),
              "each relation but `equal` needs a sentence that says why, and `equal` needs none");

}  // namespace

const char* RelationKindText(RelationKind kind) {
  switch (kind) {
    case RelationKind::equal:
      return "equal";
    case RelationKind::drained:
      return "equal once drained";
    case RelationKind::superset:
      return "may be a superset";
    case RelationKind::ignored:
      return "ignored";
  }
  return "?";
}

const char* RecordName(Record record) {
  static constexpr const char* kNames[kRecords] = {
      "choice", "result", "vma", "pte", "page", "folio", "swap", "batch", "tlb", "mm", "stat"};
  return kNames[static_cast<size_t>(record)];
}

RelationSet EveryRelation() { return RelationSet().set(); }

const std::array<RelationInfo, kRelations>& AllRelations() { return kInfos; }
const RelationInfo& RelationOf(RelationId id) { return kInfos[static_cast<size_t>(id)]; }

const RelationInfo* FindRelation(std::string_view name) {
  for (const RelationInfo& info : kInfos) {
    if (name == info.name) return &info;
  }
  return nullptr;
}

}  // namespace mmdiff
