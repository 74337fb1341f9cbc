#include "cli/program_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "program/text.h"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;

constexpr char kExtension[] = ".mmdiff";

absl::Status ReadAll(int fd, const std::string& name, size_t max_bytes, std::string* text) {
  char buffer[1 << 16];
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n == 0) return absl::OkStatus();
    if (n < 0) {
      if (errno == EINTR) continue;
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", name));
    }
    if (text->size() + static_cast<size_t>(n) > max_bytes) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is larger than ", max_bytes, " bytes; split it"));
    }
    text->append(buffer, static_cast<size_t>(n));
  }
}

absl::Status WriteAll(int fd, const std::string& name, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", name));
    }
    text.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadText(const std::string& path, size_t max_bytes) {
  std::string text;
  if (path == "-") {
    if (absl::Status s = ReadAll(STDIN_FILENO, "standard input", max_bytes, &text); !s.ok())
      return s;
    return text;
  }
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  absl::Status status = ReadAll(fd, path, max_bytes, &text);
  close(fd);
  if (!status.ok()) return status;
  return text;
}

absl::Status WriteText(const std::string& path, std::string_view text) {
  const std::string temporary = absl::StrCat(path, ".tmp", getpid());
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path, "; name another place"));
  }
  absl::Status status = WriteAll(fd, path, text);
  if (status.ok() && fsync(fd) != 0) {
    status = absl::ErrnoToStatus(errno, absl::StrCat("cannot sync ", path));
  }
  close(fd);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = absl::ErrnoToStatus(errno, absl::StrCat("cannot rename to ", path));
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

absl::Status WriteOutput(const std::string& path, std::string_view text) {
  if (!path.empty() && path != "-") return WriteText(path, text);
  std::fflush(stdout);
  return WriteAll(STDOUT_FILENO, "standard output", text);
}

absl::Status MakeDirectory(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error || !fs::is_directory(path)) {
    return absl::ErrnoToStatus(error.value() != 0 ? error.value() : ENOTDIR,
                               absl::StrCat("cannot make the directory ", path));
  }
  return absl::OkStatus();
}

absl::StatusOr<NamedProgram> ReadProgram(const std::string& path) {
  absl::StatusOr<std::string> text = ReadText(path, kMaxTextBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<Program> program =
      ParseText(*text, {.file_name = path == "-" ? "stdin" : path, .snippet = false});
  if (!program.ok()) return program.status();
  return NamedProgram{path, *std::move(program)};
}

absl::StatusOr<std::vector<std::string>> FindPrograms(const std::vector<std::string>& paths) {
  std::vector<std::string> found;
  for (const std::string& path : paths) {
    std::error_code error;
    if (path == "-" || !fs::is_directory(path, error)) {
      if (path != "-" && !fs::exists(path, error)) {
        return absl::NotFoundError(absl::StrCat("there is no ", path));
      }
      found.push_back(path);
      continue;
    }
    const size_t before = found.size();
    for (auto it = fs::recursive_directory_iterator(path, error);
         !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
      if (it->is_regular_file() && it->path().extension() == kExtension) {
        found.push_back(it->path().string());
      }
    }
    if (error) {
      return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot read the directory ", path));
    }
    std::sort(found.begin() + static_cast<std::ptrdiff_t>(before), found.end());
  }
  return found;
}

absl::StatusOr<std::vector<NamedProgram>> ReadPrograms(const std::vector<std::string>& paths) {
  absl::StatusOr<std::vector<std::string>> files = FindPrograms(paths);
  if (!files.ok()) return files.status();
  std::vector<NamedProgram> programs;
  programs.reserve(files->size());
  for (const std::string& file : *files) {
    absl::StatusOr<NamedProgram> program = ReadProgram(file);
    if (!program.ok()) return program.status();
    programs.push_back(*std::move(program));
  }
  return programs;
}

absl::Status WritePrograms(const std::vector<Program>& programs, const std::string& output,
                           const std::string& stem) {
  if (output.empty() || output == "-") {
    std::string text;
    for (const Program& program : programs) absl::StrAppend(&text, PrintText(program));
    return WriteOutput("", text);
  }
  std::error_code error;
  if (programs.size() == 1 && !fs::is_directory(output, error)) {
    return WriteText(output, PrintText(programs[0]));
  }
  if (absl::Status s = MakeDirectory(output); !s.ok()) return s;
  for (size_t i = 0; i < programs.size(); ++i) {
    const std::string name = absl::StrFormat("%s/%s-%04d%s", output, stem, i, kExtension);
    if (absl::Status s = WriteText(name, PrintText(programs[i])); !s.ok()) return s;
  }
  return absl::OkStatus();
}

}  // namespace mmdiff
