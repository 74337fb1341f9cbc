#include "program/import_program.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "program/arg_kinds.h"
#include "program/fixup.h"

namespace mmdiff {
namespace {

// Where the pages of one family go in the arena.
class Layout {
 public:
  void AddRange(uint64_t start, uint64_t end, bool mapped) {
    places_.emplace(start, 0);
    places_.emplace(end, 0);
    if (mapped) mapped_.emplace_back(start, end);
  }
  // Chooses the places. Distances above the limits are cut to them, up to less than a table more.
  // False if the arena is too small.
  bool Settle(const World& world, uint64_t map_limit, uint64_t gap_limit) {
    const uint64_t table = world.table;
    std::sort(mapped_.begin(), mapped_.end());
    uint64_t before = 0, place = 0, mapped_to = 0;
    size_t next_mapped = 0;
    bool first = true;
    for (auto& [page, to] : places_) {
      if (first) {
        place = page % table;
        first = false;
      } else {
        for (; next_mapped < mapped_.size() && mapped_[next_mapped].first <= before;
             ++next_mapped) {
          mapped_to = std::max(mapped_to, mapped_[next_mapped].second);
        }
        const uint64_t limit = mapped_to > before ? map_limit : gap_limit;
        const uint64_t distance = page - before;
        place += distance <= limit ? distance : limit / table * table + distance % table;
      }
      before = page;
      to = static_cast<uint32_t>(std::min<uint64_t>(place, UINT32_MAX));
    }
    return place <= world.arena();
  }
  uint32_t Of(uint64_t page) const { return places_.at(page); }

 private:
  std::map<uint64_t, uint32_t> places_;
  std::vector<std::pair<uint64_t, uint64_t>> mapped_;
};

class ProgramBuilder {
 public:
  ProgramBuilder(absl::Span<const TracedEvent> events, const TracedSpaces& spaces,
                 const ImportOptions& options)
      : events_(events), options_(options), spaces_(spaces) {}

  bool Run(Program* program) {
    FindRoots();
    if (!Arrange()) return false;
    program_.world = options_.world;
    for (const TracedEvent& event : events_) {
      if (!Emit(event)) return false;
    }
    PrependFiles();
    if (program_.ops.size() > options_.max_ops || !Validate(program_).ok()) return false;
    *program = std::move(program_);
    return true;
  }

 private:
  // The space that `space` was forked from in this run, and so on; it must exist from the start.
  int RootOf(int space) const {
    for (auto it = parent_.find(space); it != parent_.end(); it = parent_.find(space)) {
      space = it->second;
    }
    return space;
  }

  // What each space must have mapped when it first appears.
  void FindRoots() {
    for (const TracedEvent& e : events_) {
      if (e.kind == TracedEvent::Kind::kFork) {
        parent_[e.other] = e.space;
      } else if (e.kind != TracedEvent::Kind::kExit) {
        needs_[RootOf(e.space)].emplace_back(e.start, e.end);
      }
    }
    for (auto& [root, ranges] : needs_) {
      std::sort(ranges.begin(), ranges.end());
      std::vector<TracedMap>& pieces = pieces_[root];
      uint64_t done = 0;
      for (const auto& [start, end] : ranges) {
        const uint64_t from = std::max(start, done);
        if (from >= end) continue;
        done = end;
        // Joined, because only the ranges of events cut them apart.
        for (const TracedMap& piece : SpaceAtStart(root).Pieces(from, end))
          AppendPiece(piece, &pieces);
      }
    }
  }

  const TracedSpace& SpaceAtStart(int space) const {
    static const TracedSpace empty;
    const auto number = static_cast<size_t>(space);
    return number < spaces_.size() ? spaces_[number] : empty;
  }

