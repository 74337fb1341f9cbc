// Ctrl-C and SIGTERM end campaigns cleanly while an InterruptGuard lives; a second one ends the
// process.
#ifndef MMDIFF_CLI_INTERRUPT_H_
#define MMDIFF_CLI_INTERRUPT_H_

#include <signal.h>

namespace mmdiff {

// Sets campaign_interrupted on SIGINT and SIGTERM.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();  // the handlers of before
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  struct sigaction old_int_ = {}, old_term_ = {};
};

}  // namespace mmdiff

#endif  // MMDIFF_CLI_INTERRUPT_H_
