// Worker: a Linux kernel that runs as another process and executes programs for this one.
//
// The process is a kernel built as a program (kernel/uml) or a virtual machine (kernel/guest).
// The process is started with a piece of shared memory (wire.h), has its own process group, dies
// with the thread that started it, sees no input, and its console is kept. A program is handed over
// whole and its answers are read from the shared memory, also after the process has died in the
// middle. A process that crashes, ends or hangs is killed with its whole group and never used
// again. A child of this process may be lent it. It knows no references and compares nothing.
//
// Start costs a boot, some 50 ms, of a virtual machine two to ten seconds; Run costs what the
// program costs the kernel and two wake-ups.
#ifndef MMDIFF_KERNEL_WORKER_H_
#define MMDIFF_KERNEL_WORKER_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kernel/launch.h"
#include "kernel/wire.h"
#include "program/program.h"

namespace mmdiff {

struct WorkerOptions {
  Machine machine = Machine::kProcess;
  std::string executable;              // path of the kernel, or of QEMU
  std::vector<std::string> arguments;  // added to its command line
  // For messages: what it is ("guest 6.12.117"; empty: the executable), and what to do about one
  // that is not there or does not boot.
  std::string name;
  std::string remedy = "build one with ./mmdiff kernel build --debian 6.12";
  uint32_t boot_ms = 10000;  // that it may take to boot
  // That a program may take before it counts as hung: of the clock; of a virtual machine, of the
  // CPU time that it uses.
  uint32_t program_ms = 5000;
  // Boots that are tried before one that ends by itself, or in a report, is an error: QEMU's
  // emulation has faults of its own. One that is late, or of another version, is not tried again.
  uint32_t boots = 1;
};

enum class WorkerEnd : uint8_t {
  kOk,
  kLeak,    // the program's end left something behind
  kReport,  // the kernel reported a bug: its console says which. A report that it survived (a bad
            // page, a lockdep splat) is put down to the last operation, for nobody knows better
  kDied,    // the process ended without a word
  kHung,    // it was killed at the time limit
};

// How a program ended.
struct WorkerRun {
  WorkerEnd end = WorkerEnd::kOk;
  uint32_t op_index = 0;  // the operation it is put down to; not kOk only
  uint32_t answered = 0;  // operations whose results, choices and digests are there
  std::string text;       // one line; not kOk only
  std::string console;    // what the kernel printed since it booted, the last 64 KiB; not kOk only
};

class Worker {
 public:
  static constexpr size_t kConsoleBytes = 64u << 10;

  // Starts the process and waits until the kernel has booted. Error: NotFound if the executable is
  // not there, FailedPrecondition if it cannot run, is of another version of the wire or does not
  // boot, with what it printed and what to do; Internal if the system refuses memory or processes.
  static absl::StatusOr<std::unique_ptr<Worker>> Start(const WorkerOptions& options);
  // Kills the process.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Runs the operations from an empty machine. States are there from operation `snap_from` on
  // (MMDIFF_WIRE_IDLE: none) as far as there is room; `flags` are mmdiff_wire_flags. Anything but
  // kOk has ended the process. Needs usable().
  WorkerRun Run(const World& world, const std::vector<Op>& ops, uint32_t snap_from, uint32_t flags);

  // Whether it can run another program: it lives, and this process has started it or is lent it.
  // After any other fork the child has to start one of its own.
  bool usable() const;
  // Between the two, children of this process may run programs while it waits for them. One that a
  // child has left dead, or in the middle of a program, is not usable afterwards.
  void Lend();
  void TakeBack();
  uint64_t runs() const { return wire_->request; }  // programs run since it booted
  // What the last program left. Stays readable after the process has died.
  const mmdiff_wire& wire() const { return *wire_; }
  std::string release() const;    // "6.12.117"
  std::string BootWords() const;  // what it printed before it had booted
  std::string features() const;   // "kasan debug_vm coverage"; of a guest, its grade first

 private:
  Worker() = default;
  static absl::StatusOr<std::unique_ptr<Worker>> StartOnce(const WorkerOptions& options,
                                                           bool* again);
  absl::Status Prepare(const WorkerOptions& options);
  absl::Status Spawn(const WorkerOptions& options);
  // `again`: it failed in a way that another try may not.
  absl::Status WaitForBoot(const WorkerOptions& options, bool* again);
  bool borrowed() const;
  // Waits until *word is `value`. False if the process ended or the time is up.
  std::chrono::nanoseconds TimeUsed(std::chrono::steady_clock::time_point since,
                                    int64_t cpu_since) const;
  int64_t CpuTimeNs() const;
  bool WaitFor(uint32_t* word, uint32_t value, uint32_t ms);
  bool Reap();
  void Kill();
  void LetItEnd();
  void TrimConsole();
  bool ReportsQuietly();
  std::string ConsoleFrom(int64_t from, int64_t to = INT64_MAX) const;
  std::string Console() const;
  std::string HowItEnded() const;

  WorkerOptions options_;
  mmdiff_wire* wire_ = nullptr;
  int wire_fd_ = -1;
  int console_fd_ = -1;
  int64_t console_from_ = 0;  // what was printed before is of the boot
  int64_t console_seen_ = 0;  // what was printed before holds no report
  std::string console_cut_;   // of a console that grew too large: the last part of what was cut off
  pid_t pid_ = -1;            // -1: ended and reaped
  pid_t owner_ = -1;          // the process that started it
  bool lent_ = false;
  int end_fd_ = -1;  // says to whoever is lent it that the process has ended
  int wait_status_ = 0;
};

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_WORKER_H_
