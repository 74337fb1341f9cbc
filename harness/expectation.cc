#include "harness/expectation.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "program/errno.h"
#include "program/nearest_word.h"
#include "program/program.h"
#include "program/text.h"
#include "program/words.h"
#include "state/compare.h"
#include "state/diff.h"

namespace mmdiff {
namespace {

// What an expectation is about, looked up once. Pointers are null where there is nothing.
struct Subject {
  const char* kind = "";
  const State* state = nullptr;
  uint32_t mm_id = 0, vpn = 0;
  const MmState* mm = nullptr;
  const VmaState* vma = nullptr;
  const PteState* pte = nullptr;
  const FolioState* folio = nullptr;
  const PageState* page = nullptr;
  const SwapState* swap = nullptr;
};

using Value = std::optional<uint64_t>;
using Getter = Value (*)(const Subject&);
enum class Form { flag, number, lru, zone, batch };

struct Word {
  const char* subject;
  const char* name;
  Form form;
  const char* doc;
  Getter get;
};

Value PteBit(const Subject& s, uint32_t bit) {
  return s.pte == nullptr ? Value() : Value((s.pte->bits & bit) != 0);
}
Value PteIs(const Subject& s, PteKind kind) { return s.pte != nullptr && s.pte->kind == kind; }
Value VmaBit(const Subject& s, uint32_t bit) {
  return s.vma == nullptr ? Value() : Value((s.vma->flags & bit) != 0);
}
Value FolioBit(const Subject& s, uint32_t bit) {
  return s.folio == nullptr ? Value() : Value((s.folio->flags & bit) != 0);
}
Value Exclusive(const Subject& s) {
  if (s.pte == nullptr) return Value();
  if (s.pte->kind == PteKind::kPresent) return s.page != nullptr && s.page->anon_exclusive != 0;
  return (s.pte->bits & kPteExclusive) != 0;
}
Value Pins(const Subject& s) {
  if (s.folio == nullptr) return Value();
  return s.folio->order > 0 ? s.folio->pincount : s.folio->refcount / kGupPinBias;
}
Value TlbEntries(const Subject& s) {
  uint64_t n = 0;
  for (const TlbState& t : s.state->tlbs) n += t.mm == s.mm_id && t.vpn == s.vpn;
  return n;
}
Value SwapCount(const Subject& s) {
  const SwapState* swap = s.pte != nullptr ? FindSwap(*s.state, s.pte->slot) : nullptr;
  return swap != nullptr ? Value(swap->count) : Value();
}
// The kind of batch the folio waits in, the first by CPU and kind; kBatchKinds if it is in none.
Value BatchOf(const Subject& s) {
  if (s.folio == nullptr) return Value();
  for (const BatchState& b : s.state->batches) {
    if (b.folio == s.folio->id) return static_cast<uint64_t>(b.kind);
  }
  return kBatchKinds;
}
#define FIELD(object, field)                                                              \
  [](const Subject& s) {                                                                  \
    return s.object == nullptr ? Value() : Value(static_cast<uint64_t>(s.object->field)); \
  }

// Words about a folio, which a page-table entry and a page of the page cache share.
#define FOLIO_WORDS(subject)                                                                  \
  {subject, "order", Form::number, "log2 of the folio's pages", FIELD(folio, order)},         \
      {subject, "refcount", Form::number, "references of the folio", FIELD(folio, refcount)}, \
      {subject, "mapcount", Form::number, "entries that map any page of the folio",           \
       FIELD(folio, mapcount)},                                                               \
      {subject, "page_mapcount", Form::number, "entries that map this page",                  \
       FIELD(page, mapcount)},                                                                \
      {subject, "pins", Form::number, "GUP pins of the folio", Pins},                         \
      {subject, "mlock_count", Form::number, "mlock_count of the folio",                      \
       FIELD(folio, mlock_count)},                                                            \
      {subject, "content", Form::number, "the value the page holds", FIELD(page, content)},   \
      {subject, "node", Form::number, "memory node of the folio", FIELD(folio, node)},        \
      {subject, "zone", Form::zone, "normal or movable", FIELD(folio, zone)},                 \
      {subject, "lru", Form::lru,                                                             \
       "none, inactive_anon, active_anon, inactive_file, active_file, unevictable",           \
       FIELD(folio, lru)},                                                                    \
      {subject, "batch", Form::batch,                                                         \
       "the per-CPU batch it waits in: none, lru_add, activate, deactivate, lazyfree, mlock", \
       BatchOf},                                                                              \
      {subject, "anon", Form::flag, "the folio is anonymous",                                 \
       [](const Subject& s) { return FolioBit(s, kFolioAnon); }},                             \
      {subject, "folio_dirty", Form::flag, "the folio is dirty",                              \
       [](const Subject& s) { return FolioBit(s, kFolioDirty); }},                            \
      {subject, "folio_locked", Form::flag, "the folio is locked",                            \
       [](const Subject& s) { return FolioBit(s, kFolioLocked); }},                           \
      {subject, "mlocked", Form::flag, "PG_mlocked",                                          \
       [](const Subject& s) { return FolioBit(s, kFolioMlocked); }},                          \
      {subject, "unevictable", Form::flag, "PG_unevictable",                                  \
       [](const Subject& s) { return FolioBit(s, kFolioUnevictable); }},                      \
      {subject, "on_lru", Form::flag, "PG_lru",                                               \
       [](const Subject& s) { return FolioBit(s, kFolioLru); }},                              \
      {subject, "active", Form::flag, "PG_active",                                            \
       [](const Subject& s) { return FolioBit(s, kFolioActive); }},                           \
      {subject, "referenced", Form::flag, "PG_referenced",                                    \
       [](const Subject& s) { return FolioBit(s, kFolioReferenced); }},                       \
      {subject, "swapbacked", Form::flag, "PG_swapbacked",                                    \
       [](const Subject& s) { return FolioBit(s, kFolioSwapBacked); }},                       \
      {subject, "swapcache", Form::flag, "PG_swapcache",                                      \
       [](const Subject& s) { return FolioBit(s, kFolioSwapCache); }},                        \
      {subject, "partially_mapped", Form::flag, "PG_partially_mapped",                        \
       [](const Subject& s) { return FolioBit(s, kFolioPartiallyMapped); }},                  \
      {subject, "reclaim", Form::flag, "PG_reclaim, of a folio of a file",                    \
       [](const Subject& s) { return FolioBit(s, kFolioReclaim); }},                          \
  {                                                                                           \
    subject, "deferred_split", Form::flag, "on the deferred split queue",                     \
        [](const Subject& s) { return FolioBit(s, kFolioDeferredSplit); }                     \
  }

constexpr const char* kPte = "page-table entry";
constexpr const char* kMm = "process";
constexpr const char* kCache = "page cache";
constexpr const char* kStat = "stat";
constexpr const char* kSwap = "swap slot";

constexpr Word kWords[] = {
    {kPte, "none", Form::flag, "there is no entry",
     [](const Subject& s) { return Value(s.pte == nullptr); }},
    {kPte, "present", Form::flag, "the entry maps a page",
     [](const Subject& s) { return PteIs(s, PteKind::kPresent); }},
    {kPte, "zero", Form::flag, "the entry maps the zero page",
     [](const Subject& s) { return PteIs(s, PteKind::kZero); }},
    {kPte, "swap", Form::flag, "a swap entry",
     [](const Subject& s) { return PteIs(s, PteKind::kSwap); }},
    {kPte, "migration", Form::flag, "a migration entry",
     [](const Subject& s) { return PteIs(s, PteKind::kMigration); }},
    {kPte, "write", Form::flag, "writable; a migration entry of the write kind",
     [](const Subject& s) { return PteBit(s, kPteWrite); }},
    {kPte, "dirty", Form::flag, "dirty", [](const Subject& s) { return PteBit(s, kPteDirty); }},
    {kPte, "young", Form::flag, "young", [](const Subject& s) { return PteBit(s, kPteYoung); }},
    {kPte, "protnone", Form::flag, "PROT_NONE",
     [](const Subject& s) { return PteBit(s, kPteProtNone); }},
    {kPte, "exclusive", Form::flag,
     "the page is anon-exclusive, or the swap or migration entry says so", Exclusive},
    {kPte, "offset", Form::number, "page within the folio", FIELD(pte, offset)},
    {kPte, "slot", Form::number, "slot of a swap entry",
     [](const Subject& s) {
       return s.pte == nullptr || s.pte->slot == kNoSlot ? Value() : Value(s.pte->slot);
     }},
    {kPte, "swap_count", Form::number, "entries that refer to its swap slot", SwapCount},
    {kPte, "tlb", Form::number, "CPUs that hold a translation of the page", TlbEntries},
    {kPte, "vma", Form::flag, "a VMA covers the page",
     [](const Subject& s) { return Value(s.vma != nullptr); }},
    {kPte, "vma_start", Form::number, "start of that VMA", FIELD(vma, start)},
    {kPte, "vma_end", Form::number, "end of that VMA", FIELD(vma, end)},
    {kPte, "vm_read", Form::flag, "VM_READ", [](const Subject& s) { return VmaBit(s, kVmRead); }},
    {kPte, "vm_write", Form::flag, "VM_WRITE",
     [](const Subject& s) { return VmaBit(s, kVmWrite); }},
    {kPte, "vm_shared", Form::flag, "VM_SHARED",
     [](const Subject& s) { return VmaBit(s, kVmShared); }},
    {kPte, "vm_locked", Form::flag, "VM_LOCKED",
     [](const Subject& s) { return VmaBit(s, kVmLocked); }},
    {kPte, "vm_lock_onfault", Form::flag, "VM_LOCKONFAULT",
     [](const Subject& s) { return VmaBit(s, kVmLockOnFault); }},
    {kPte, "vm_dontcopy", Form::flag, "VM_DONTCOPY",
     [](const Subject& s) { return VmaBit(s, kVmDontCopy); }},
    {kPte, "anon_vma", Form::flag, "the VMA has an anon_vma",
     [](const Subject& s) { return s.vma == nullptr ? Value() : Value(s.vma->anon_vma != 0); }},
    FOLIO_WORDS(kPte),

    {kMm, "none", Form::flag, "there is no such process",
     [](const Subject& s) { return Value(s.mm == nullptr); }},
    {kMm, "rss_anon", Form::number, "anonymous pages", FIELD(mm, rss_anon)},
    {kMm, "rss_file", Form::number, "file pages", FIELD(mm, rss_file)},
    {kMm, "rss_shmem", Form::number, "shmem pages", FIELD(mm, rss_shmem)},
    {kMm, "rss_swap", Form::number, "swap entries", FIELD(mm, rss_swap)},
    {kMm, "locked_vm", Form::number, "pages of locked VMAs", FIELD(mm, locked_vm)},
    {kMm, "total_vm", Form::number, "pages of VMAs", FIELD(mm, total_vm)},
    {kMm, "map_count", Form::number, "VMAs", FIELD(mm, map_count)},
    {kMm, "has_pinned", Form::flag, "MMF_HAS_PINNED", FIELD(mm, has_pinned)},
    {kMm, "tlb_flush_pending", Form::flag, "a batched TLB flush is pending",
     FIELD(mm, tlb_flush_pending)},

    {kCache, "none", Form::flag, "the page is not cached",
     [](const Subject& s) { return Value(s.folio == nullptr); }},
    FOLIO_WORDS(kCache),

    {kSwap, "none", Form::flag, "the slot is free",
     [](const Subject& s) { return Value(s.swap == nullptr); }},
    {kSwap, "count", Form::number, "entries that refer to it", FIELD(swap, count)},
    {kSwap, "cached", Form::flag, "the swap cache holds it", FIELD(swap, cached)},
    {kSwap, "content", Form::number, "the value written to it", FIELD(swap, content)},

#define MMDIFF_RELATION(record, field, relation, why) STAT_##record(field)
#define STAT_vma(field)
#define STAT_pte(field)
#define STAT_page(field)
#define STAT_folio(field)
#define STAT_swap(field)
#define STAT_batch(field)
#define STAT_tlb(field)
#define STAT_mm(field)
#define STAT_stat(field)                 \
  {kStat, #field, Form::number, "pages", \
   [](const Subject& s) { return Value(s.state->stats.field); }},
#include "state/relations.def"
};
#undef FIELD
#undef FOLIO_WORDS

ExpectationResult Malformed(std::string message) {
  return {ExpectationVerdict::malformed, std::move(message)};
}

// Folio and page of (file, index) in the page cache.
void LookUpCache(const State& state, uint32_t file, uint32_t index, Subject* s) {
  for (const FolioState& f : state.folios) {
    if (f.file != file || index < f.index || index >= f.index + (1u << f.order)) continue;
    s->folio = &f;
    s->page = FindPage(state, f.id, index - f.index);
    return;
  }
}

// "m0" -> 0 for prefix 'm'.
bool ParseHandle(std::string_view text, char prefix, uint32_t* out) {
  return text.size() > 1 && text[0] == prefix && ReadNumber(text.substr(1), out);
}

// Reads the subject from `tokens` and returns how many it took; 0 if it is not one.
size_t ParseSubject(const std::vector<std::string_view>& tokens, const State& state, Subject* s) {
  s->state = &state;
  uint64_t number = 0;
  const bool two = tokens.size() > 1 && ReadNumber(tokens[1], &number) && number <= kMaxArena;
  if (tokens.empty()) return 0;
  uint32_t handle = 0;
  if (tokens[0] == "stat") {
    s->kind = kStat;
    return 1;
  }
  if (tokens[0] == "swap" && two) {
    s->kind = kSwap;
    s->swap = FindSwap(state, static_cast<uint32_t>(number));
    return 2;
  }
  if (ParseHandle(tokens[0], 'f', &handle) && two) {
    s->kind = kCache;
    LookUpCache(state, handle, static_cast<uint32_t>(number), s);
    return 2;
  }
  if (!ParseHandle(tokens[0], 'm', &handle)) return 0;
  s->mm_id = handle;
  s->mm = FindMm(state, handle);
  if (!two) {
    s->kind = kMm;
    return 1;
  }
  s->kind = kPte;
  s->vpn = static_cast<uint32_t>(number);
  s->vma = FindVma(state, handle, s->vpn);
  s->pte = FindPte(state, handle, s->vpn);
  if (s->pte != nullptr && s->pte->folio != kNoFolio) {
    s->folio = FindFolio(state, s->pte->folio);
    s->page = FindPage(state, s->pte->folio, s->pte->offset);
  }
  return 2;
}

std::string HexText(uint64_t value) {
  char digits[24];
  return "0x" + std::string(digits, std::to_chars(digits, digits + sizeof(digits), value, 16).ptr);
}

std::string Join(const std::vector<std::string_view>& words, const char* separator) {
  std::string out;
  for (const std::string_view w : words) Append(&out, out.empty() ? "" : separator, w);
  return out;
}

std::string ValueName(Form form, Value value) {
  if (!value) return "nothing";
  switch (form) {
    case Form::lru:
      return LruListName(static_cast<LruList>(*value));
    case Form::zone:
      return *value == 0 ? "normal" : "movable";
    case Form::batch:
      return *value == kBatchKinds ? "none" : BatchKindName(static_cast<BatchKind>(*value));
    case Form::flag:
      return *value != 0 ? "set" : "clear";
    case Form::number:
      break;
  }
  return *value >= 0x10000 ? HexText(*value) : Concat(*value);
}

// Names that a word of this form may be given.
std::vector<std::string_view> NamesOf(Form form) {
  std::vector<std::string_view> names;
  if (form == Form::lru) {
    for (int i = 0; i <= static_cast<int>(LruList::kUnevictable); ++i) {
      names.push_back(LruListName(static_cast<LruList>(i)));
    }
  } else if (form == Form::zone) {
    names = {"normal", "movable"};
  } else {
    names = {"none"};
    for (uint32_t i = 0; i < kBatchKinds; ++i)
      names.push_back(BatchKindName(static_cast<BatchKind>(i)));
  }
  return names;
}

const Word* FindWord(const char* subject, std::string_view name) {
  for (const Word& w : kWords) {
    if (std::string_view(w.subject) == subject && name == w.name) return &w;
  }
  return nullptr;
}

ExpectationResult UnknownWord(const Subject& s, std::string_view name) {
  std::vector<std::string_view> known;
  for (const Word& w : kWords) {
    if (std::string_view(w.subject) == s.kind) known.emplace_back(w.name);
  }
  return Malformed(Concat("unknown word '", name, "' about a ", s.kind, DidYouMean(name, known),
                          "; known are ", Join(known, " ")));
}

ExpectationResult EvaluateWord(const Subject& s, std::string_view token) {
  const bool negated = !token.empty() && token[0] == '!';
  if (negated) token.remove_prefix(1);
  const size_t eq = token.find('=');
  const std::string_view name = token.substr(0, eq);
  const Word* w = FindWord(s.kind, name);
  if (w == nullptr) return UnknownWord(s, name);
  const bool is_flag = w->form == Form::flag;
  if (is_flag && eq != std::string_view::npos) {
    return Malformed(Concat("'", name, "' is a flag: write '", name, "' or '!", name, "'"));
  }
  if (!is_flag && eq == std::string_view::npos) {
    return Malformed(Concat("'", name, "' needs a value: '", name, "=...'"));
  }
  const Value value = w->get(s);
  if (is_flag) {
    if ((value.value_or(0) != 0) != negated) return {};
    return {ExpectationVerdict::fails, Concat("expected ", negated ? "no " : "", name)};
  }
  const std::string_view text = token.substr(eq + 1);
  bool same = false;
  if (w->form == Form::number) {
    uint64_t want = 0;
    if (!ReadNumber(text, &want)) {
      return Malformed(
          Concat("'", text, "' is not a number: write '", name, "=12' or '", name, "=0x40'"));
    }
    same = value == Value(want);
  } else {
    const std::vector<std::string_view> names = NamesOf(w->form);
    if (std::find(names.begin(), names.end(), text) == names.end()) {
      return Malformed(Concat("'", name, "=' knows ", Join(names, ", "), "; not '", text, "'"));
    }
    same = value.has_value() && ValueName(w->form, value) == text;
  }
  if (same != negated) return {};
  return {ExpectationVerdict::fails,
          Concat("expected ", negated ? "!" : "", token, ", it is ", ValueName(w->form, value))};
}

// What is there, for the message of a failure.
std::string Describe(const Subject& s) {
  if (std::string_view(s.kind) == kMm) return s.mm != nullptr ? RenderMm(*s.mm) : "no such process";
  if (std::string_view(s.kind) == kStat) return RenderStat(s.state->stats);
  if (std::string_view(s.kind) == kSwap)
    return s.swap != nullptr ? RenderSwap(*s.swap) : "a free slot";
  std::string out;
  if (std::string_view(s.kind) == kPte) out = s.pte != nullptr ? RenderPte(*s.pte) : "no entry";
  if (s.page != nullptr) Append(&out, out.empty() ? "" : "; ", "page ", RenderPage(*s.page));
  if (s.folio != nullptr) Append(&out, out.empty() ? "" : "; ", "folio ", RenderFolio(*s.folio));
  return out.empty() ? "not cached" : out;
}

ExpectationResult EvaluateResult(std::string_view text, const OpResult& result) {
  int32_t err = 0;
  bool has_value = false;
  uint32_t value = 0;
  if (!ParseResultText(text, &err, &has_value, &value)) {
    return Malformed("a result is written '=> ok', '=> ok 3' or '=> ENOMEM'");
  }
  if (err == result.err && (!has_value || value == result.value || result.value_unknown)) return {};
  return {ExpectationVerdict::fails,
          Concat("it answered ", ErrnoText(result.err), " ", result.value)};
}

}  // namespace

bool ExpectsState(std::string_view text) { return !text.empty() && text[0] == '?'; }

ExpectationResult EvaluateExpectation(std::string_view text, const OpResult& result,
                                      const State& state) {
  if (!ExpectsState(text)) return EvaluateResult(text, result);
  std::vector<std::string_view> tokens;
  text.remove_prefix(1);
  for (std::string_view word; !(word = TakeWord(&text)).empty();) tokens.push_back(word);
  Subject subject;
  const size_t taken = ParseSubject(tokens, state, &subject);
  if (taken == 0) {
    return Malformed(
        "a question starts with what it asks about: '? m0 0x40', '? m0', '? f0 3', '? swap 5' or "
        "'? stat'");
  }
  if (taken == tokens.size())
    return Malformed("it asks nothing: add a word, as in '? m0 0x40 present'");
  for (size_t i = taken; i < tokens.size(); ++i) {
    ExpectationResult r = EvaluateWord(subject, tokens[i]);
    if (r.verdict == ExpectationVerdict::fails) {
      Append(&r.message, " (", Describe(subject), ")");
    }
    if (r.verdict != ExpectationVerdict::holds) return r;
  }
  return {};
}

const std::vector<ExpectationWord>& ExpectationWords() {
  static const auto* words = [] {
    auto* v = new std::vector<ExpectationWord>;
    for (const Word& w : kWords) v->push_back({w.subject, w.name, w.doc});
    return v;
  }();
  return *words;
}

}  // namespace mmdiff
