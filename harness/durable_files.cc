#include "harness/durable_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <thread>

#include "absl/strings/str_cat.h"

namespace mmdiff {
namespace {

absl::Status Failed(int error, const char* call, const std::string& path) {
  return absl::ErrnoToStatus(error, absl::StrCat(call, " ", path));
}

// The directory part of a path, "." if it has none.
std::string Parent(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return "/";
  const size_t slash = path.rfind('/', end);
  if (slash == std::string::npos) return ".";
  const size_t last = path.find_last_not_of('/', slash);
  return last == std::string::npos ? "/" : path.substr(0, last + 1);
}

}  // namespace

int DurableFiles::Ask(const char* call, const std::string& path) const {
  if (!hook_) return 0;
  const int error = hook_(call, path);
  if (error == 0) return 0;
  errno = error;
  return -1;
}

absl::Status DurableFiles::MakeDirectories(const std::string& path) const {
  if (IsDirectory(path)) return absl::OkStatus();
  if (Exists(path)) return Failed(ENOTDIR, "mkdir", path);
  const std::string parent = Parent(path);
  if (absl::Status s = MakeDirectories(parent); !s.ok()) return s;
  if (Ask("mkdir", path) != 0 || (mkdir(path.c_str(), 0777) != 0 && errno != EEXIST)) {
    return Failed(errno, "mkdir", path);
  }
  return SyncDirectory(parent);
}

absl::Status DurableFiles::Write(const std::string& path, std::string_view contents) const {
  int fd = -1;
  if (Ask("open", path) == 0) {
    fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  }
  if (fd < 0) return Failed(errno, "open", path);
  const char* call = "write";
  int error = 0;
  while (!contents.empty() && error == 0) {
    const ssize_t n = Ask("write", path) != 0 ? -1 : write(fd, contents.data(), contents.size());
    if (n >= 0) {
      contents.remove_prefix(static_cast<size_t>(n));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (error == 0 && (Ask("fsync", path) != 0 || fsync(fd) != 0)) {
    call = "fsync";
    error = errno;
  }
  if (close(fd) != 0 && error == 0) {
    call = "close";
    error = errno;
  }
  return error == 0 ? absl::OkStatus() : Failed(error, call, path);
}

absl::Status DurableFiles::SyncDirectory(const std::string& path) const {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failed(errno, "open", path);
  int error = 0;
  if (Ask("fsync", path) != 0 || fsync(fd) != 0) error = errno;
  close(fd);
  // Some network file systems cannot sync a directory; there is nothing more to be done on them.
  return error == 0 || error == EINVAL ? absl::OkStatus() : Failed(error, "fsync", path);
}

absl::Status DurableFiles::Rename(const std::string& from, const std::string& to) const {
  if (Ask("rename", to) != 0 || rename(from.c_str(), to.c_str()) != 0) {
    return Failed(errno, "rename to", to);
  }
  return absl::OkStatus();
}

absl::Status DurableFiles::Exchange(const std::string& a, const std::string& b) const {
  if (Ask("renameat2", b) == 0 &&
      renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  if (error == EINVAL || error == ENOSYS || error == EOPNOTSUPP) {
    return absl::UnimplementedError(absl::StrCat("exchange of directories at ", b));
  }
  return Failed(error, "renameat2", b);
}

absl::Status DurableFiles::Link(const std::string& from, const std::string& to) const {
  if (Ask("link", to) != 0 || link(from.c_str(), to.c_str()) != 0) return Failed(errno, "link", to);
  return absl::OkStatus();
}

absl::Status DurableFiles::RemoveFile(const std::string& path) const {
  if (Ask("unlink", path) != 0 || (unlink(path.c_str()) != 0 && errno != ENOENT)) {
    return Failed(errno, "unlink", path);
  }
  return absl::OkStatus();
}

absl::Status DurableFiles::RemoveDirectory(const std::string& path) const {
  if (!Exists(path)) return absl::OkStatus();
  for (const std::string& name : Entries(path)) {
    if (absl::Status s = RemoveFile(absl::StrCat(path, "/", name)); !s.ok()) return s;
  }
  if (Ask("rmdir", path) != 0 || (rmdir(path.c_str()) != 0 && errno != ENOENT)) {
    return Failed(errno, "rmdir", path);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> DurableFiles::Read(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Failed(errno, "open", path);
  std::string contents;
  char buffer[65536];
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n > 0) {
      contents.append(buffer, static_cast<size_t>(n));
    } else if (n == 0 || errno != EINTR) {
      const int error = n == 0 ? 0 : errno;
      close(fd);
      if (error != 0) return Failed(error, "read", path);
      return contents;
    }
  }
}

bool DurableFiles::IsDirectory(const std::string& path) {
  struct stat st;
  return stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

bool DurableFiles::Exists(const std::string& path) {
  struct stat st;
  return lstat(path.c_str(), &st) == 0;
}

std::vector<std::string> DurableFiles::Entries(const std::string& path) {
  std::vector<std::string> names;
  DIR* dir = opendir(path.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<DirectoryLock> DirectoryLock::Take(const std::string& path, uint32_t timeout_ms) {
  using Clock = std::chrono::steady_clock;
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return Failed(errno, "open", path);
  DirectoryLock lock(fd);
  const auto deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return Failed(errno, "flock", path);
    if (Clock::now() >= deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat(path, " is held by another process for more than ", timeout_ms, " ms"));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return lock;
}

}  // namespace mmdiff
