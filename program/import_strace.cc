#include "program/import_strace.h"

#include <algorithm>
#include <map>
#include <utility>

#include "program/import_program.h"
#include "program/import_space.h"
#include "program/strace_log.h"
#include "program/words.h"
#include "program/world.h"

namespace mmdiff {
namespace {

// True if `flags` ("MAP_PRIVATE|MAP_FIXED") holds the word.
bool HasFlag(std::string_view flags, std::string_view word) {
  const auto is_name = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  while (!flags.empty()) {
    size_t end = 0;
    while (end < flags.size() && is_name(flags[end])) ++end;
    if (flags.substr(0, end) == word) return true;
    flags.remove_prefix(std::min(flags.size(), end + 1));
  }
  return false;
}

uint32_t ProtOf(std::string_view text) {
  if (HasFlag(text, "PROT_WRITE")) return kMapRead | kMapWrite;
  return HasFlag(text, "PROT_READ") || HasFlag(text, "PROT_EXEC") ? uint32_t{kMapRead} : 0;
}

struct Advice {
  const char* name;
  Opcode code;
};
constexpr Advice kAdvice[] = {
    {"MADV_DONTNEED", Opcode::dontneed}, {"MADV_FREE", Opcode::free},
    {"MADV_COLD", Opcode::cold},         {"MADV_PAGEOUT", Opcode::pageout},
    {"MADV_DONTFORK", Opcode::dontfork}, {"MADV_DOFORK", Opcode::dofork},
};

// System calls to events: who did what to which pages.
class Interpreter {
 public:
  Interpreter(const ImportOptions& options, ImportReport* report)
      : options_(options), report_(report) {}

  void Run(const StraceLog& log) {
    for (const StraceCall& call : log.calls) {
      call_ = &call;
      if (call.name == "+++") {
        End(call.pid);
        continue;
      }
      ++report_->calls;
      const size_t before = events_.size();
      const char* why = Interpret(call);
      if (why != nullptr) {
        ++report_->skipped[why];
      } else {
        ++report_->used;
        for (size_t i = before; i < events_.size(); ++i) events_[i].line = call.line;
      }
    }
  }

  const std::vector<TracedEvent>& events() const { return events_; }
  // All spaces as they were at the start: empty, but with their families.
  TracedSpaces InitialSpaces() const {
    TracedSpaces spaces(spaces_.size());
    for (size_t i = 0; i < spaces.size(); ++i) spaces[i].family = spaces_[i].family;
    return spaces;
  }

 private:
  struct Process {
    int space = 0;
    uint8_t cpu = 0;
    uint64_t brk = 0;  // in bytes; 0 if not known
  };

  int NewSpace(int family) {
    spaces_.emplace_back();
    spaces_.back().family = family;
    users_.push_back(1);
    return static_cast<int>(spaces_.size()) - 1;
  }

  Process& ProcessOf(uint32_t pid) {
    // A log names processes only while there are several.
    if (pid == 0 && processes_.size() == 1) pid = processes_.begin()->first;
    const auto unnamed = processes_.find(0);
    if (pid != 0 && unnamed != processes_.end() && !processes_.count(pid)) {
      processes_[pid] = unnamed->second;
      processes_.erase(0);
    }
    const auto [it, added] = processes_.emplace(pid, Process());
    if (added) {
      it->second.space = NewSpace(next_family_++);
      it->second.cpu = NextCpu();
    }
    return it->second;
  }
  TracedSpace& SpaceOf(const Process& process) {
    return spaces_[static_cast<size_t>(process.space)];
  }
  uint8_t NextCpu() { return static_cast<uint8_t>(next_cpu_++ % options_.world.cpus); }

  TracedEvent& Push(TracedEvent::Kind kind, const Process& process) {
    TracedEvent event;
    event.kind = kind;
    event.space = process.space;
    event.cpu = process.cpu;
    events_.push_back(event);
    return events_.back();
  }
  const char* Done() {
    ApplyEvent(events_.back(), &spaces_);
    return nullptr;
  }

