// Beacon: a page shared with a parent process that says which operation of which program runs now.
//
// A process that runs programs notes each program once; lockstep then notes the operation and the
// implementation as it goes. If the process dies or hangs, whoever shares the page reads from it
// what it was at. It never compares and is no log: it holds the present only. Noting an operation
// is one or two relaxed stores; Begin() copies the operations (28 bytes each); nothing allocates
// after Create().
#ifndef MMDIFF_HARNESS_BEACON_H_
#define MMDIFF_HARNESS_BEACON_H_

#include <atomic>
#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "harness/lockstep.h"
#include "program/program.h"

namespace mmdiff {

class Beacon {
 public:
  // Maps an anonymous shared page that children of fork() inherit. Fails only if mmap does. About
  // 0.5 MiB of address space, of which only what the programs need is ever touched.
  static absl::StatusOr<Beacon> Create();

  Beacon(Beacon&& other) noexcept : shared_(other.shared_) { other.shared_ = nullptr; }
  Beacon& operator=(Beacon&& other) noexcept;
  Beacon(const Beacon&) = delete;
  Beacon& operator=(const Beacon&) = delete;
  ~Beacon();

  // Writer side
  // ------------------------------------------------------------------------------------- `program`
  // is about to run. Operations above kMaxOps are left out. O(operations), no allocation.
  void Begin(const Program& program);
  // For RunOptions::progress: lockstep notes each operation here.
  RunProgress* progress() { return &shared_->progress; }
  // The program ran to its end; the beacon is dark until the next Begin().
  void End();

  // Reader side, in any process that shares the page
  // ------------------------------------------------
  struct Position {
    uint32_t op = RunProgress::kIdle;  // kIdle: between operations (reset, comparison at the end)
    uint32_t leader = 0;               // place in Contestants::leaders
    bool in_reference = false;         // the reference of that leader was running
    bool operator==(const Position&) const = default;
  };
  // True between Begin() and End().
  bool lit() const;
  // Where the program is, or was when its process died.
  Position position() const;
  // The program that runs or ran; nothing if the beacon is dark. Expectations are not carried.
  std::optional<Program> program() const;
  // An implementation starts now, which may take longer than any program.
  bool starting() const;
  // Programs begun since Create(). A supervisor that sees it stand still knows of a hang.
  uint64_t programs() const;

 private:
  struct Shared {
    RunProgress progress;
    std::atomic<uint64_t> programs;
    std::atomic<uint32_t> lit;
    uint32_t nops;
    World world;
    Op ops[kMaxOps];
  };
  static_assert(std::atomic<uint64_t>::is_always_lock_free);

  explicit Beacon(Shared* shared) : shared_(shared) {}
  Shared* shared_;
};

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_BEACON_H_