  bool Arrange() {
    for (const auto& [root, pieces] : pieces_) {
      for (const TracedMap& piece : pieces) Family(root).AddRange(piece.start, piece.end, true);
    }
    for (const TracedEvent& e : events_) {
      if (e.kind == TracedEvent::Kind::kFork || e.kind == TracedEvent::Kind::kExit) continue;
      Family(e.space).AddRange(e.start, e.end, e.kind == TracedEvent::Kind::kMap);
    }
    // Keep as much of long ranges as the arena holds.
    const uint64_t table = options_.world.table;
    for (auto& [family, layout] : layouts_) {
      uint64_t limit = std::max<uint64_t>(options_.max_npages, table);
      bool settled = layout.Settle(options_.world, limit, table);
      while (!settled && limit > table) {
        limit = std::max(limit / 2, table);
        settled = layout.Settle(options_.world, limit, table);
      }
      if (!settled) return false;
    }
    return true;
  }

  Layout& Family(int space) { return layouts_[SpaceAtStart(space).family]; }

  void Add(Opcode code, uint8_t cpu, std::initializer_list<uint32_t> args) {
    Op op;
    op.code = code;
    op.cpu = cpu;
    std::copy(args.begin(), args.end(), op.arg);
    program_.ops.push_back(op);
  }

  // The handle of a space; makes the space and what it needs if it has none. False if there are too
  // many.
  bool Handle(const TracedEvent& e, uint32_t* mm) {
    const auto found = handles_.find(e.space);
    if (found != handles_.end()) {
      *mm = found->second;
      return true;
    }
    if (!NewHandle(e.space, mm)) return false;
    Add(Opcode::mm, e.cpu, {});
    const auto pieces = pieces_.find(e.space);
    if (pieces == pieces_.end()) return true;
    for (const TracedMap& piece : pieces->second) {
      if (!AddMap(e, *mm, piece)) return false;
    }
    return true;
  }

  bool NewHandle(int space, uint32_t* mm) {
    if (alive_ == options_.world.mms) return false;
    ++alive_;
    *mm = next_mm_++;
    handles_[space] = *mm;
    return true;
  }

  bool AddMap(const TracedEvent& e, uint32_t mm, const TracedMap& map) {
    const Layout& layout = Family(e.space);
    const uint32_t vpn = layout.Of(map.start), npages = layout.Of(map.end) - vpn;
    uint32_t flags = map.flags;
    uint32_t file = kNoFile, pgoff = 0;
    if (map.file >= 0) {
      file = FileOf(map.file);
      pgoff = PgoffOf(e, map, vpn);
      file_pages_[file] = std::max(file_pages_[file], pgoff + npages);
      if (file_pages_[file] > options_.world.arena()) return false;
    }
    Add(Opcode::map, e.cpu, {mm, vpn, npages, flags, file, pgoff});
    shadow_[e.space].Put({vpn, vpn + npages, flags, -1, 0, false});
    if (shadow_[e.space].maps().size() >= options_.world.maps) return false;
    if (map.locked && (flags & kMapLocked) == 0) Add(Opcode::lock, e.cpu, {mm, vpn, npages});
    if ((flags & (kMapPopulate | kMapLocked)) == 0) Touch(e.cpu, mm, vpn, npages, flags);
    return true;
  }

  void Touch(uint8_t cpu, uint32_t mm, uint32_t vpn, uint32_t npages, uint32_t prot) {
    if (!options_.touch || (prot & (kMapRead | kMapWrite)) == 0) return;
    Add(prot & kMapWrite ? Opcode::write : Opcode::read, cpu, {mm, vpn, npages});
  }

  uint32_t FileOf(int file) {
    const auto [it, added] = files_.emplace(file, static_cast<uint32_t>(files_.size()));
    if (added) file_pages_.push_back(0);
    return it->second;
  }