  // nullptr if events were made (or nothing needs to be), else why the call is left out.
  const char* Interpret(const StraceCall& call) {
    Process& process = ProcessOf(call.pid);
    const std::string& name = call.name;
    if (name == "exit_group" || name == "exit") {
      End(call.pid);
      return nullptr;
    }
    if (name == "openat" || name == "open") return Open(call);
    const bool memory = name == "mmap" || name == "mmap2" || name == "munmap" ||
                        name == "mprotect" || name == "mremap" || name == "madvise" ||
                        name == "brk" || name == "mlock" || name == "mlock2" || name == "munlock" ||
                        name == "mlockall" || name == "munlockall";
    const bool processes = name == "fork" || name == "vfork" || name == "clone" ||
                           name == "clone3" || name == "execve" || name == "execveat";
    if (!memory && !processes) return "no call about memory or processes";
    if (call.failed()) return "the call failed";
    if (name == "mmap" || name == "mmap2") return Mmap(call, process);
    if (name == "mremap") return Mremap(call, process);
    if (name == "brk") return Brk(call, &process);
    if (name == "mlockall" || name == "munlockall") return LockAll(call, process);
    if (processes) return name[0] == 'e' ? Exec(&process) : Fork(call, process);
    return RangeCall(call, process);
  }

  uint64_t PageOf(uint64_t address) const { return address >> options_.page_shift; }
  uint64_t PagesUp(uint64_t bytes) const {
    const uint64_t mask = (uint64_t{1} << options_.page_shift) - 1;
    return (bytes >> options_.page_shift) + ((bytes & mask) != 0);
  }

  // Reads address and length from the first two arguments. False if they make no range.
  bool Range(const StraceCall& call, uint64_t* start, uint64_t* end) const {
    uint64_t address = 0, length = 0;
    if (!call.Number(0, &address) || !call.Number(1, &length)) return false;
    // mlock rounds the start down and the end up; for the others the address is aligned.
    *start = PageOf(address);
    const uint64_t in_page = address & ((uint64_t{1} << options_.page_shift) - 1);
    if (length > kLongest || address > kHighest) return false;
    *end = *start + PagesUp(length + in_page);
    return *end > *start;
  }

  const char* Open(const StraceCall& call) {
    uint64_t fd = 0;
    const size_t path = call.name == "openat" ? 1 : 0;
    if (!call.failed() && call.ResultNumber(&fd) && call.args.size() > path) {
      open_files_[{call.pid, fd}] = call.args[path];
    }
    return "no call about memory or processes";
  }

  // The number of the file behind a descriptor: its path if the log shows it, else the descriptor.
  int FileOf(const StraceCall& call, size_t arg) {
    uint64_t fd = 0;
    if (!call.Number(arg, &fd)) return -1;
    std::string key = call.args[arg];
    const auto opened = open_files_.find({call.pid, fd});
    if (key.find('<') != std::string::npos) {
      key = key.substr(key.find('<'));
    } else {
      key = opened != open_files_.end() ? opened->second : Concat("descriptor ", fd);
    }
    return files_.emplace(key, static_cast<int>(files_.size())).first->second;
  }

  const char* Mmap(const StraceCall& call, const Process& process) {
    uint64_t length = 0, address = 0;
    if (call.args.size() < 6 || !call.Number(1, &length) || !call.ResultNumber(&address) ||
        length == 0 || length > kLongest || address > kHighest) {
      return "arguments that cannot be read";
    }
    const std::string& flags = call.args[3];
    if (HasFlag(flags, "MAP_HUGETLB")) return "mmap of huge pages (MAP_HUGETLB)";
    if (HasFlag(flags, "MAP_GROWSDOWN")) return "mmap of a stack that grows (MAP_GROWSDOWN)";
    TracedMap map;
    map.start = PageOf(address);
    map.end = map.start + PagesUp(length);
    map.flags = ProtOf(call.args[2]);
    if (HasFlag(flags, "MAP_SHARED") || HasFlag(flags, "MAP_SHARED_VALIDATE")) {
      map.flags |= kMapShared;
    }
    if (HasFlag(flags, "MAP_POPULATE")) map.flags |= kMapPopulate;
    if (HasFlag(flags, "MAP_LOCKED")) map.flags |= kMapLocked;
    if (HasFlag(flags, "MAP_FIXED")) map.flags |= kMapFixed;
    if (!HasFlag(flags, "MAP_ANONYMOUS")) {
      map.file = FileOf(call, 4);
      uint64_t offset = 0;
      if (map.file < 0 || !call.Number(5, &offset)) return "arguments that cannot be read";
      map.pgoff = call.name == "mmap2" ? offset : PageOf(offset);
    }
    return PutMap(process, map);
  }

