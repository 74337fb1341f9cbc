#include "program/arg_kinds.h"

#include <algorithm>
#include <bit>

#include "absl/types/span.h"
#include "program/nearest_word.h"
#include "program/words.h"
#include "program/world.h"

namespace mmdiff {
namespace {

struct FlagName {
  uint32_t bit;
  const char* name;
};
constexpr FlagName kMapFlagNames[] = {{kMapShared, "shared"},
                                      {kMapPopulate, "populate"},
                                      {kMapLocked, "locked"},
                                      {kMapFixed, "fixed"},
                                      {kMapNoHuge, "nohuge"}};
constexpr FlagName kGupFlagNames[] = {
    {kGupWrite, "write"}, {kGupLongterm, "longterm"}, {kGupGet, "get"}, {kGupFast, "fast"}};
constexpr FlagName kTtuFlagNames[] = {{kTtuIgnoreMlock, "ignore_mlock"},
                                      {kTtuBatchFlush, "batch_flush"}};

absl::Span<const FlagName> FlagsOf(ArgKind kind) {
  switch (kind) {
    case ArgKind::kMapFlags:
      return kMapFlagNames;
    case ArgKind::kGupFlags:
      return kGupFlagNames;
    case ArgKind::kTtuFlags:
      return kTtuFlagNames;
    default:
      return {};
  }
}

// The character that starts a handle's label, 0 for other kinds.
constexpr char PrefixOf(ArgKind kind) {
  constexpr char kPrefixes[] = {'m', 'f', 'i', 'g', 'p', 'z'};
  static_assert(sizeof(kPrefixes) == kHandleKinds);
  return IsHandle(kind) ? kPrefixes[static_cast<size_t>(kind)] : '\0';
}

constexpr bool HasDefault(ArgKind kind) {
  switch (kind) {
    case ArgKind::kFile:
    case ArgKind::kPgoff:
    case ArgKind::kOrder:
    case ArgKind::kNode:
    case ArgKind::kGupFlags:
    case ArgKind::kTtuFlags:
      return true;
    default:
      return false;
  }
}

constexpr ArgKindDesc MakeKind(ArgKind kind, const char* name, const char* form, const char* doc) {
  return ArgKindDesc{kind,
                     name,
                     form,
                     doc,
                     PrefixOf(kind),
                     HasDefault(kind),
                     kind == ArgKind::kFile ? kNoFile : 0};
}

constexpr std::array<ArgKindDesc, kArgKinds> kKinds = {{
#define MMDIFF_ARG_KIND(Name, text, doc) MakeKind(ArgKind::k##Name, #Name, text, doc),
#include "program/arg_kinds.def"
}};

constexpr const char* kProtNames[] = {"none", "r", nullptr, "rw"};

// Write implies read: there is no write-only page.
uint32_t FixProt(uint32_t bits) { return (bits & kProtWrite) ? (bits | kProtRead) : bits; }

absl::StatusOr<uint32_t> ParseProt(std::string_view word) {
  for (uint32_t prot : {0u, 1u, 3u}) {
    if (word == kProtNames[prot]) return prot;
  }
  return Invalid("expected a protection: none, r or rw",
                 word == "w" ? " (write implies read, so say rw)" : "");
}

absl::StatusOr<uint32_t> ParseFlags(ArgKind kind, std::string_view word) {
  const absl::Span<const FlagName> flags = FlagsOf(kind);
  uint32_t value = 0;
  if (!word.empty() && word.back() == '|') return Invalid("remove the '|' at the end");
  if (kind == ArgKind::kMapFlags) {
    const auto prot = ParseProt(TakePart(&word, '|'));
    if (!prot.ok()) return Invalid("expected none, r or rw first, then flags: ", DescOf(kind).form);
    value = *prot;
    if (word.empty()) return value;
  } else if (word == "0") {
    return value;
  }
  while (true) {
    const bool last = word.find('|') == std::string_view::npos;
    const std::string_view name = TakePart(&word, '|');
    const auto flag =
        std::find_if(flags.begin(), flags.end(), [&](const FlagName& f) { return name == f.name; });
    if (flag == flags.end()) {
      std::vector<std::string_view> known;
      for (const FlagName& f : flags) known.push_back(f.name);
      return Invalid("'", name, "' is no flag of ", DescOf(kind).form, DidYouMean(name, known));
    }
    if (value & flag->bit) return Invalid("flag '", name, "' is given twice");
    value |= flag->bit;
    if (last) return value;
  }
}

// "order=4" or "node=1".
absl::StatusOr<uint32_t> ParseNamed(std::string_view key, std::string_view word) {
  uint32_t value = 0;
  const std::string_view given = TakePart(&word, '=');
  if (given != key || !ReadNumber(word, &value)) {
    return Invalid("expected ", key, "= and a number, such as ", key, "=1");
  }
  return value;
}

void PrintHex(uint32_t value, std::string* out) {
  char digits[16];
  out->append("0x");
  out->append(digits, std::to_chars(digits, digits + sizeof(digits), value, 16).ptr);
}

uint32_t MapCost(uint32_t flags) {
  // rw first, then r, then none; fewer other flags are simpler.
  const uint32_t prot = flags & (kMapRead | kMapWrite);
  const uint32_t prot_cost = prot == 3 ? 0 : prot == 1 ? 1 : prot == 0 ? 2 : 3;
  return static_cast<uint32_t>(std::popcount(flags >> 2)) << 16 | (flags >> 2) << 2 | prot_cost;
}

uint32_t FlagCost(uint32_t flags) {
  return static_cast<uint32_t>(std::popcount(flags)) << 16 | flags;
}

}  // namespace

const ArgKindDesc& DescOf(ArgKind kind) { return kKinds[static_cast<size_t>(kind)]; }
const std::array<ArgKindDesc, kArgKinds>& AllArgKinds() { return kKinds; }

uint32_t HandleCounts::Add(const Op& op) {
  const ArgKind kind = DescOf(op.code).result;
  return kind == ArgKind::kNone ? 0 : n[static_cast<size_t>(kind)]++;
}

HandleCounts HandleCounts::Of(const Program& program, size_t end) {
  HandleCounts counts;
  for (size_t i = 0; i < end; ++i) counts.Add(program.ops[i]);
  return counts;
}

uint32_t FixupArg(ArgKind kind, uint32_t value, const World& world, const HandleCounts& bound) {
  switch (kind) {
    case ArgKind::kFile:
      if (value == kNoFile || bound[kind] == 0) return kNoFile;
      return std::min(value, bound[kind] - 1);
    case ArgKind::kMm:
    case ArgKind::kIso:
    case ArgKind::kMig:
    case ArgKind::kPin:
    case ArgKind::kZap:
      return bound[kind] == 0 ? 0 : std::min(value, bound[kind] - 1);
    case ArgKind::kVpn:
      return value % world.arena();
    case ArgKind::kNpages:
      return value > world.arena() ? value % (world.arena() + 1) : value;
    case ArgKind::kPgoff:
      return value > kMaxArena ? value % (kMaxArena + 1) : value;
    case ArgKind::kOrder:
      return value % (MaxOrder(world) + 1);
    case ArgKind::kNode:
      return value % (world.nodes + 1);
    case ArgKind::kProt:
      return FixProt(value & 3);
    case ArgKind::kMapFlags:
      return FixProt(value & kMapAllFlags);
    case ArgKind::kGupFlags:
      return value & kGupAllFlags;
    case ArgKind::kTtuFlags:
      return value & kTtuAllFlags;
    case ArgKind::kNone:
      return 0;
  }
  return 0;
}

bool ArgIsValid(ArgKind kind, uint32_t value, const World& world, const HandleCounts& bound) {
  if (IsHandle(kind) && kind != ArgKind::kFile && bound[kind] == 0) return false;
  return FixupArg(kind, value, world, bound) == value;
}

std::string ArgExpected(ArgKind kind, const World& world, const HandleCounts& bound) {
  if (IsHandle(kind)) {
    const char prefix[2] = {PrefixOf(kind), '\0'};
    std::string text = Concat("a handle of kind ", DescOf(kind).name, " that is bound before: ");
    if (bound[kind] == 0) {
      text += "none is";
    } else if (bound[kind] == 1) {
      Append(&text, prefix, 0);
    } else {
      Append(&text, prefix, 0, " to ", prefix, bound[kind] - 1);
    }
    if (kind == ArgKind::kFile) text += "; or anon";
    return text;
  }
  switch (kind) {
    case ArgKind::kVpn: {
      std::string text = "a page number from 0 to ";
      PrintHex(world.arena() - 1, &text);
      return Concat(text, ", because the arena has ", world.arena(), " pages");
    }
    case ArgKind::kNpages:
      return Concat("a number of pages from 0 to ", world.arena(), " (the arena)");
    case ArgKind::kPgoff:
      return Concat("a page offset from 0 to ", kMaxArena);
    case ArgKind::kOrder:
      return Concat("an order from 0 to ", MaxOrder(world), ", because a table has ", world.table,
                    " pages");
    case ArgKind::kNode:
      return Concat("a node from 0 to ", world.nodes, " (", world.nodes,
                    " is one past the last, for ENODEV)");
    default:
      return DescOf(kind).form;
  }
}

uint32_t ArgCost(ArgKind kind, uint32_t value) {
  switch (kind) {
    case ArgKind::kFile:
      return value == kNoFile ? 0 : value + 1;
    case ArgKind::kNpages:
      // One page is the simplest range; the empty one comes next.
      return value == 1 ? 0 : value == 0 ? 1 : value;
    case ArgKind::kProt:
      return 3 - value;
    case ArgKind::kMapFlags:
      return MapCost(value);
    case ArgKind::kGupFlags:
    case ArgKind::kTtuFlags:
      return FlagCost(value);
    default:
      return value;
  }
}

void ShrinkArg(ArgKind kind, uint32_t value, const World& world, std::vector<uint32_t>* out) {
  out->clear();
  const auto add = [&](uint32_t candidate) { out->push_back(candidate); };
  switch (kind) {
    case ArgKind::kFile:
      add(kNoFile);
      if (value == kNoFile) break;
      [[fallthrough]];
    case ArgKind::kMm:
    case ArgKind::kIso:
    case ArgKind::kMig:
    case ArgKind::kPin:
    case ArgKind::kZap:
    case ArgKind::kPgoff:
    case ArgKind::kOrder:
    case ArgKind::kNode:
      for (uint32_t small : {0u, 1u, 2u, 3u}) add(small);
      add(value / 2);
      if (value > 0) add(value - 1);
      break;
    case ArgKind::kVpn:
      add(0);
      add(value & (world.table - 1));
      add(value & ~(world.table - 1));
      if (value >= world.table) add(value - world.table);
      for (uint32_t k = MaxOrder(world); k > 0; --k) {
        if (world.orders >> k & 1) add(value & ~((1u << k) - 1));
      }
      add(value / 2);
      if (value > 0) add(value - 1);
      break;
    case ArgKind::kNpages:
      for (uint32_t small : {1u, 0u, 2u}) add(small);
      for (uint32_t k = 1; k <= MaxOrder(world); ++k) {
        if (world.orders >> k & 1) add(1u << k);
      }
      add(world.table);
      add(value / 2);
      if (value > 0) add(value - 1);
      break;
    case ArgKind::kProt:
      add(3);
      add(1);
      break;
    case ArgKind::kMapFlags:
      add(kMapRead | kMapWrite);
      add((value & ~3u) | 3);
      add((value & ~3u) | 1);
      [[fallthrough]];
    case ArgKind::kGupFlags:
    case ArgKind::kTtuFlags:
      add(kind == ArgKind::kMapFlags ? value & 3 : 0);
      for (const FlagName& flag : FlagsOf(kind)) add(value & ~flag.bit);
      break;
    case ArgKind::kNone:
      break;
  }
  const uint32_t cost = ArgCost(kind, value);
  std::erase_if(*out, [&](uint32_t candidate) { return ArgCost(kind, candidate) >= cost; });
  std::sort(out->begin(), out->end(),
            [&](uint32_t a, uint32_t b) { return ArgCost(kind, a) < ArgCost(kind, b); });
  out->erase(std::unique(out->begin(), out->end()), out->end());
}

void PrintArg(ArgKind kind, uint32_t value, std::string* out) {
  switch (kind) {
    case ArgKind::kFile:
      if (value == kNoFile) {
        *out += "anon";
        return;
      }
      [[fallthrough]];
    case ArgKind::kMm:
    case ArgKind::kIso:
    case ArgKind::kMig:
    case ArgKind::kPin:
    case ArgKind::kZap:
      *out += PrefixOf(kind);
      Append(out, value);
      return;
    case ArgKind::kVpn:
      PrintHex(value, out);
      return;
    case ArgKind::kNpages:
    case ArgKind::kPgoff:
      Append(out, value);
      return;
    case ArgKind::kOrder:
      Append(out, "order=", value);
      return;
    case ArgKind::kNode:
      Append(out, "node=", value);
      return;
    case ArgKind::kProt:
      *out += kProtNames[FixProt(value & 3)];
      return;
    case ArgKind::kMapFlags:
    case ArgKind::kGupFlags:
    case ArgKind::kTtuFlags: {
      const size_t start = out->size();
      if (kind == ArgKind::kMapFlags) *out += kProtNames[FixProt(value & 3)];
      for (const FlagName& flag : FlagsOf(kind)) {
        if (value & flag.bit) Append(out, out->size() > start ? "|" : "", flag.name);
      }
      if (out->size() == start) *out += '0';
      return;
    }
    case ArgKind::kNone:
      return;
  }
}

std::string ArgText(ArgKind kind, uint32_t value) {
  std::string text;
  PrintArg(kind, value, &text);
  return text;
}

absl::StatusOr<uint32_t> ParseArg(ArgKind kind, std::string_view word) {
  uint32_t value = 0;
  switch (kind) {
    case ArgKind::kFile:
      if (word == "anon") return kNoFile;
      [[fallthrough]];
    case ArgKind::kMm:
    case ArgKind::kIso:
    case ArgKind::kMig:
    case ArgKind::kPin:
    case ArgKind::kZap:
      if (word.size() > 1 && word[0] == PrefixOf(kind) && word[1] >= '0' && word[1] <= '9' &&
          word.find('x') == std::string_view::npos && ReadNumber(word.substr(1), &value)) {
        return value;
      }
      return Invalid("expected ", DescOf(kind).form, ": ", DescOf(kind).doc);
    case ArgKind::kVpn:
    case ArgKind::kNpages:
    case ArgKind::kPgoff:
      if (ReadNumber(word, &value)) return value;
      return Invalid("expected ", DescOf(kind).doc, ", such as ", DescOf(kind).form);
    case ArgKind::kOrder:
      return ParseNamed("order", word);
    case ArgKind::kNode:
      return ParseNamed("node", word);
    case ArgKind::kProt:
      return ParseProt(word);
    case ArgKind::kMapFlags:
    case ArgKind::kGupFlags:
    case ArgKind::kTtuFlags:
      return ParseFlags(kind, word);
    case ArgKind::kNone:
      break;
  }
  return Invalid("no argument is expected here");
}

}  // namespace mmdiff
