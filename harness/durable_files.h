// Durable files: the few file-system calls that keeping findings needs, each synced and each able
// to fail.
//
// Every call that changes something asks a hook first, so that tests can kill the process or fill
// the disk between any two of them. It knows nothing of findings. Each write costs an fsync.
#ifndef MMDIFF_HARNESS_DURABLE_FILES_H_
#define MMDIFF_HARNESS_DURABLE_FILES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mmdiff {

class DurableFiles {
 public:
  // Gets the name of a system call and its path; returns 0, or the errno that the call is to fail
  // with.
  using Hook = std::function<int(std::string_view call, const std::string& path)>;

  explicit DurableFiles(Hook hook) : hook_(std::move(hook)) {}

  // All errors carry the errno's meaning, the call and the path.
  // Makes `path` and what is missing above it.
  absl::Status MakeDirectories(const std::string& path) const;
  // Creates or truncates, writes, syncs. The directory is not synced.
  absl::Status Write(const std::string& path, std::string_view contents) const;
  absl::Status SyncDirectory(const std::string& path) const;
  absl::Status Rename(const std::string& from, const std::string& to) const;
  // Swaps two directories at one stroke. Unimplemented where the file system cannot.
  absl::Status Exchange(const std::string& a, const std::string& b) const;
  absl::Status Link(const std::string& from, const std::string& to) const;
  // Removes a directory and the files in it; fine if it does not exist.
  absl::Status RemoveDirectory(const std::string& path) const;
  // Removes a file; fine if it does not exist.
  absl::Status RemoveFile(const std::string& path) const;

  static absl::StatusOr<std::string> Read(const std::string& path);
  static bool IsDirectory(const std::string& path);
  static bool Exists(const std::string& path);
  // Names in a directory without "." and "..", sorted; empty if it cannot be read.
  static std::vector<std::string> Entries(const std::string& path);

 private:
  // 0 if the call may be made; otherwise sets errno and returns -1.
  int Ask(const char* call, const std::string& path) const;

  Hook hook_;
};

// An exclusive lock on a file that all processes using a directory agree on; freed by the
// destructor and by the death of the process.
class DirectoryLock {
 public:
  DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  DirectoryLock(const DirectoryLock&) = delete;
  ~DirectoryLock();

  // Waits for the lock file `path`, at most so long; DeadlineExceeded then.
  static absl::StatusOr<DirectoryLock> Take(const std::string& path, uint32_t timeout_ms);

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_DURABLE_FILES_H_