  const char* PutMap(const Process& process, const TracedMap& map) {
    const TracedSpace::Future future = SpaceOf(process).future;
    TracedEvent& event = Push(TracedEvent::Kind::kMap, process);
    event.map = map;
    if (future == TracedSpace::Future::kLock) event.map.flags |= kMapLocked;
    event.start = map.start;
    event.end = map.end;
    Done();
    if (future != TracedSpace::Future::kLockOnFault) return nullptr;
    return PutRange(process, Opcode::lock_onfault, map.start, map.end);
  }

  const char* PutRange(const Process& process, Opcode code, uint64_t start, uint64_t end,
                       uint32_t prot = 0) {
    TracedEvent& event = Push(TracedEvent::Kind::kRange, process);
    event.code = code;
    event.start = start;
    event.end = end;
    event.prot = prot;
    return Done();
  }

  const char* RangeCall(const StraceCall& call, const Process& process) {
    uint64_t start = 0, end = 0;
    if (!Range(call, &start, &end)) return "an empty or unreadable range";
    const std::string& name = call.name;
    const std::string third = call.args.size() > 2 ? call.args[2] : "";
    if (name == "munmap") {
      if (SpaceOf(process).Pieces(start, end).empty()) {
        return "a range that was not mapped in the log";
      }
      return PutRange(process, Opcode::unmap, start, end);
    }
    // The system call succeeded, so all of the range was mapped; a hole means that the log does not
    // tell by whom (the kernel maps a program's own image, for one).
    if (!SpaceOf(process).Covers(start, end)) {
      return "a range that was not mapped in the log";
    }
    if (name == "mprotect") {
      if (HasFlag(third, "PROT_GROWSDOWN")) return "mprotect of a stack that grows";
      return PutRange(process, Opcode::protect, start, end, ProtOf(third));
    }
    if (name == "munlock") return PutRange(process, Opcode::unlock, start, end);
    if (name == "mlock" || name == "mlock2") {
      const bool on_fault = HasFlag(third, "MLOCK_ONFAULT");
      return PutRange(process, on_fault ? Opcode::lock_onfault : Opcode::lock, start, end);
    }
    for (const Advice& advice : kAdvice) {
      if (third == advice.name) return PutRange(process, advice.code, start, end);
    }
    return "madvise with advice that the language has no word for";
  }

  const char* LockAll(const StraceCall& call, const Process& process) {
    const bool lock = call.name == "mlockall";
    if (lock && call.args.empty()) return "arguments that cannot be read";
    const bool on_fault = lock && HasFlag(call.args[0], "MCL_ONFAULT");
    // What is mapped from now on is locked from the start.
    TracedSpace::Future& future = SpaceOf(process).future;
    future = !lock || !HasFlag(call.args[0], "MCL_FUTURE") ? TracedSpace::Future::kNothing
             : on_fault                                    ? TracedSpace::Future::kLockOnFault
                                                           : TracedSpace::Future::kLock;
    if (lock && !HasFlag(call.args[0], "MCL_CURRENT")) return nullptr;
    const Opcode code = !lock ? Opcode::unlock : on_fault ? Opcode::lock_onfault : Opcode::lock;
    const std::map<uint64_t, TracedMap> maps = SpaceOf(process).maps();
    for (auto it = maps.begin(); it != maps.end();) {
      const uint64_t start = it->first;
      uint64_t end = start;
      for (; it != maps.end() && it->first == end; ++it) end = it->second.end;
      PutRange(process, code, start, end);
    }
    return nullptr;
  }

