#include "harness/signature.h"

#include <algorithm>
#include <string>

#include "program/program.h"
#include "program/words.h"
#include "state/compare.h"
#include "state/digest.h"

namespace mmdiff {
namespace {

constexpr size_t kMaxText = 120;

uint64_t HashText(std::string_view text) {
  uint64_t h = Mix(0x51, text.size());
  for (const char c : text) h = Mix(h, static_cast<unsigned char>(c));
  return h;
}

std::string JoinParts(const std::vector<std::string>& parts, const char* separator) {
  std::string out;
  for (const std::string& part : parts) {
    if (!part.empty()) Append(&out, out.empty() ? "" : separator, part);
  }
  return out;
}

Signature Make(std::vector<std::string> parts, const std::string& partition = "") {
  Signature s;
  s.what = HashText(JoinParts(parts, "-"));
  parts.push_back(partition);
  const std::string all = JoinParts(parts, "-");
  s.hash = HashText(all);
  s.text = all.substr(0, kMaxText);
  return s;
}

// A relation keeps its dot: "pte.write".
std::string RelationSlug(std::string_view relation) {
  const size_t dot = relation.find('.');
  if (dot == std::string_view::npos) return Slug(relation, 40);
  return Concat(Slug(relation.substr(0, dot), 20), ".", Slug(relation.substr(dot + 1), 20));
}

std::string PartitionSlug(const std::vector<std::vector<std::string>>& partition) {
  std::string out;
  for (const auto& group : partition) {
    std::string names;
    for (const std::string& name : group) Append(&names, names.empty() ? "" : "_", Slug(name, 40));
    if (!names.empty()) Append(&out, out.empty() ? "" : "_vs_", names);
  }
  return out;
}

// Names of sets of classes, each at most once and in a fixed order.
class Classes {
 public:
  void Add(const char* name, bool is = true) {
    if (is && std::find(names_.begin(), names_.end(), name) == names_.end())
      names_.emplace_back(name);
  }
  std::vector<std::string> Take() {
    std::sort(names_.begin(), names_.end());
    return std::move(names_);
  }

