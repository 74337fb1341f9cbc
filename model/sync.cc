#include "model/sync.h"

#include <cstdio>
#include <cstdlib>

#ifdef MMDIFF_MODEL_THREADED
#include <thread>
#endif

MMDIFF_MODEL_BEGIN

void Bug(const char* text, const char* file, int line) {
  std::fprintf(stderr, "mmdiff: model BUG: %s (%s:%d)\n", text, file, line);
  std::fflush(stderr);
  std::abort();
}

#ifdef MMDIFF_MODEL_THREADED
namespace sync {
namespace {

SyncPointHook hook = nullptr;
// How many locks of each rank this thread holds.
thread_local uint8_t held[static_cast<size_t>(Rank::kPool) + 1];
thread_local uint32_t points = 0;

}  // namespace

void SetSyncPointHook(SyncPointHook h) { hook = h; }
bool SyncPointHooked() { return hook != nullptr; }

void SyncPoint(const char* name) {
  if (hook != nullptr) {
    hook(name);
  } else if (name == kBlocked || ++points % 64 == 0) {
    std::this_thread::yield();
  }
}

void RankTaken(Rank rank, bool nested) {
  const auto r = static_cast<size_t>(rank);
  for (size_t i = r + 1; i <= static_cast<size_t>(Rank::kPool); ++i) {
    MMDIFF_BUG_ON(held[i] != 0, "lock taken against the order of sync.h");
  }
  MMDIFF_BUG_ON(held[r] != 0 && !nested, "second lock of one rank taken without lock_nested");
  ++held[r];
  SyncPoint("lock");
}

void RankDropped(Rank rank) { --held[static_cast<size_t>(rank)]; }

}  // namespace sync
#endif

MMDIFF_MODEL_END