  const char* Mremap(const StraceCall& call, const Process& process) {
    uint64_t from = 0, old_length = 0, new_length = 0, to = 0;
    if (!call.Number(0, &from) || !call.Number(1, &old_length) || !call.Number(2, &new_length) ||
        !call.ResultNumber(&to) || from > kHighest || to > kHighest || new_length == 0 ||
        old_length > kLongest || new_length > kLongest) {
      return "arguments that cannot be read";
    }
    const uint64_t start = PageOf(from), old_end = start + PagesUp(old_length);
    const uint64_t new_pages = PagesUp(new_length);
    const std::vector<TracedMap> pieces = SpaceOf(process).Pieces(start, old_end);
    if (pieces.size() != 1 || pieces[0].start != start || pieces[0].end != old_end) {
      return "mremap of something whose mapping is not known";
    }
    const TracedMap& piece = pieces[0];
    if (to != from) return Moved(process, piece, PageOf(to), new_pages);
    const uint64_t new_end = start + new_pages;
    if (new_end == old_end) return nullptr;
    if (new_end < old_end) return PutRange(process, Opcode::unmap, new_end, old_end);
    // A new mapping behind joins the old one only if nothing tells them apart.
    if (piece.locked) return "mremap that grows a locked mapping";
    if ((piece.flags & kMapShared) && piece.file < 0) {
      return "mremap that grows shared anonymous memory";
    }
    TracedMap more = piece;
    more.start = old_end;
    more.end = new_end;
    if (more.file >= 0) more.pgoff += old_end - start;
    return PutMap(process, more);
  }

  const char* Moved(const Process& process, const TracedMap& piece, uint64_t to, uint64_t pages) {
    TracedEvent& event = Push(TracedEvent::Kind::kMove, process);
    event.start = piece.start;
    event.end = piece.end;
    event.map = piece;
    event.map.start = to;
    event.map.end = to + pages;
    Done();
    return "mremap that moves";
  }

  const char* Brk(const StraceCall& call, Process* process) {
    uint64_t to = 0;
    if (!call.ResultNumber(&to) || to > kHighest) return "arguments that cannot be read";
    const uint64_t from = process->brk;
    process->brk = to;
    if (from == 0 || PagesUp(from) == PagesUp(to)) return nullptr;  // only asks, or within a page
    if (to < from) return PutRange(*process, Opcode::unmap, PagesUp(to), PagesUp(from));
    TracedMap heap;
    heap.start = PagesUp(from);
    heap.end = PagesUp(to);
    heap.flags = kMapRead | kMapWrite;
    return PutMap(*process, heap);
  }

  const char* Fork(const StraceCall& call, const Process& parent) {
    uint64_t pid = 0;
    if (!call.ResultNumber(&pid) || pid == 0 || pid > UINT32_MAX) {
      return "arguments that cannot be read";
    }
    bool shares = call.name == "vfork";
    for (const std::string& arg : call.args) shares |= HasFlag(arg, "CLONE_VM");
    Process child = parent;
    child.cpu = NextCpu();
    if (shares) {
      // A thread, or a child that borrows the memory until it runs something else.
      ++users_[static_cast<size_t>(parent.space)];
    } else {
      child.space = NewSpace(spaces_[static_cast<size_t>(parent.space)].family);
      TracedEvent& event = Push(TracedEvent::Kind::kFork, parent);
      event.other = child.space;
      Done();
    }
    processes_[static_cast<uint32_t>(pid)] = child;
    return nullptr;
  }
  const char* Exec(Process* process) {
    Leave(*process);
    process->space = NewSpace(next_family_++);
    process->brk = 0;
    return nullptr;
  }

  void Leave(const Process& process) {
    if (--users_[static_cast<size_t>(process.space)] > 0) return;
    Push(TracedEvent::Kind::kExit, process);
    events_.back().line = call_->line;
    Done();
  }

  void End(uint32_t pid) {
    if (pid == 0 && processes_.size() == 1) pid = processes_.begin()->first;
    const auto it = processes_.find(pid);
    if (it == processes_.end()) return;  // exit_group came before
    Leave(it->second);
    processes_.erase(it);
  }

  static constexpr uint64_t kHighest = uint64_t{1} << 57;  // addresses of x86-64 with five levels
  static constexpr uint64_t kLongest = uint64_t{1} << 56;

