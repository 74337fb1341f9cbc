#include "program/carry.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "program/arg_kinds.h"
#include "program/fixup.h"
#include "program/words.h"
#include "program/world.h"

namespace mmdiff {
namespace {

// Where the ranges that a program names go.
class Layout {
 public:
  Layout(const World& from, const World& to) : from_(from), to_(to) {}

  void Add(uint32_t first, uint32_t last) { ranges_.push_back({first, last}); }
  // Chooses the places of all ranges added, and how many tables the new world has.
  absl::Status Settle();
  // Of a page of a range that was added.
  uint32_t Of(uint32_t page) const {
    const auto group = std::upper_bound(groups_.begin(), groups_.end(), page,
                                        [](uint32_t p, const Group& g) { return p < g.first; });
    return static_cast<uint32_t>(page + (group - 1)->shift);
  }
  uint32_t tables() const { return to_.tables; }

 private:
  struct Range {
    uint32_t first, last;
  };
  // Ranges that overlap or touch, as far as they are connected.
  struct Group {
    uint32_t first, last;
    uint32_t boundary = 0;  // the number of the table boundary that it keeps its distance to
    int64_t shift = 0;
  };

  void MakeGroups();
  void ChooseBoundaries();
  absl::Status Place(bool renumber);
  bool PastArena(const Group& g) const { return g.last >= from_.arena(); }

