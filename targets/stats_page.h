// Stats page: what a fuzzing process tells whoever supervises it, through a file that both map.
//
// One process writes, any number read; counters only grow and survive a restart of the writer.
// Besides the counters it holds the program that runs right now and how far it is, so that a death
// or a hang can be attributed. It is no log and knows no fuzz engine. Writing costs relaxed stores
// and a copy of the program.
#ifndef MMDIFF_TARGETS_STATS_PAGE_H_
#define MMDIFF_TARGETS_STATS_PAGE_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "harness/lockstep.h"
#include "program/program.h"

namespace mmdiff {

enum class WorkerPhase : uint32_t {
  kIdle,     // between programs
  kRunning,  // a program runs
  kKeeping,  // a finding is saved, minimised and explained; do not interrupt
};

struct StatsPage {
  static constexpr uint64_t kMagic = 0x31656761'7066666dull;  // "mffpage1"
  uint64_t magic;
  uint64_t bytes;  // sizeof(StatsPage), so that different builds do not misread each other
  std::atomic<uint64_t> programs;
  std::atomic<uint64_t> operations;
  std::atomic<uint64_t> effective;    // operations that changed the state or returned data
  std::atomic<uint64_t> unsupported;  // operations that an implementation left out
  std::atomic<uint64_t> left_out;     // operations of inputs that an implementation lacks
  std::atomic<uint64_t> full_compares;
  std::atomic<uint64_t> sightings;  // programs that ended in a finding, known or new
  std::atomic<uint64_t> outcomes;   // pairs (operation, errno) seen since the process started
  std::atomic<WorkerPhase> phase;

  // The program that runs, valid while phase is kRunning or after the writer died in it.
  RunProgress progress;
  std::atomic<uint64_t> input_hash;  // InputHash() of the engine's bytes
  std::atomic<uint64_t> input_size;
  std::atomic<uint32_t> nops;
  World world;
  Op ops[kMaxOps];
};

// FNV-1a of the bytes an engine gave.
uint64_t InputHash(const uint8_t* data, size_t size);

// A mapped page; unmapped when destroyed.
class SharedStats {
 public:
  // Makes the file, all zero, or empties an old one. Fails if it cannot be written.
  static absl::StatusOr<SharedStats> Create(const std::string& path);
  // Maps a file that Create made. Fails if it is missing or of another build.
  static absl::StatusOr<SharedStats> Open(const std::string& path);

  SharedStats(SharedStats&& other) noexcept : page_(other.page_) { other.page_ = nullptr; }
  SharedStats& operator=(SharedStats&& other) noexcept;
  ~SharedStats();

  StatsPage& page() { return *page_; }
  const StatsPage& page() const { return *page_; }

  // Writer: `program`, made from these bytes, is about to run.
  void Begin(const Program& program, const uint8_t* data, size_t size);
  // Reader: the program that runs or ran when the writer died; nothing between programs.
  std::optional<Program> CurrentProgram() const;

 private:
  explicit SharedStats(StatsPage* page) : page_(page) {}
  static absl::StatusOr<SharedStats> Map(const std::string& path, bool create);
  StatsPage* page_;
};

}  // namespace mmdiff

#endif  // MMDIFF_TARGETS_STATS_PAGE_H_