  const ImportOptions& options_;
  ImportReport* report_;
  const StraceCall* call_ = nullptr;
  std::vector<TracedEvent> events_;
  TracedSpaces spaces_;
  std::vector<int> users_;  // processes that use a space
  std::map<uint32_t, Process> processes_;
  std::map<std::pair<uint32_t, uint64_t>, std::string> open_files_;
  std::map<std::string, int> files_;
  int next_family_ = 0;
  uint32_t next_cpu_ = 0;
};

// Cuts the events into programs, each as long as the limits allow.
std::vector<Program> CutIntoPrograms(const std::vector<TracedEvent>& events, TracedSpaces spaces,
                                     const ImportOptions& options, ImportReport* report) {
  std::vector<Program> programs;
  size_t at = 0;
  const auto leave_out = [&](const char* why, size_t calls) {
    report->skipped[why] += calls;
    report->used -= std::min(report->used, calls);
  };
  while (at < events.size()) {
    if (events[at].kind == TracedEvent::Kind::kMove) {
      ApplyEvent(events[at++], &spaces);
      continue;
    }
    if (programs.size() == options.max_programs) {
      leave_out("more programs than asked for", events.size() - at);
      break;
    }
    size_t count = 0;
    while (count < options.max_ops && at + count < events.size() &&
           events[at + count].kind != TracedEvent::Kind::kMove) {
      ++count;
    }
    Program program;
    while (count > 0 && !BuildProgram({events.data() + at, count}, spaces, options, &program)) {
      count /= 2;
    }
    if (count == 0) {
      leave_out("a call larger than the limits", 1);
      count = 1;
    } else if (!program.ops.empty()) {
      report->operations += program.ops.size();
      programs.push_back(std::move(program));
    }
    for (size_t i = 0; i < count; ++i) ApplyEvent(events[at++], &spaces);
  }
  report->programs = programs.size();
  return programs;
}

absl::Status CheckOptions(std::string_view log, const ImportOptions& options) {
  if (absl::Status status = CheckWorld(options.world); !status.ok()) return status;
  if (options.world.tables < 4) {
    return Invalid("tables=", options.world.tables,
                   " is too small to import into; take at least 4");
  }
  if (options.max_ops < 8 || options.max_ops > kMaxOps) {
    return Invalid("a program of an import has 8 to ", kMaxOps, " operations, not ",
                   options.max_ops);
  }
  if (options.page_shift < 9 || options.page_shift > 16) {
    return Invalid("page_shift is the log2 of a page size, 12 for 4 KiB; ", options.page_shift,
                   " is none");
  }
  if (log.size() > kMaxStraceBytes) {
    return Invalid("the log has ", log.size(), " bytes; at most ", kMaxStraceBytes,
                   " are allowed; trace with -e trace=memory,process,openat");
  }
  return absl::OkStatus();
}

}  // namespace

World ImportWorld() {
  World world;
  world.tables = 64;
  world.maps = 256;
  world.mms = 16;
  world.memlock = 4096;
  world.swap = 512;
  return world;
}

absl::StatusOr<std::vector<Program>> ImportStrace(std::string_view text,
                                                  const ImportOptions& options,
                                                  ImportReport* report) {
  *report = ImportReport();
  if (absl::Status status = CheckOptions(text, options); !status.ok()) return status;
  const StraceLog log = ReadStraceLog(text);
  const std::string file = options.file_name.empty() ? "line " : options.file_name + ":";
  report->lines = log.lines;
  for (const std::string& broken : log.broken) report->broken.push_back(file + broken);
  if (log.broken_lines > 0) report->skipped["broken line"] = log.broken_lines;
  if (log.unfinished > 0) report->skipped["a call whose end is missing"] = log.unfinished;
  if (log.calls.empty()) {
    return Invalid(report->broken.empty() ? file + "1: the log is empty" : report->broken[0],
                   "; expected the output of strace -f -e trace=memory,process,openat");
  }
  Interpreter interpreter(options, report);
  interpreter.Run(log);
  std::vector<Program> programs =
      CutIntoPrograms(interpreter.events(), interpreter.InitialSpaces(), options, report);
  if (programs.empty()) {
    return Invalid(file,
                   "1: the log holds no call that the language can say; trace with "
                   "-e trace=memory,process,openat");
  }
  return programs;
}

}  // namespace mmdiff