  const World& from_;
  World to_;
  std::vector<Range> ranges_;
  std::vector<Group> groups_;  // ascending
};

void Layout::MakeGroups() {
  std::sort(ranges_.begin(), ranges_.end(),
            [](const Range& a, const Range& b) { return a.first < b.first; });
  for (const Range& range : ranges_) {
    if (groups_.empty() || range.first > groups_.back().last + 1) {
      groups_.push_back({range.first, range.last});
    } else {
      groups_.back().last = std::max(groups_.back().last, range.last);
    }
  }
}

void Layout::ChooseBoundaries() {
  const uint32_t table = from_.table;
  if (groups_.empty()) return;
  // By number of the boundary: how many ranges cross it.
  std::vector<int32_t> crossed(groups_.back().last / table + 2);
  for (const Range& range : ranges_) {
    ++crossed[range.first / table + 1];
    --crossed[range.last / table + 1];
  }
  for (size_t i = 1; i < crossed.size(); ++i) crossed[i] += crossed[i - 1];
  for (Group& g : groups_) {
    const uint32_t first = g.first / table, last = g.last / table;
    if (PastArena(g)) {
      g.boundary = from_.tables;
    } else if (first != last) {
      const auto best = std::max_element(crossed.begin() + first + 1, crossed.begin() + last + 1);
      g.boundary = static_cast<uint32_t>(best - crossed.begin());
    } else {
      const bool upper = table - 1 - g.last % table < g.first % table;
      g.boundary = first + (upper ? 1 : 0);
    }
  }
}

// Boundaries keep their numbers; with `renumber` only their order, and whether they are next to
// each other.
absl::Status Layout::Place(bool renumber) {
  uint32_t old = 0, number = 0;
  const Group* before = nullptr;
  for (Group& g : groups_) {
    number = renumber ? number + std::min(g.boundary - old, 2u) : g.boundary;
    old = g.boundary;
    if (PastArena(g)) number = to_.tables;
    g.shift = int64_t{number} * to_.table - int64_t{g.boundary} * from_.table;
    const int64_t first = g.first + g.shift, end = g.last + g.shift + 1;
    if (first < 0 || (before != nullptr && first <= before->last + before->shift + 1)) {
      return Invalid("the pages from ", ArgText(ArgKind::kVpn, g.first), " to ",
                     ArgText(ArgKind::kVpn, g.last), " have no room in tables of ", to_.table,
                     " pages; carry the program to larger ones");
    }
    if (!PastArena(g) && end > int64_t{to_.arena()}) {
      return Invalid("the pages from ", ArgText(ArgKind::kVpn, g.first), " to ",
                     ArgText(ArgKind::kVpn, g.last), " have no room in tables=", to_.tables,
                     " of table=", to_.table, "; ",
                     to_.tables < kMaxArena / to_.table
                         ? "give it more tables"
                         : "no arena has more, so name fewer tables in the program");
    }
    before = &g;
  }
  return absl::OkStatus();
}

absl::Status Layout::Settle() {
  MakeGroups();
  ChooseBoundaries();
  to_.tables = std::min(to_.tables, kMaxArena / to_.table);
  const absl::Status status = Place(false);
  return status.ok() || to_.tables >= from_.tables ? status : Place(true);
}

void AddRange(const Op& op, Layout* layout) {
  const OpDesc& desc = DescOf(op.code);
  const uint32_t* vpn = nullptr;
  uint32_t npages = 1;
  for (size_t a = 0; a < desc.nargs; ++a) {
    if (desc.args[a].kind == ArgKind::kVpn) vpn = &op.arg[a];
    if (desc.args[a].kind == ArgKind::kNpages) npages = op.arg[a];
  }
  // A range of no pages has a place as well.
  if (vpn != nullptr) layout->Add(*vpn, *vpn + std::max(npages, 1u) - 1);
}

// The number that `word` of an expectation gives for page numbers, moved; `word` itself if it gives
// none. `page` moves a page.
template <typename Fn>
uint64_t MovedNumber(const Program& program, std::string_view name, uint64_t number, Fn&& page) {
  if (name == "vma_start" && number < kMaxArena) return page(static_cast<uint32_t>(number));
  if (name == "vma_end" && number > 0 && number <= kMaxArena) {
    return uint64_t{page(static_cast<uint32_t>(number - 1))} + 1;
  }
  if (name == "content") {
    // What `write` stores is made of its index, plus 1, and the page.
    const uint64_t index = (number >> 32) - 1;
    const uint32_t vpn = static_cast<uint32_t>(number);
    if (index < program.ops.size() && program.ops[index].code == Opcode::write && vpn < kMaxArena) {
      return (number >> 32 << 32) | page(vpn);
    }
  }
  return number;
}

void PrintAs(std::string_view form, uint64_t number, std::string* out) {
  const bool hex = form.substr(0, 2) == "0x";
  char digits[24];
  const auto end = std::to_chars(digits, std::end(digits), number, hex ? 16 : 10).ptr;
  Append(out, hex ? "0x" : "", std::string_view(digits, static_cast<size_t>(end - digits)));
}

// An expectation of the state with page(vpn) for each page number that it names: "? m0 0x40" and
// name=number. Any other text stays as it is.
template <typename Fn>
std::string RewritePages(const Program& program, const std::string& text, Fn&& page) {
  if (text.compare(0, 2, "? ") != 0) return text;
  std::string_view rest = text;
  std::string out;
  bool about_process = false;
  for (size_t index = 0; !rest.empty(); ++index) {
    const std::string_view before = rest;
    const std::string_view word = TakeWord(&rest);
    out += before.substr(0, before.size() - rest.size());
    if (index == 1) about_process = word[0] == 'm';
    const size_t equals = word.find('=');
    const std::string_view digits = word.substr(equals == std::string_view::npos ? 0 : equals + 1);
    uint64_t number = 0;
    if (index < 2 || !ReadNumber(digits, &number)) continue;
    std::string_view name = word.substr(0, equals == std::string_view::npos ? 0 : equals);
    if (!name.empty() && name[0] == '!') name.remove_prefix(1);
    uint64_t moved = number;
    if (!name.empty()) {
      moved = MovedNumber(program, name, number, page);
    } else if (index == 2 && about_process && number < program.world.arena()) {
      moved = page(static_cast<uint32_t>(number));
    }
    if (moved == number) continue;
    out.resize(out.size() - digits.size());
    PrintAs(digits, moved, &out);
  }
  return out;
}

Program Moved(const Program& from, const World& world, const Layout& layout) {
  Program program = from;
  program.world = world;
  for (Op& op : program.ops) {
    const OpDesc& desc = DescOf(op.code);
    for (size_t a = 0; a < desc.nargs; ++a) {
      const ArgKind kind = desc.args[a].kind;
      if (kind == ArgKind::kVpn) op.arg[a] = layout.Of(op.arg[a]);
      if (kind == ArgKind::kOrder) op.arg[a] = std::min(op.arg[a], MaxOrder(world));
    }
  }
  for (Expectation& e : program.expectations) {
    e.text = RewritePages(from, e.text, [&](uint32_t vpn) { return layout.Of(vpn); });
  }
  return program;
}

}  // namespace

absl::StatusOr<Program> Carry(const Program& program, const World& to) {
  World world = to;
  if (std::has_single_bit(to.table)) world.tables = std::min(to.tables, kMaxArena / to.table);
  if (absl::Status s = CheckWorld(world); !s.ok()) return s;
  Layout layout(program.world, to);
  for (const Op& op : program.ops) AddRange(op, &layout);
  for (const Expectation& e : program.expectations) {
    RewritePages(program, e.text, [&](uint32_t vpn) {
      layout.Add(vpn, vpn);
      return vpn;
    });
  }
  if (absl::Status s = layout.Settle(); !s.ok()) return s;
  world.tables = layout.tables();
  Program carried = Moved(program, world, layout);
  if (absl::Status s = Validate(carried); !s.ok()) return s;
  return carried;
}

absl::StatusOr<Program> CarryToTable(const Program& program, uint32_t table) {
  World to = program.world;
  to.table = table;
  if (std::has_single_bit(table)) to.orders &= (2u << MaxOrder(to)) - 1;
  return Carry(program, to);
}

}  // namespace mmdiff
