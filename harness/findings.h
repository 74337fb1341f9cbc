// FindingStore: keeps what was found, one directory per signature, and never loses any of it.
//
//   crashes/<signature>/repro.mmdiff     the simplest program known to show it
//                       original.mmdiff  the program that repro.mmdiff was made from
//                       report.txt, report.json   what explain says about repro.mmdiff
//                       console.txt      what an implementation that failed by itself said
//                       info.json        signature, implementations, switches, build, seed, counts,
//                                        how often it came again when it was run again
//
// A finding is written under a temporary name, synced and renamed; replacing one exchanges whole
// directories, so that at every moment the old or the new one is there in full. If the directory
// cannot be written (disk full, read-only), a second place is used, and at last the program is
// printed to stderr. Several processes may share a store. It never judges a finding and never runs
// a program. Save costs a few fsyncs, milliseconds; Open costs one scan of the directory.
#ifndef MMDIFF_HARNESS_FINDINGS_H_
#define MMDIFF_HARNESS_FINDINGS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "harness/implementation.h"
#include "harness/signature.h"
#include "program/program.h"

namespace mmdiff {

struct Finding {
  Signature signature;  // FileName() is the name of the directory
  std::string kind;     // "divergence", "crash", "sanitizer", "bug", "hang", ...
  Program original;     // as it was found
  Program repro;        // minimised; the same as `original` before it was
  bool minimised = false;
  std::string report_text;                   // may be empty
  std::string report_json;                   // may be empty
  std::string console;                       // Divergence::log; may be empty
  Repeats repeats;                           // Divergence::repeats
  std::vector<std::string> implementations;  // as on the command line
  std::vector<std::string> switches;         // those that were off, "model:-fast_fork"
  std::string build;                         // one line: compiler, type, sanitizer, version
  uint64_t seed = 0;
  std::map<std::string, uint64_t> counts;  // by name: programs, operations, reducer runs ...
  uint64_t times_seen = 1;                 // kept by the store
};

struct SaveOutcome {
  enum class Kind {
    kNew,       // first finding with this signature
    kReplaced,  // simpler than what was there, which it replaced
    kCounted,   // not simpler: only counted
  };
  Kind kind = Kind::kNew;
  std::string path;        // the directory that holds it
  bool fell_back = false;  // the store could not be written; `path` is in the second place
  std::string warning;     // why, if fell_back
};

struct FindingStoreOptions {
  // Second place if the store cannot be written; empty: $TMPDIR, or /tmp. A directory
  // "mmdiff-crashes" is made in it.
  std::string fallback_dir;
  // How long to wait for another process that holds the store's lock before the second place is
  // used.
  uint32_t lock_timeout_ms = 10000;
  // Called before each system call that changes something, with its name and path; returns 0, or an
  // errno that the call is to fail with. For tests of interruption and full disks.
  std::function<int(std::string_view call, const std::string& path)> before_call;
};

class FindingStore {
 public:
  // Makes `dir` if it is missing, completes or removes what interrupted writers left. Not being
  // able to write there is no error yet: Save then uses the second place. Fails if `dir` exists and
  // is no directory.
  static absl::StatusOr<FindingStore> Open(const std::string& dir, FindingStoreOptions options);

  // Keeps a finding. Call it once with the raw program before minimising, then with minimised =
  // true; the second call of the same finding does not count as another sighting. With an equal
  // signature the simpler program stays (harness/simplicity.h). An error means that no file could
  // be written anywhere; the program has then been printed to stderr, and the exit code must be 3.
  absl::StatusOr<SaveOutcome> Save(const Finding& finding);

  // Directory names of the findings, sorted; those of the second place are not included.
  std::vector<std::string> List() const;

  // The finding in the directory of this name (Signature::FileName()). NotFound if there is none;
  // DataLoss with the file's name if one does not parse.
  absl::StatusOr<Finding> Load(const std::string& name) const;

  const std::string& dir() const { return dir_; }

 private:
  FindingStore(std::string dir, FindingStoreOptions options)
      : dir_(std::move(dir)), options_(std::move(options)) {}

  std::string dir_;
  FindingStoreOptions options_;
};

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_FINDINGS_H_