 private:
  std::vector<std::string> names_;
};

void AddFolio(const State& state, uint32_t id, Classes* out) {
  const FolioState* f = FindFolio(state, id);
  if (f == nullptr) return;
  if (f->file == kNoFile) {
    out->Add((f->flags & kFolioAnon) != 0 ? "anon" : "new");
  } else {
    out->Add(f->file >= kShmemFile ? "shmem" : "file");
  }
  out->Add(f->order > 0 ? "large" : "small");
  out->Add("swapcache", (f->flags & kFolioSwapCache) != 0);
  out->Add("lazyfree", (f->flags & kFolioAnon) != 0 && (f->flags & kFolioSwapBacked) == 0);
  out->Add("mlocked", (f->flags & kFolioMlocked) != 0);
  out->Add("pinned", f->order > 0 ? f->pincount > 0 : f->refcount >= kGupPinBias);
}

void AddVma(const VmaState* vma, Classes* out) {
  if (vma == nullptr) return;
  out->Add("locked_vma", (vma->flags & kVmLocked) != 0);
  out->Add("shared_vma", (vma->flags & kVmShared) != 0);
}

void AddPte(const State& state, uint32_t mm, uint32_t vpn, Classes* out) {
  const VmaState* vma = FindVma(state, mm, vpn);
  AddVma(vma, out);
  const PteState* pte = FindPte(state, mm, vpn);
  if (pte == nullptr) return;
  out->Add("zero", pte->kind == PteKind::kZero);
  out->Add("swap", pte->kind == PteKind::kSwap);
  out->Add("migration", pte->kind == PteKind::kMigration);
  if (pte->folio != kNoFolio) AddFolio(state, pte->folio, out);
}

void AddBatch(const State& state, const RecordKey& key, Classes* out) {
  for (const BatchState& b : state.batches) {
    if (b.cpu == key.k0 && static_cast<uint32_t>(b.kind) == key.k1 && b.position == key.k2) {
      AddFolio(state, b.folio, out);
    }
  }
}

void AddObject(const State& state, const RecordKey& key, Classes* out) {
  switch (key.record) {
    case Record::pte:
      AddPte(state, key.k0, key.k1, out);
      break;
    case Record::tlb:
      AddPte(state, key.k1, key.k2, out);
      break;
    case Record::vma:
      AddVma(FindVma(state, key.k0, key.k1), out);
      break;
    case Record::page:
    case Record::folio:
      AddFolio(state, key.k0, out);
      break;
    case Record::batch:
      AddBatch(state, key, out);
      break;
    case Record::swap:
      for (const FolioState& f : state.folios) {
        if (f.slot != kNoSlot && key.k0 >= f.slot && key.k0 < f.slot + (1u << f.order)) {
          AddFolio(state, f.id, out);
        }
      }
      break;
    default:
      break;  // processes and statistics are of one class
  }
}

// What an operation was about, for differences that lie in no record: the page it names.
bool ObjectOfOp(const Op& op, RecordKey* key) {
  const OpDesc& desc = DescOf(op.code);
  bool has_mm = false, has_vpn = false;
  key->record = Record::pte;
  for (size_t i = 0; i < desc.nargs; ++i) {
    if (desc.args[i].kind == ArgKind::kMm && !has_mm) {
      key->k0 = op.arg[i];
      has_mm = true;
    }
    if (desc.args[i].kind == ArgKind::kVpn && !has_vpn) {
      key->k1 = op.arg[i];
      has_vpn = true;
    }
  }
  return has_mm && has_vpn;
}

bool IsSafe(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

std::string Slug(std::string_view text, size_t max) {
  std::string out;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (IsSafe(c)) {
      out += c;
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
    if (out.size() >= max) break;
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  return out;
}

std::string Signature::FileName() const {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = text + "-";
  for (int shift = 28; shift >= 0; shift -= 4) out += kHex[(hash >> shift) & 15];
  return out;
}

bool ObjectOf(const Divergence& divergence, RecordKey* key) {
  if (divergence.compare.diffs.empty()) return ObjectOfOp(divergence.op, key);
  *key = divergence.compare.diffs.front().key;
  if (key->record != Record::result && key->record != Record::choice) return true;
  *key = RecordKey{};
  return ObjectOfOp(divergence.op, key);
}

std::vector<std::string> ObjectClasses(const Divergence& divergence, const FieldDiff& diff) {
  // The side on which the object is richer says more, so both are asked.
  Classes classes;
  RecordKey key = diff.key;
  if (key.record == Record::result || key.record == Record::choice) {
    if (!ObjectOfOp(divergence.op, &key)) return {};
  }
  AddObject(divergence.state_a, key, &classes);
  AddObject(divergence.state_b, key, &classes);
  return classes.Take();
}

Signature SignatureOf(const RunResult& result) {
  const Divergence& d = result.divergence;
  switch (result.outcome) {
    case RunOutcome::ok:
      return {};
    case RunOutcome::divergence: {
      const std::string classes =
          d.compare.diffs.empty() ? "" : JoinParts(ObjectClasses(d, d.compare.diffs.front()), "_");
      std::string why;
      // Which choice it was, and the condition it broke, tell bugs apart.
      if (!d.compare.diffs.empty() && d.compare.diffs.front().key.record == Record::choice) {
        why = Slug(d.compare.diffs.front().b.substr(0, d.compare.diffs.front().b.find('(')), 30);
      }
      return Make({RelationSlug(d.relation), DescOf(d.op.code).name, why, classes},
                  PartitionSlug(d.partition));
    }
    case RunOutcome::invariant: {
      return Make({"invariant_" + Slug(d.relation, 40), DescOf(d.op.code).name},
                  PartitionSlug(d.partition));
    }
    case RunOutcome::expectation: {
      const size_t quote = result.message.find('`');
      const std::string_view text = std::string_view(result.message).substr(quote + 1);
      return Make({"expectation", Slug(text.substr(0, text.find('`')), 60)});
    }
    case RunOutcome::harness_fault:
      return Make({"fault", Slug(result.message.substr(0, result.message.find(':')), 40)});
  }
  return {};
}

Signature CrashSignature(std::string_view signal_name, std::string_view op) {
  return Make({"crash", std::string(signal_name), std::string(op)});
}

Signature SanitizerSignature(std::string_view sanitizer, std::string_view kind,
                             std::string_view op) {
  // Sanitizers name their findings with dashes, which stay: "heap-use-after-free".
  std::string name;
  for (std::string_view rest = kind; !rest.empty();) {
    const std::string part = Slug(TakePart(&rest, '-'), 40);
    if (!part.empty()) Append(&name, name.empty() ? "" : "-", part);
  }
  return Make({Slug(sanitizer, 10), name.substr(0, 60), std::string(op)});
}

Signature BugSignature(std::string_view assert_text, std::string_view op) {
  return Make({"bug", Slug(assert_text, 60), std::string(op)});
}

Signature HangSignature(std::string_view op) { return Make({"hang", std::string(op)}); }

}  // namespace mmdiff
