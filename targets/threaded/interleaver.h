// Interleaver: runs threads of the model one at a time and lets a seed say which.
//
// It installs itself as the hook of the model's synchronisation layer, so that each yield point and
// each lock is a place where the next thread is drawn. The same seed and program give the same
// interleaving. It never runs anything itself. A switch costs a wake-up of a thread.
#ifndef MMDIFF_TARGETS_THREADED_INTERLEAVER_H_
#define MMDIFF_TARGETS_THREADED_INTERLEAVER_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "program/random.h"

namespace mmdiff {

class Interleaver {
 public:
  // One at a time in a process; it must outlive its threads. `threads` will call Enter.
  Interleaver(uint64_t seed, uint32_t threads);
  ~Interleaver();
  Interleaver(const Interleaver&) = delete;
  Interleaver& operator=(const Interleaver&) = delete;

  // Called by thread `index` (below `threads`) before it does anything; waits until it is drawn.
  void Enter(uint32_t index);
  // Called by each thread when it is done.
  void Leave();
  // A place where another thread may go on. Those called kBlocked always are one.
  void Point(const char* name);

  uint64_t points() const { return points_; }
  uint64_t switches() const { return switches_; }
  // Hash of the names of all points and of the threads that went on; once all have left.
  uint64_t trace() const { return trace_; }

 private:
  void Next(std::unique_lock<std::mutex>& held, bool other);

  std::mutex mutex_;
  std::condition_variable changed_;
  Random random_;
  std::vector<uint32_t> live_;  // indices of threads that have not left, ascending
  uint32_t threads_;
  uint32_t entered_ = 0;
  uint32_t current_ = UINT32_MAX;
  uint64_t points_ = 0;
  uint64_t switches_ = 0;
  uint64_t trace_ = 0;
};

}  // namespace mmdiff

#endif  // MMDIFF_TARGETS_THREADED_INTERLEAVER_H_