  // Mappings of a file that lie as in the file keep doing so; others keep the place in a table.
  uint32_t PgoffOf(const TracedEvent& e, const TracedMap& map, uint32_t vpn) {
    const auto key = std::make_pair(std::make_pair(SpaceAtStart(e.space).family, map.file),
                                    map.start - map.pgoff);
    const auto found = file_base_.find(key);
    if (found != file_base_.end() && vpn >= found->second) return vpn - found->second;
    const uint32_t table = options_.world.table;
    const uint32_t pgoff =
        static_cast<uint32_t>(map.pgoff < table ? map.pgoff : table + map.pgoff % table);
    if (found == file_base_.end() && vpn >= pgoff) file_base_.emplace(key, vpn - pgoff);
    return pgoff;
  }

  bool Emit(const TracedEvent& e) {
    uint32_t mm = 0;
    switch (e.kind) {
      case TracedEvent::Kind::kExit: {
        // A process that the program never met need not end in it.
        const auto found = handles_.find(e.space);
        if (found == handles_.end()) return true;
        Add(Opcode::exit, e.cpu, {found->second});
        handles_.erase(found);
        --alive_;
        return true;
      }
      case TracedEvent::Kind::kFork: {
        if (!Handle(e, &mm)) return false;
        uint32_t child = 0;
        if (!NewHandle(e.other, &child)) return false;
        Add(Opcode::fork, e.cpu, {mm});
        shadow_[e.other] = shadow_[e.space];
        return true;
      }
      case TracedEvent::Kind::kMap:
        return Handle(e, &mm) && AddMap(e, mm, e.map);
      case TracedEvent::Kind::kRange:
        return Handle(e, &mm) && AddRange(e, mm);
      case TracedEvent::Kind::kMove:
        return false;  // no program holds one
    }
    return false;
  }

  bool AddRange(const TracedEvent& e, uint32_t mm) {
    const Layout& layout = Family(e.space);
    const uint32_t vpn = layout.Of(e.start), npages = layout.Of(e.end) - vpn;
    TracedSpace& shadow = shadow_[e.space];
    if (e.code == Opcode::protect) {
      Add(e.code, e.cpu, {mm, vpn, npages, e.prot});
      shadow.Protect(vpn, vpn + npages, e.prot);
      if (e.prot & kMapWrite) Touch(e.cpu, mm, vpn, npages, e.prot);
    } else {
      Add(e.code, e.cpu, {mm, vpn, npages});
      if (e.code == Opcode::unmap) shadow.Erase(vpn, vpn + npages);
    }
    return shadow.maps().size() < options_.world.maps;
  }

  // Files are made first, when their sizes are known.
  void PrependFiles() {
    std::vector<Op> files;
    for (const uint32_t npages : file_pages_) {
      Op op;
      op.code = Opcode::file;
      op.arg[0] = npages;
      op.arg[1] = kFileOrder;
      files.push_back(op);
    }
    program_.ops.insert(program_.ops.begin(), files.begin(), files.end());
  }

  static constexpr uint32_t kFileOrder = 2;  // of page-cache folios; the log does not tell

  absl::Span<const TracedEvent> events_;
  const ImportOptions& options_;
  const TracedSpaces& spaces_;
  Program program_;
  std::map<int, int> parent_;
  std::map<int, std::vector<std::pair<uint64_t, uint64_t>>> needs_;
  std::map<int, std::vector<TracedMap>> pieces_;
  std::map<int, Layout> layouts_;      // by family
  std::map<int, uint32_t> handles_;    // of living spaces
  std::map<int, TracedSpace> shadow_;  // in pages of the arena
  std::map<int, uint32_t> files_;      // traced file to handle
  std::vector<uint32_t> file_pages_;   // by handle
  std::map<std::pair<std::pair<int, int>, uint64_t>, uint32_t> file_base_;
  uint32_t alive_ = 0;
  uint32_t next_mm_ = 0;
};

}  // namespace

bool BuildProgram(absl::Span<const TracedEvent> events, const TracedSpaces& spaces,
                  const ImportOptions& options, Program* program) {
  return ProgramBuilder(events, spaces, options).Run(program);
}

}  // namespace mmdiff
