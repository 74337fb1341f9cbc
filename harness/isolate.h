// Isolation: runs code that may crash or hang in a child process, and says where it did.
//
// The child shares a Beacon with its parent, has its own process group and a time limit after which
// the whole group is killed, and its error output is kept (the last part of it). Nothing the child
// does can take the parent down or appear in the parent's own output. Costs one fork per call,
// about a millisecond; meant for crashes and hangs, not for the fuzzing loop.
#ifndef MMDIFF_HARNESS_ISOLATE_H_
#define MMDIFF_HARNESS_ISOLATE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/beacon.h"
#include "harness/explain.h"
#include "harness/lockstep.h"
#include "harness/signature.h"
#include "program/program.h"

namespace mmdiff {

struct IsolateLimits {
  // After this the child's process group is killed. Counted anew when an implementation has started
  // in it (harness/starting.h).
  uint32_t time_ms = 2000;
  size_t output_bytes = 64u << 10;  // of the output, the last so many are kept
  uint64_t memory_bytes = 0;  // address space (RLIMIT_AS); 0: no limit. Ignored under sanitizers
};

// How a child ended.
struct ChildEnd {
  enum class Kind : uint8_t { kReturned, kExited, kSignalled, kTimedOut };
  Kind kind = Kind::kReturned;
  int code = 0;               // exit code of kExited, signal number of kSignalled
  std::string answer;         // what the body returned; kReturned only
  std::string output;         // the last part of what it wrote to stderr and stdout
  bool lit = false;           // it was between Beacon::Begin() and End()
  Beacon::Position position;  // where, if lit
};

// Runs `body` in a child process and waits for it. An error means that no child could be started or
// watched (fork, pipe or mmap failed), never anything that the child did. `body` may use everything
// the parent has in memory; its changes are lost. Only the calling thread exists in the child.
absl::StatusOr<ChildEnd> RunInChild(const std::function<std::string(Beacon&)>& body,
                                    const IsolateLimits& limits);

// What became of a program.
struct IsolatedOutcome {
  enum class Kind : uint8_t {
    kOk,
    kFinding,    // lockstep ended in a divergence, a broken invariant or a fault of the harness
    kCrash,      // a signal
    kSanitizer,  // a report of ASan, UBSan, TSan or LSan
    kBug,        // a failed assertion of an implementation
    kHang,       // killed at the time limit
    kExit,       // an implementation ended the process by itself
  };
  Kind kind = Kind::kOk;
  Signature signature;               // empty text if ok
  uint32_t op = RunProgress::kIdle;  // the operation it happened in
  std::string impl;                  // the implementation that ran it; empty if unknown
  std::string detail;                // one line: "SIGSEGV in fork (op 3) of model"
  std::string output;                // the last part of stderr
  Repeats repeats;                   // Divergence::repeats, of a kFinding

  bool ok() const { return kind == Kind::kOk; }
};
// "ok", "finding", "crash", "sanitizer", "bug", "hang", "exit".
const char* IsolatedKindName(IsolatedOutcome::Kind kind);

// Runs `program` in lockstep on what `make` makes of `specs`, in a child. An error is a child that
// could not be started, or what `make` gives.
absl::StatusOr<IsolatedOutcome> RunIsolated(const Program& program, std::string_view specs,
                                            const ContestantsFactory& make,
                                            const RunOptions& options, const IsolateLimits& limits);
// The same with implementations made before. Those of this process stay as they are: the child runs
// on its copy, but for what is slow to start (Implementation::Lend), which is lent to it: many
// programs then cost one start.
absl::StatusOr<IsolatedOutcome> RunIsolated(const Program& program, Lockstep& lockstep,
                                            const RunOptions& options, const IsolateLimits& limits);

// What the end of a child that ran `program` means; also for supervisors that watch a process of
// their own and have its Beacon. `leaders` are the names of Contestants::leaders. Not for
// kReturned.
IsolatedOutcome Attribute(const ChildEnd& end, const Program& program,
                          const std::vector<std::string>& leaders);

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_ISOLATE_H_
