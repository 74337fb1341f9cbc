// Threaded run: several threads run the operations of a program on one model at once, with real
// locks.
//
// Which operations meet is left to the machine, or to an Interleaver's seed. Afterwards, with all
// threads gone and the per-CPU batches drained, every count that the model keeps must equal what
// its page tables, holders and lists say. Results of operations are not compared: they depend on
// who was first. It never looks at a second implementation. A run costs its operations plus
// O(state) at the end.
#ifndef MMDIFF_TARGETS_THREADED_THREADED_RUN_H_
#define MMDIFF_TARGETS_THREADED_THREADED_RUN_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "harness/implementation.h"
#include "program/program.h"
#include "targets/threaded/interleaver.h"

namespace mmdiff {

struct ThreadedResult {
  std::string broken;  // empty, or the first broken invariant
  uint64_t operations = 0;
  uint64_t effective = 0;  // of these, how many had no error
  uint64_t trace = 0;      // with an Interleaver: hash of all switches and of all results; else 0
  std::array<uint32_t, kOpcodes> done{};  // operations without error, by opcode
};

class ThreadedMachine {
 public:
  // A model with the switches of `spec`; nullptr and *error if there is no such switch. `threads`
  // is 1 to 64.
  static std::unique_ptr<ThreadedMachine> Make(std::string_view spec, uint32_t threads,
                                               std::string* error);
  ~ThreadedMachine();

  // Empties the machine and runs each operation of the program (valid: see fixup.h) on the thread
  // op.thread % threads. A thread waits for the others at the end of every window of kWindow
  // operations of the program, so that most handles are bound when they are used. With
  // `interleaver` one thread runs at a time.
  ThreadedResult Run(const Program& program, Interleaver* interleaver = nullptr);

  static constexpr size_t kWindow = 32;

 private:
  ThreadedMachine(std::unique_ptr<Implementation> model, uint32_t threads);

  std::unique_ptr<Implementation> model_;
  uint32_t threads_;
  std::vector<std::unique_ptr<ChoiceLog>> logs_;  // one a thread
};

// One program out of several of the same world: program i runs on thread i, with processes, files
// and handles of its own. They share the machine: zones, LRU lists, batches, swap.
Program Combine(const std::vector<Program>& programs);

}  // namespace mmdiff

#endif  // MMDIFF_TARGETS_THREADED_THREADED_RUN_H_
