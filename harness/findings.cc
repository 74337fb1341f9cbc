#include "harness/findings.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "harness/durable_files.h"
#include "harness/simplicity.h"
#include "nlohmann/json.hpp"
#include "program/fixup.h"
#include "program/text.h"

namespace mmdiff {
namespace {

constexpr char kRepro[] = "repro.mmdiff";
constexpr char kOriginal[] = "original.mmdiff";
constexpr char kReportText[] = "report.txt";
constexpr char kReportJson[] = "report.json";
constexpr char kConsole[] = "console.txt";
constexpr char kInfo[] = "info.json";
constexpr char kNewInfo[] = ".info.json.new";
constexpr std::array kOwnFiles = {kRepro,   kOriginal, kReportText, kReportJson,
                                  kConsole, kInfo,     kNewInfo};

constexpr char kNewPrefix[] = ".new-";  // being written, or just exchanged for the one in place
constexpr char kOldPrefix[] = ".old-";  // moved away where directories cannot be exchanged
static_assert(sizeof(kNewPrefix) == sizeof(kOldPrefix));
constexpr char kLock[] = ".lock";

std::string InfoText(const Finding& f) {
  nlohmann::ordered_json info;
  info["signature"] = f.signature.text;
  info["signature_hash"] = absl::StrCat(absl::Hex(f.signature.hash, absl::kZeroPad16));
  info["kind"] = f.kind;
  info["minimised"] = f.minimised;
  info["implementations"] = f.implementations;
  info["switches"] = f.switches;
  info["build"] = f.build;
  info["seed"] = f.seed;
  info["counts"] = f.counts;
  info["times_seen"] = f.times_seen;
  if (f.repeats.of != 0) info["repeated"] = {{"same", f.repeats.same}, {"of", f.repeats.of}};
  return info.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

// Fills everything of `f` that info.json holds; false if the text is not such a file.
bool ParseInfo(const std::string& text, Finding* f) {
  const auto info = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!info.is_object()) return false;
  try {
    f->signature.text = info.value("signature", "");
    if (!absl::SimpleHexAtoi(info.value("signature_hash", "0"), &f->signature.hash)) return false;
    f->kind = info.value("kind", "");
    f->minimised = info.value("minimised", false);
    f->implementations = info.value("implementations", std::vector<std::string>());
    f->switches = info.value("switches", std::vector<std::string>());
    f->build = info.value("build", "");
    f->seed = info.value("seed", uint64_t{0});
    f->counts = info.value("counts", std::map<std::string, uint64_t>());
    f->times_seen = info.value("times_seen", uint64_t{1});
    if (info.contains("repeated")) {
      f->repeats = {info["repeated"].value("same", 0u), info["repeated"].value("of", 0u)};
    }
  } catch (const nlohmann::json::exception&) {
    return false;  // a field of another type
  }
  return true;
}

absl::StatusOr<Program> LoadProgram(const std::string& path) {
  absl::StatusOr<std::string> text = DurableFiles::Read(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<Program> program = ParseText(*text, {.file_name = path});
  if (!program.ok()) return absl::DataLossError(program.status().message());
  return program;
}

// What is in the directory `path`. Only repro.mmdiff has to be there: a program put there by hand
// counts.
absl::StatusOr<Finding> LoadFrom(const std::string& path, const std::string& name) {
  const auto file = [&](const char* leaf) { return absl::StrCat(path, "/", leaf); };
  if (!DurableFiles::IsDirectory(path)) {
    return absl::NotFoundError(absl::StrCat("there is no finding ", path));
  }
  Finding f;
  f.signature.text = name;
  absl::StatusOr<Program> repro = LoadProgram(file(kRepro));
  if (!repro.ok()) return repro.status();
  f.repro = *std::move(repro);
  f.original = f.repro;
  if (DurableFiles::Exists(file(kOriginal))) {
    absl::StatusOr<Program> original = LoadProgram(file(kOriginal));
    if (!original.ok()) return original.status();
    f.original = *std::move(original);
  }
  f.report_text = DurableFiles::Read(file(kReportText)).value_or("");
  f.report_json = DurableFiles::Read(file(kReportJson)).value_or("");
  f.console = DurableFiles::Read(file(kConsole)).value_or("");
  if (DurableFiles::Exists(file(kInfo))) {
    absl::StatusOr<std::string> info = DurableFiles::Read(file(kInfo));
    if (!info.ok()) return info.status();
    if (!ParseInfo(*info, &f)) {
      return absl::DataLossError(absl::StrCat(file(kInfo), " is not the record of a finding"));
    }
  }
  return f;
}

// True if `a` should stay and `b` go.
bool Better(const Finding& a, const Finding& b) {
  const auto order = CompareSimplicity(a.repro, b.repro);
  if (order != 0) return order < 0;
  if (a.minimised != b.minimised) return a.minimised;
  return !a.report_text.empty() && b.report_text.empty();
}

// One directory of findings; the lock is held while one exists.
class LockedStore {
 public:
  static absl::StatusOr<LockedStore> Take(const std::string& dir,
                                          const FindingStoreOptions& options) {
    DurableFiles files(options.before_call);
    if (absl::Status s = files.MakeDirectories(dir); !s.ok()) return s;
    auto lock = DirectoryLock::Take(absl::StrCat(dir, "/", kLock), options.lock_timeout_ms);
    if (!lock.ok()) return lock.status();
    return LockedStore(dir, std::move(files), *std::move(lock));
  }

  absl::StatusOr<SaveOutcome> Save(Finding finding);
  // Completes or removes what an interrupted writer left of any finding.
  absl::Status RepairAll();

 private:
  LockedStore(std::string dir, DurableFiles files, DirectoryLock lock)
      : dir_(std::move(dir)), files_(std::move(files)), lock_(std::move(lock)) {}

  std::string Path(std::string_view prefix, const std::string& name) const {
    return absl::StrCat(dir_, "/", std::string(prefix), name);
  }
  absl::Status Repair(const std::string& name);
  absl::Status WriteNew(const Finding& finding, const std::string& name);
  absl::Status PutInPlace(const std::string& name);
  absl::Status WriteInfo(const Finding& finding, const std::string& name);

  std::string dir_;
  DurableFiles files_;
  DirectoryLock lock_;
};

// Writes are made under the lock, so what is found here belongs to a process that is gone.
absl::Status LockedStore::Repair(const std::string& name) {
  const std::string place = Path("", name), fresh = Path(kNewPrefix, name),
                    old = Path(kOldPrefix, name);
  if (DurableFiles::Exists(old)) {
    absl::Status s =
        DurableFiles::Exists(place) ? files_.RemoveDirectory(old) : files_.Rename(old, place);
    if (!s.ok()) return s;
  }
  if (DurableFiles::Exists(fresh)) {
    // info.json is written last: without it the rest may be cut short.
    const bool complete = DurableFiles::Exists(absl::StrCat(fresh, "/", kInfo));
    absl::StatusOr<Finding> found = LoadFrom(fresh, name);
    absl::StatusOr<Finding> present = LoadFrom(place, name);
    const bool free_place = absl::IsNotFound(present.status());
    if (!present.ok() && !free_place) return present.status();
    const bool keep = complete && found.ok() && (free_place || Better(*found, *present));
    absl::Status s = keep ? PutInPlace(name) : files_.RemoveDirectory(fresh);
    if (!s.ok()) return s;
  }
  const std::string half_info = absl::StrCat(place, "/", kNewInfo);
  return DurableFiles::Exists(half_info) ? files_.RemoveFile(half_info) : absl::OkStatus();
}

absl::Status LockedStore::RepairAll() {
  std::vector<std::string> names;
  for (const std::string& entry : DurableFiles::Entries(dir_)) {
    if (!DurableFiles::IsDirectory(Path("", entry))) continue;
    const bool temporary = entry.starts_with(kNewPrefix) || entry.starts_with(kOldPrefix);
    if (!temporary && entry.starts_with('.')) continue;
    names.push_back(temporary ? entry.substr(sizeof(kNewPrefix) - 1) : entry);
  }
  for (const std::string& name : names) {
    if (absl::Status s = Repair(name); !s.ok()) return s;
  }
  return absl::OkStatus();
}

// Writes `finding` in full beside its place.
absl::Status LockedStore::WriteNew(const Finding& finding, const std::string& name) {
  const std::string fresh = Path(kNewPrefix, name), place = Path("", name);
  if (absl::Status s = files_.MakeDirectories(fresh); !s.ok()) return s;
  const auto write = [&](const char* leaf, const std::string& text) {
    return text.empty() ? absl::OkStatus() : files_.Write(absl::StrCat(fresh, "/", leaf), text);
  };
  absl::Status s = write(kOriginal, PrintText(finding.original));
  if (s.ok()) s = write(kRepro, PrintText(finding.repro));
  if (s.ok()) s = write(kReportText, finding.report_text);
  if (s.ok()) s = write(kReportJson, finding.report_json);
  if (s.ok()) s = write(kConsole, finding.console);
  // What people put beside a finding (notes, a core file) stays with it.
  for (const std::string& entry : DurableFiles::Entries(place)) {
    if (std::find(kOwnFiles.begin(), kOwnFiles.end(), entry) != kOwnFiles.end()) continue;
    if (s.ok()) s = files_.Link(absl::StrCat(place, "/", entry), absl::StrCat(fresh, "/", entry));
  }
  if (s.ok()) s = write(kInfo, InfoText(finding));
  if (s.ok()) s = files_.SyncDirectory(fresh);
  return s;
}

// Moves the finished new directory to its place.
absl::Status LockedStore::PutInPlace(const std::string& name) {
  const std::string place = Path("", name), fresh = Path(kNewPrefix, name),
                    old = Path(kOldPrefix, name);
  std::string leftover;
  absl::Status s;
  if (!DurableFiles::Exists(place)) {
    s = files_.Rename(fresh, place);
  } else {
    s = files_.Exchange(fresh, place);
    leftover = fresh;
    if (absl::IsUnimplemented(s)) {
      leftover = old;
      s = files_.Rename(place, old);
      if (s.ok()) s = files_.Rename(fresh, place);
    }
  }
  if (s.ok()) s = files_.SyncDirectory(dir_);
  // The finding is safe by now; what could not be removed the next writer removes.
  if (s.ok() && !leftover.empty()) files_.RemoveDirectory(leftover).IgnoreError();
  return s;
}

absl::Status LockedStore::WriteInfo(const Finding& finding, const std::string& name) {
  const std::string place = Path("", name);
  const std::string fresh = absl::StrCat(place, "/", kNewInfo);
  absl::Status s = files_.Write(fresh, InfoText(finding));
  if (s.ok()) s = files_.Rename(fresh, absl::StrCat(place, "/", kInfo));
  if (s.ok()) s = files_.SyncDirectory(place);
  return s;
}

absl::StatusOr<SaveOutcome> LockedStore::Save(Finding finding) {
  const std::string name = finding.signature.FileName();
  if (absl::Status s = Repair(name); !s.ok()) return s;
  SaveOutcome outcome;
  outcome.path = Path("", name);
  absl::StatusOr<Finding> present = LoadFrom(outcome.path, name);
  if (present.ok()) {
    // The minimised form of a finding is not another sighting of it.
    const uint64_t seen = present->times_seen + (finding.minimised ? 0 : 1);
    outcome.kind =
        Better(finding, *present) ? SaveOutcome::Kind::kReplaced : SaveOutcome::Kind::kCounted;
    finding.times_seen = present->times_seen = seen;
    if (outcome.kind == SaveOutcome::Kind::kCounted) {
      if (finding.minimised) return outcome;  // nothing to note
      if (absl::Status s = WriteInfo(*present, name); !s.ok()) return s;
      return outcome;
    }
  } else if (!absl::IsNotFound(present.status()) || DurableFiles::Exists(outcome.path)) {
    return present.status();  // somebody's damaged files: neither trust nor overwrite them
  } else {
    finding.times_seen = 1;
  }
  absl::Status s = WriteNew(finding, name);
  if (s.ok()) s = PutInPlace(name);
  if (!s.ok()) {
    // Free the space and leave no half-made directory; if not even that works, the next Open does
    // it.
    Repair(name).IgnoreError();
    return s;
  }
  return outcome;
}

std::string FallbackDir(const FindingStoreOptions& options) {
  std::string base = options.fallback_dir;
  if (base.empty()) {
    const char* tmp = std::getenv("TMPDIR");
    base = tmp != nullptr && *tmp != '\0' ? tmp : "/tmp";
  }
  return absl::StrCat(base, "/mmdiff-crashes");
}

// With write(2), so that it needs no memory and no buffer.
void PrintToStderr(const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(STDERR_FILENO, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    done += static_cast<size_t>(n);
  }
}

absl::StatusOr<SaveOutcome> SaveIn(const std::string& dir, const FindingStoreOptions& options,
                                   const Finding& finding) {
  absl::StatusOr<LockedStore> store = LockedStore::Take(dir, options);
  if (!store.ok()) return store.status();
  return store->Save(finding);
}

}  // namespace

absl::StatusOr<FindingStore> FindingStore::Open(const std::string& dir,
                                                FindingStoreOptions options) {
  if (DurableFiles::Exists(dir) && !DurableFiles::IsDirectory(dir)) {
    return absl::FailedPreconditionError(
        absl::StrCat(dir, " is not a directory; name another place for the findings"));
  }
  // A file-size limit must make a write fail, not kill the process with the finding in its memory.
  struct sigaction now;
  if (sigaction(SIGXFSZ, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) signal(SIGXFSZ, SIG_IGN);
  absl::StatusOr<LockedStore> store = LockedStore::Take(dir, options);
  // A directory that cannot be repaired now cannot be written either: Save will use the second
  // place.
  if (store.ok()) store->RepairAll().IgnoreError();
  return FindingStore(dir, std::move(options));
}

absl::StatusOr<SaveOutcome> FindingStore::Save(const Finding& finding) {
  Finding valid = finding;
  Fixup(&valid.original);  // text can only hold valid programs; a valid one is not changed
  Fixup(&valid.repro);
  absl::StatusOr<SaveOutcome> saved = SaveIn(dir_, options_, valid);
  if (saved.ok()) return saved;
  const std::string fallback = FallbackDir(options_);
  absl::StatusOr<SaveOutcome> second = SaveIn(fallback, options_, valid);
  if (second.ok()) {
    second->fell_back = true;
    second->warning = absl::StrCat("the finding was written to ", second->path, " because ", dir_,
                                   " cannot be written: ", std::string(saved.status().message()));
    return second;
  }
  const std::string why = absl::StrCat(std::string(saved.status().message()), "; ",
                                       std::string(second.status().message()));
  PrintToStderr(absl::StrCat("mmdiff: A FINDING COULD NOT BE WRITTEN (", why,
                             "). Here it is; save it before it scrolls away.\n", "# signature ",
                             valid.signature.FileName(), "\n# minimised\n", PrintText(valid.repro),
                             "# original\n", PrintText(valid.original), "# end\n"));
  return absl::DataLossError(absl::StrCat(
      "the finding ", valid.signature.FileName(), " was written nowhere but to stderr: ", why,
      ". Free disk space, or make ", dir_, " or ", fallback, " writable."));
}

std::vector<std::string> FindingStore::List() const {
  std::vector<std::string> names;
  for (std::string& entry : DurableFiles::Entries(dir_)) {
    if (entry.starts_with('.')) continue;
    if (DurableFiles::Exists(absl::StrCat(dir_, "/", entry, "/", kRepro))) {
      names.push_back(std::move(entry));
    }
  }
  return names;
}

absl::StatusOr<Finding> FindingStore::Load(const std::string& name) const {
  if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("\"", name, "\" is not the name of a finding"));
  }
  return LoadFrom(absl::StrCat(dir_, "/", name), name);
}

}  // namespace mmdiff
