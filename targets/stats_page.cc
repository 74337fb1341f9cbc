#include "targets/stats_page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mmdiff {

uint64_t InputHash(const uint8_t* data, size_t size) {
  uint64_t h = 0xcbf29ce484222325ull;
  for (size_t i = 0; i < size; ++i) h = (h ^ data[i]) * 0x100000001b3ull;
  return h;
}

absl::StatusOr<SharedStats> SharedStats::Map(const std::string& path, bool create) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_TRUNC : 0), 0644);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open the stats page ", path));
  struct stat st = {};
  const bool sized =
      create ? ftruncate(fd, sizeof(StatsPage)) == 0
             : fstat(fd, &st) == 0 && static_cast<size_t>(st.st_size) == sizeof(StatsPage);
  if (!sized) {
    const int error = create ? errno : 0;
    close(fd);
    if (create)
      return absl::ErrnoToStatus(error, absl::StrCat("cannot size the stats page ", path));
    return absl::FailedPreconditionError(
        absl::StrCat("the stats page ", path, " is of another build; remove it and start again"));
  }
  void* memory = mmap(nullptr, sizeof(StatsPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const int error = errno;
  close(fd);
  if (memory == MAP_FAILED) {
    return absl::ErrnoToStatus(error, absl::StrCat("cannot map the stats page ", path));
  }
  auto* page = static_cast<StatsPage*>(memory);
  SharedStats stats(page);
  if (create) {
    page->magic = StatsPage::kMagic;
    page->bytes = sizeof(StatsPage);
  } else if (page->magic != StatsPage::kMagic || page->bytes != sizeof(StatsPage)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is not a stats page of this build; remove it and start again"));
  }
  return stats;
}

absl::StatusOr<SharedStats> SharedStats::Create(const std::string& path) { return Map(path, true); }
absl::StatusOr<SharedStats> SharedStats::Open(const std::string& path) { return Map(path, false); }

SharedStats& SharedStats::operator=(SharedStats&& other) noexcept {
  std::swap(page_, other.page_);
  return *this;
}

SharedStats::~SharedStats() {
  if (page_ != nullptr) munmap(page_, sizeof(StatsPage));
}

void SharedStats::Begin(const Program& program, const uint8_t* data, size_t size) {
  const size_t nops = std::min(program.ops.size(), kMaxOps);
  page_->world = program.world;
  std::copy_n(program.ops.data(), nops, page_->ops);
  page_->nops.store(static_cast<uint32_t>(nops), std::memory_order_relaxed);
  page_->input_hash.store(InputHash(data, size), std::memory_order_relaxed);
  page_->input_size.store(size, std::memory_order_relaxed);
  page_->progress.op_index.store(RunProgress::kIdle, std::memory_order_relaxed);
  page_->phase.store(WorkerPhase::kRunning, std::memory_order_release);
}

std::optional<Program> SharedStats::CurrentProgram() const {
  if (page_->phase.load(std::memory_order_acquire) == WorkerPhase::kIdle) return std::nullopt;
  Program program;
  program.world = page_->world;
  const size_t nops = std::min<size_t>(page_->nops.load(std::memory_order_relaxed), kMaxOps);
  program.ops.assign(page_->ops, page_->ops + nops);
  return program;
}

}  // namespace mmdiff
