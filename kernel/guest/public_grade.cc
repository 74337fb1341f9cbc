#include "kernel/guest/public_grade.h"

#include "kernel/guest/images.h"

namespace mmdiff {
namespace {

// What is not seen. A record whose presence is not seen is compared where both have it.
constexpr RelationId kUnseen[] = {
    // Nobody tells; what the guest knows of them it says (kernel/guest/init/told.c).
    RelationId::kchoice_refused,
    RelationId::kchoice_left_over,
    RelationId::kchoice_overflow,
    // smaps does not say it.
    RelationId::kvma_file,
    RelationId::kvma_pgoff,
    RelationId::kvma_anon_vma,
    // Of the pages of a large folio io_uring keeps one pin. A pin that ends early is tried several
    // times, which marks its pages accessed more than once.
    RelationId::kfolio_refcount,
    RelationId::kfolio_pincount,
    RelationId::kfolio_dirty,
    RelationId::kfolio_referenced,
    RelationId::kfolio_active,
    // The kernel names slots, and whoever looks cannot know what it was at.
    RelationId::kpte_slot,
    // Folios are found through page tables: those that nothing maps are not found.
    RelationId::kpage_present,
    RelationId::kfolio_present,
    RelationId::kfolio_file,
    RelationId::kfolio_index,
    RelationId::kfolio_slot,
    RelationId::kfolio_lru,
    RelationId::kfolio_deferred_split,
    // A folio that has been migrated is marked by some versions and by others not.
    RelationId::kfolio_partially_mapped,
    RelationId::kswap_present,
    RelationId::kswap_count,
    RelationId::kswap_cached,
    RelationId::kswap_content,
    RelationId::kbatch_present,
    RelationId::kbatch_folio,
    RelationId::kbatch_tag,
    RelationId::ktlb_present,
    RelationId::ktlb_folio,
    RelationId::ktlb_offset,
    RelationId::ktlb_write,
    RelationId::ktlb_dirty,
    RelationId::kmm_rss_anon,
    RelationId::kmm_rss_file,
    RelationId::kmm_rss_shmem,
    RelationId::kmm_rss_swap,
    RelationId::kmm_has_pinned,
    RelationId::kmm_tlb_flush_pending,
    // Of all that runs in the guest, not of the program.
    RelationId::kstat_nr_anon_mapped,
    RelationId::kstat_nr_file_mapped,
    RelationId::kstat_nr_mlock,
    RelationId::kstat_nr_isolated_anon,
    RelationId::kstat_nr_isolated_file,
    RelationId::kstat_nr_inactive_anon,
    RelationId::kstat_nr_active_anon,
    RelationId::kstat_nr_inactive_file,
    RelationId::kstat_nr_active_file,
    RelationId::kstat_nr_unevictable,
    RelationId::kstat_nr_allocated,
};

// Before this version a folio that waited in a batch had no LRU flag, so that no second batch took
// it, and a long-term pin went by that flag.
constexpr std::string_view kBatchesKeepLruFlag = "6.16.12";
constexpr RelationId kOfBatchedFolios[] = {
    RelationId::kfolio_lru_flag,
    RelationId::kfolio_unevictable,
    RelationId::kfolio_mlock_count,
    RelationId::kfolio_swapbacked,
};

struct Call {
  Opcode code;
  const char* text;
};
constexpr Call kCalls[] = {
#define MMDIFF_CALL(op, text) {Opcode::op, text},
#include "kernel/guest/init/calls.def"
};

}  // namespace

const char* PublicCall(Opcode code) {
  for (const Call& call : kCalls) {
    if (call.code == code) return call.text;
  }
  return "";
}

OpcodeSet PublicLacks() {
  OpcodeSet lacks;
  lacks.set();
  for (const Call& call : kCalls) lacks.reset(static_cast<size_t>(call.code));
  return lacks;
}

RelationSet PublicSight(std::string_view version) {
  RelationSet sight = EveryRelation();
  for (const RelationId id : kUnseen) sight.reset(static_cast<size_t>(id));
  if (OlderVersion(version, kBatchesKeepLruFlag)) {
    for (const RelationId id : kOfBatchedFolios) sight.reset(static_cast<size_t>(id));
  }
  return sight;
}

void AddPublicDemands(WorldDemands* demands) {
  demands->no_swap = true;
  demands->pin_flags = kGupWrite | kGupLongterm | kGupFast;
  demands->no_map_flags = kMapNoHuge;
}

}  // namespace mmdiff
