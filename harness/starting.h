// Starting: tells whoever watches over this process that an implementation starts just now, or that
// one answers whose time is watched elsewhere.
//
// A virtual machine takes seconds to boot, on a busy machine many, and gets as much time for a
// program as it uses of the CPU; that is no hang of this process, so the watch begins anew when it
// is over. Whoever says so has a limit of its own. The word lies in memory shared with the watcher
// (RunProgress::starting) and counts those that are under way, for several threads may run
// programs. Never waits. Costs an atomic addition.
#ifndef MMDIFF_HARNESS_STARTING_H_
#define MMDIFF_HARNESS_STARTING_H_

#include <atomic>
#include <cstdint>

namespace mmdiff {

// Under way as long as it exists.
class Starting {
 public:
  Starting();
  ~Starting();
  Starting(const Starting&) = delete;
  Starting& operator=(const Starting&) = delete;

  // Where this process tells it, from now on; the word is set to 0. Null: nowhere, as at first.
  static void TellAt(std::atomic<uint32_t>* word);

 private:
  std::atomic<uint32_t>* const word_;
};

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_STARTING_H_
