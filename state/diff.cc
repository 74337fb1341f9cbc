#include "state/diff.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "program/program.h"
#include "state/field.h"

namespace mmdiff {
namespace {

struct BitName {
  uint32_t mask;
  const char* name;
};
// Names of the bits of a word, as relations.def gives them.
const std::vector<BitName>& VmaBits() {
  static const auto* bits = new std::vector<BitName>{
#define MMDIFF_RELATION_BIT(record, word, bit, mask, relation, why) \
  {Record::record == Record::vma ? static_cast<uint32_t>(mask) : 0, #bit},
#include "state/relations.def"
  };
  return *bits;
}
const std::vector<BitName>& PteBitNames() {
  static const auto* bits = new std::vector<BitName>{
#define MMDIFF_RELATION_BIT(record, word, bit, mask, relation, why) \
  {Record::record == Record::pte ? static_cast<uint32_t>(mask) : 0, #bit},
#include "state/relations.def"
  };
  return *bits;
}
const std::vector<BitName>& FolioBits() {
  static const auto* bits = new std::vector<BitName>{
#define MMDIFF_RELATION_BIT(record, word, bit, mask, relation, why) \
  {Record::record == Record::folio ? static_cast<uint32_t>(mask) : 0, #bit},
#include "state/relations.def"
  };
  return *bits;
}

// "write|dirty", with bits that have no name in hex; "-" for none.
std::string BitText(uint32_t word, const std::vector<BitName>& names) {
  std::vector<std::string> parts;
  for (const BitName& n : names) {
    if (n.mask != 0 && (word & n.mask) != 0) {
      parts.emplace_back(n.name);
      word &= ~n.mask;
    }
  }
  if (word != 0) parts.push_back(absl::StrFormat("0x%x", word));
  return parts.empty() ? "-" : absl::StrJoin(parts, "|");
}

std::string FileText(uint32_t file) {
  if (file == kNoFile) return "anon";
  if (file >= kShmemFile) return absl::StrCat("shmem", file - kShmemFile);
  return absl::StrCat("f", file);
}

std::string FolioText(uint32_t folio) {
  if (folio == kNoFolio) return "no folio";
  if (folio >= 0x80000000u) return "a folio that does not exist";
  return absl::StrCat("folio ", folio);
}

std::string RenderRecord(const MmState& r) { return RenderMm(r); }
std::string RenderRecord(const VmaState& r) { return RenderVma(r); }
std::string RenderRecord(const PteState& r) { return RenderPte(r); }
std::string RenderRecord(const FolioState& r) { return RenderFolio(r); }
std::string RenderRecord(const PageState& r) { return RenderPage(r); }
std::string RenderRecord(const SwapState& r) { return RenderSwap(r); }
std::string RenderRecord(const BatchState& r) { return RenderBatch(r); }
std::string RenderRecord(const TlbState& r) { return RenderTlb(r); }

struct Row {
  std::string where, a, b;
};

// Columns as wide as their widest cell, but a value longer than kWide starts the next line.
constexpr size_t kWide = 48;
std::string Table(const Row& head, const std::vector<Row>& rows) {
  size_t w = head.where.size(), wa = head.a.size();
  for (const Row& r : rows) {
    w = std::max(w, r.where.size());
    wa = std::max(wa, std::min(r.a.size(), kWide));
  }
  std::string out;
  const auto line = [&](const Row& r) {
    if (r.a.size() <= wa) {
      absl::StrAppendFormat(&out, "%-*s  %-*s  %s\n", static_cast<int>(w), r.where,
                            static_cast<int>(wa), r.a, r.b);
    } else {
      absl::StrAppendFormat(&out, "%-*s  %s\n", static_cast<int>(w), r.where, r.a);
      absl::StrAppendFormat(&out, "%-*s  %s\n", static_cast<int>(w + 2 + wa), "", r.b);
    }
  };
  line(head);
  for (const Row& r : rows) line(r);
  return out;
}

}  // namespace

const char* PteKindName(PteKind kind) {
  switch (kind) {
    case PteKind::kNone:
      return "none";
    case PteKind::kPresent:
      return "present";
    case PteKind::kZero:
      return "zero";
    case PteKind::kSwap:
      return "swap";
    case PteKind::kMigration:
      return "migration";
  }
  return "?";
}

const char* LruListName(LruList lru) {
  switch (lru) {
    case LruList::kNone:
      return "none";
    case LruList::kInactiveAnon:
      return "inactive_anon";
    case LruList::kActiveAnon:
      return "active_anon";
    case LruList::kInactiveFile:
      return "inactive_file";
    case LruList::kActiveFile:
      return "active_file";
    case LruList::kUnevictable:
      return "unevictable";
  }
  return "?";
}

const char* BatchKindName(BatchKind kind) {
  switch (kind) {
    case BatchKind::kLruAdd:
      return "lru_add";
    case BatchKind::kActivate:
      return "activate";
    case BatchKind::kDeactivate:
      return "deactivate";
    case BatchKind::kLazyfree:
      return "lazyfree";
    case BatchKind::kMlock:
      return "mlock";
  }
  return "?";
}

const char* MlockTagName(MlockTag tag) {
  switch (tag) {
    case MlockTag::kNone:
      return "none";
    case MlockTag::kLru:
      return "lru";
    case MlockTag::kNew:
      return "new";
  }
  return "?";
}

std::string RenderMm(const MmState& r) {
  return absl::StrFormat(
      "rss_anon=%u rss_file=%u rss_shmem=%u rss_swap=%u locked_vm=%u total_vm=%u map_count=%u%s%s",
      r.rss_anon, r.rss_file, r.rss_shmem, r.rss_swap, r.locked_vm, r.total_vm, r.map_count,
      r.has_pinned != 0 ? " has_pinned" : "", r.tlb_flush_pending != 0 ? " tlb_flush_pending" : "");
}

std::string RenderVma(const VmaState& r) {
  return absl::StrFormat("end=0x%x %s %s pgoff=0x%x%s", r.end, BitText(r.flags, VmaBits()),
                         FileText(r.file), r.pgoff, r.anon_vma != 0 ? " anon_vma" : "");
}

std::string RenderPte(const PteState& r) {
  std::string out = PteKindName(r.kind);
  if (r.bits != 0) absl::StrAppend(&out, " ", BitText(r.bits, PteBitNames()));
  if (r.folio != kNoFolio) absl::StrAppend(&out, " ", FolioText(r.folio), " page ", r.offset);
  if (r.slot != kNoSlot) absl::StrAppend(&out, " slot=", r.slot);
  return out;
}

std::string RenderFolio(const FolioState& r) {
  std::string out = absl::StrFormat("order=%u %s refcount=%u mapcount=%u", r.order,
                                    BitText(r.flags, FolioBits()), r.refcount, r.mapcount);
  if (r.pincount != 0) absl::StrAppend(&out, " pincount=", r.pincount);
  if (r.mlock_count != 0) absl::StrAppend(&out, " mlock_count=", r.mlock_count);
  absl::StrAppend(&out, " lru=", LruListName(r.lru));
  if (r.file != kNoFile) absl::StrAppend(&out, " file=", FileText(r.file), " index=", r.index);
  if (r.slot != kNoSlot) absl::StrAppend(&out, " slot=", r.slot);
  absl::StrAppend(&out, " node=", r.node, r.zone == ZoneKind::kNormal ? " normal" : " movable");
  return out;
}

std::string RenderPage(const PageState& r) {
  return absl::StrFormat("content=0x%x mapcount=%u%s", r.content, r.mapcount,
                         r.anon_exclusive != 0 ? " anon_exclusive" : "");
}

std::string RenderSwap(const SwapState& r) {
  return absl::StrFormat("count=%u%s content=0x%x", r.count, r.cached != 0 ? " cached" : "",
                         r.content);
}

std::string RenderBatch(const BatchState& r) {
  std::string out = FolioText(r.folio);
  if (r.kind == BatchKind::kMlock) absl::StrAppend(&out, " tag=", MlockTagName(r.tag));
  return out;
}

std::string RenderTlb(const TlbState& r) {
  std::string out =
      r.folio == kNoFolio ? "the zero page" : absl::StrCat(FolioText(r.folio), " page ", r.offset);
  if (r.write != 0) absl::StrAppend(&out, " write");
  if (r.dirty != 0) absl::StrAppend(&out, " dirty");
  return out;
}

std::string RenderStat(const StatState& r) {
  return absl::StrFormat(
      "anon_mapped=%u file_mapped=%u mlock=%u allocated=%u isolated_anon=%u isolated_file=%u "
      "inactive_anon=%u active_anon=%u inactive_file=%u active_file=%u unevictable=%u",
      r.nr_anon_mapped, r.nr_file_mapped, r.nr_mlock, r.nr_allocated, r.nr_isolated_anon,
      r.nr_isolated_file, r.nr_inactive_anon, r.nr_active_anon, r.nr_inactive_file,
      r.nr_active_file, r.nr_unevictable);
}

std::string RenderState(const State& state) {
  std::string out;
  size_t kind = 0;
  ForEachArray(state, state, [&](const auto& records, const auto&) {
    if (!records.empty() && kind++ > 0) out += '\n';
    for (const auto& r : records) {
      absl::StrAppend(&out, DescribeKey(state, KeyOf(r)), ": ", RenderRecord(r), "\n");
    }
  });
  absl::StrAppend(&out, kind > 0 ? "\n" : "", "statistics: ", RenderStat(state.stats), "\n");
  return out;
}

std::string RenderDiff(const State& a, const State& b, std::string_view name_a,
                       std::string_view name_b) {
  std::vector<Row> rows;
  ForEachArray(a, b, [&](const auto& ra, const auto& rb) {
    if (ra == rb) return;
    MergeByKey(
        ra, rb,
        [&](const auto& x, const auto& y) {
          if (!(x == y))
            rows.push_back({DescribeKey(a, KeyOf(x)), RenderRecord(x), RenderRecord(y)});
        },
        [&](const auto& x) {
          rows.push_back({DescribeKey(a, KeyOf(x)), RenderRecord(x), "absent"});
        },
        [&](const auto& y) {
          rows.push_back({DescribeKey(b, KeyOf(y)), "absent", RenderRecord(y)});
        });
  });
  if (!(a.stats == b.stats))
    rows.push_back({"statistics", RenderStat(a.stats), RenderStat(b.stats)});
  if (rows.empty()) return "";
  return Table({"", std::string(name_a), std::string(name_b)}, rows);
}

std::string RenderFieldDiffs(const CompareResult& result, std::string_view name_a,
                             std::string_view name_b) {
  if (result.diffs.empty()) return "";
  std::vector<Row> rows;
  for (const FieldDiff& d : result.diffs) {
    rows.push_back({absl::StrCat(d.where, "  ", d.name()), d.a, d.b});
  }
  std::string out = Table({"", std::string(name_a), std::string(name_b)}, rows);
  if (result.more > 0) absl::StrAppend(&out, "and ", result.more, " more fields\n");
  return out;
}

}  // namespace mmdiff
