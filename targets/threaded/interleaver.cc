#include "targets/threaded/interleaver.h"

#include <algorithm>
#include <string_view>

#include "harness/op_handler.h"
#include "model/sync.h"

namespace mmdiff {
namespace {

constexpr uint32_t kOneIn = 4;  // a point is a switch this often, if the thread may go on

Interleaver* installed = nullptr;
thread_local uint32_t self = UINT32_MAX;

void Hook(const char* name) {
  if (self != UINT32_MAX) installed->Point(name);
}

uint64_t HashOf(std::string_view name) {
  uint64_t h = 0xcbf29ce484222325ull;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return h;
}

}  // namespace

Interleaver::Interleaver(uint64_t seed, uint32_t threads) : random_(seed), threads_(threads) {
  for (uint32_t i = 0; i < threads; ++i) live_.push_back(i);
  installed = this;
  model::sync::SetSyncPointHook(&Hook);
}

Interleaver::~Interleaver() {
  model::sync::SetSyncPointHook(nullptr);
  installed = nullptr;
}

void Interleaver::Enter(uint32_t index) {
  std::unique_lock held(mutex_);
  self = index;
  if (++entered_ == threads_) {
    current_ = live_[random_.Below(static_cast<uint32_t>(live_.size()))];
    changed_.notify_all();
  }
  changed_.wait(held, [&] { return current_ == index; });
}

void Interleaver::Next(std::unique_lock<std::mutex>& held, bool other) {
  const uint32_t me = self;
  uint32_t next = me;
  do {
    next = live_[random_.Below(static_cast<uint32_t>(live_.size()))];
  } while (other && next == me && live_.size() > 1);
  trace_ = FoldData(trace_, next);
  if (next == me) return;
  ++switches_;
  current_ = next;
  changed_.notify_all();
  changed_.wait(held, [&] { return current_ == me; });
}

void Interleaver::Point(const char* name) {
  std::unique_lock held(mutex_);
  ++points_;
  trace_ = FoldData(trace_, HashOf(name));
  if (name == model::sync::kBlocked) {
    Next(held, true);
  } else if (random_.Below(kOneIn) == 0) {
    Next(held, false);
  }
}

void Interleaver::Leave() {
  std::unique_lock held(mutex_);
  live_.erase(std::find(live_.begin(), live_.end(), self));
  self = UINT32_MAX;
  if (live_.empty()) return;
  current_ = live_[random_.Below(static_cast<uint32_t>(live_.size()))];
  changed_.notify_all();
}

}  // namespace mmdiff
