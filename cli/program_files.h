// Programs and other text on disk: finding, reading and writing them.
//
// Reads never guess: an unreadable file, a file too large or a syntax error gives an error that
// names file, line and column. Writes go to a temporary name and are renamed, so that a reader
// never sees half a file. Costs are those of the file system and of the parser.
#ifndef MMDIFF_CLI_PROGRAM_FILES_H_
#define MMDIFF_CLI_PROGRAM_FILES_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "program/program.h"

namespace mmdiff {

// The whole of a file; "-" is standard input. At most `max_bytes`.
absl::StatusOr<std::string> ReadText(const std::string& path, size_t max_bytes = 256u << 20);
// Replaces the file at once.
absl::Status WriteText(const std::string& path, std::string_view text);
// Writes to `path`, or to standard output if it is empty.
absl::Status WriteOutput(const std::string& path, std::string_view text);
// Makes a directory with its parents.
absl::Status MakeDirectory(const std::string& path);

struct NamedProgram {
  std::string name;  // path
  Program program;
};
absl::StatusOr<NamedProgram> ReadProgram(const std::string& path);
// Every *.mmdiff below these directories, sorted by path, and files as they are. An empty result is
// no error for a directory; a path that is not there is.
absl::StatusOr<std::vector<std::string>> FindPrograms(const std::vector<std::string>& paths);
absl::StatusOr<std::vector<NamedProgram>> ReadPrograms(const std::vector<std::string>& paths);

// One program to a file, or several to numbered files in a directory; to standard output if
// `output` is empty. `stem` is the first part of the numbered names.
absl::Status WritePrograms(const std::vector<Program>& programs, const std::string& output,
                           const std::string& stem);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_PROGRAM_FILES_H_
