// Turns the strace log of a real program into programs of the language.
//
// What the language cannot say exactly is left out and counted, never approximated: an mremap that
// moves, a file's true length, signals. Addresses keep their place within a page table and their
// distance to near neighbours; wide gaps between mappings are closed so that everything fits the
// arena. Page touches are not in a log, so each new mapping is touched as its protection permits,
// if asked. A log is cut into
// programs of bounded length; one that begins in mid-log maps anew what its calls refer to.
// Never runs anything. About O(lines of the log x operations of one program).
#ifndef MMDIFF_PROGRAM_IMPORT_STRACE_H_
#define MMDIFF_PROGRAM_IMPORT_STRACE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "program/program.h"

namespace mmdiff {

// Small tables, and room for the mappings of a real program: a thousand pages and loose limits.
World ImportWorld();

struct ImportOptions {
  World world = ImportWorld();
  size_t max_ops = 256;      // operations of one program; a longer log becomes several
  size_t max_programs = 64;  // what comes after is counted as skipped
  uint32_t max_npages =
      64;  // longer ranges are cut to this length (plus their remainder in a table)
  uint32_t page_shift = 12;  // log2 of the page size of the traced machine
  bool touch = true;         // access each new mapping as its protection permits
  std::string file_name;     // put before the line in messages
};

struct ImportReport {
  size_t lines = 0;  // of the log
  size_t calls = 0;  // complete system calls that the log holds
  size_t used = 0;   // calls that became operations
  size_t operations = 0;
  size_t programs = 0;
  // Why the other calls were left out; the reason is a phrase, such as "mremap that moves".
  std::map<std::string, size_t> skipped;
  // The lines with broken syntax, "file:12: ..."; at most 20 are kept. They are also counted in
  // skipped.
  std::vector<std::string> broken;
};

inline constexpr size_t kMaxStraceBytes = 256u << 20;

// The programs of the log, all of them valid. InvalidArgument if the log is not one of strace or
// holds nothing that can be used; the message names the first line that is wrong and what is
// expected.
absl::StatusOr<std::vector<Program>> ImportStrace(std::string_view log,
                                                  const ImportOptions& options,
                                                  ImportReport* report);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_IMPORT_STRACE_H_
