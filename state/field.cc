#include "state/field.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "program/program.h"
#include "state/diff.h"

namespace mmdiff {
namespace {

using type_vma = VmaState;
using type_pte = PteState;
using type_page = PageState;
using type_folio = FolioState;
using type_swap = SwapState;
using type_batch = BatchState;
using type_tlb = TlbState;
using type_mm = MmState;
using type_stat = StatState;

// Bits of a word that have a line of their own; what is left is compared by the line of the word.
constexpr uint32_t NamedBits(Record record, const char* word) {
  uint32_t bits = 0;
#define MMDIFF_RELATION_BIT(rec, w, bit, mask, relation, why) \
  if (record == Record::rec && std::string_view(word) == #w) bits |= mask;
#include "state/relations.def"
  return bits;
}

// Counts the members of an aggregate: the largest number of initialisers it takes.
struct Anything {
  template <typename T>
  operator T() const;
};
template <typename T, typename... A>
constexpr size_t MembersOf() {
  if constexpr (requires { T{A{}..., Anything{}}; }) {
    return MembersOf<T, A..., Anything>();
  } else {
    return sizeof...(A);
  }
}
constexpr size_t LinesOf(Record record) {
  size_t n = 0;
#define MMDIFF_RELATION(rec, field, relation, why) n += record == Record::rec;
#define MMDIFF_RELATION_REST(rec, word, relation, why) n += record == Record::rec;
#define MMDIFF_RELATION_KEY(rec, field) n += record == Record::rec;
#include "state/relations.def"
  return n;
}
#define MMDIFF_COMPLETE(record)                                        \
  static_assert(MembersOf<type_##record>() == LinesOf(Record::record), \
                "a field of state.h has no line in relations.def: " #record)
MMDIFF_COMPLETE(vma);
MMDIFF_COMPLETE(pte);
MMDIFF_COMPLETE(page);
MMDIFF_COMPLETE(folio);
MMDIFF_COMPLETE(swap);
MMDIFF_COMPLETE(batch);
MMDIFF_COMPLETE(tlb);
MMDIFF_COMPLETE(mm);
MMDIFF_COMPLETE(stat);
#undef MMDIFF_COMPLETE
// Each array of a State is compared; a new one must be added to ForEachArray, and here.
static_assert(MembersOf<State>() == 9, "an array of State is missing in ForEachArray");

constexpr FieldGetter kGetters[kRelations] = {
#define MMDIFF_RELATION(record, field, relation, why) \
  [](const void* r) { return static_cast<uint64_t>(static_cast<const type_##record*>(r)->field); },
#define MMDIFF_RELATION_BIT(record, word, bit, mask, relation, why)  \
  [](const void* r) -> uint64_t {                                    \
    return (static_cast<const type_##record*>(r)->word & mask) != 0; \
  },
#define MMDIFF_RELATION_REST(record, word, relation, why)        \
  [](const void* r) -> uint64_t {                                \
    constexpr uint32_t named = NamedBits(Record::record, #word); \
    return static_cast<const type_##record*>(r)->word & ~named;  \
  },
#define MMDIFF_RELATION_OTHER(record, what, relation, why) nullptr,
#include "state/relations.def"
};

constexpr bool kIsBit[kRelations] = {
#define MMDIFF_RELATION(record, field, relation, why) false,
#define MMDIFF_RELATION_BIT(record, word, bit, mask, relation, why) true,
#define MMDIFF_RELATION_REST(record, word, relation, why) false,
#define MMDIFF_RELATION_OTHER(record, what, relation, why) false,
#include "state/relations.def"
};

std::string RenderFile(uint32_t file) {
  if (file == kNoFile) return "none";
  if (file >= kShmemFile) return absl::StrCat("shmem", file - kShmemFile);
  return absl::StrCat("f", file);
}

}  // namespace

FieldGetter GetterOf(RelationId id) { return kGetters[static_cast<size_t>(id)]; }

std::string RenderField(const State& state, RelationId id, uint64_t value) {
  if (kIsBit[static_cast<size_t>(id)]) return value != 0 ? "set" : "clear";
  const uint32_t v = static_cast<uint32_t>(value);
  switch (id) {
    case RelationId::kvma_end:
    case RelationId::kvma_pgoff:
      return absl::StrFormat("0x%x", v);
    case RelationId::kvma_file:
    case RelationId::kfolio_file:
      return RenderFile(v);
    case RelationId::kpte_kind:
      return PteKindName(static_cast<PteKind>(v));
    case RelationId::kpte_folio:
    case RelationId::kbatch_folio:
      return DescribeFolio(state, v);
    case RelationId::ktlb_folio:
      return v == kNoFolio ? "the zero page" : DescribeFolio(state, v);
    case RelationId::kpte_slot:
    case RelationId::kfolio_slot:
      return v == kNoSlot ? "none" : absl::StrCat(v);
    case RelationId::kfolio_lru:
      return LruListName(static_cast<LruList>(v));
    case RelationId::kfolio_zone:
      return v == 0 ? "normal" : "movable";
    case RelationId::kbatch_tag:
      return MlockTagName(static_cast<MlockTag>(v));
    case RelationId::kpage_content:
    case RelationId::kswap_content:
      return absl::StrFormat("0x%x", value);
    default:
      return absl::StrCat(value);
  }
}

}  // namespace mmdiff
