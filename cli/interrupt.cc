#include "cli/interrupt.h"

#include "cli/campaign.h"

namespace mmdiff {
namespace {

void OnSignal(int) { campaign_interrupted.store(true); }

}  // namespace

InterruptGuard::InterruptGuard() {
  campaign_interrupted.store(false);
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, &old_int_);
  sigaction(SIGTERM, &action, &old_term_);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &old_int_, nullptr);
  sigaction(SIGTERM, &old_term_, nullptr);
}

}  // namespace mmdiff
