// A stop condition for the reducer: true when so many seconds have passed since it was made.
#ifndef MMDIFF_TARGETS_STOP_AFTER_H_
#define MMDIFF_TARGETS_STOP_AFTER_H_

#include <chrono>
#include <cstdint>
#include <functional>

namespace mmdiff {

inline std::function<bool()> StopAfter(double seconds) {
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::microseconds(static_cast<int64_t>(seconds * 1e6));
  return [end] { return std::chrono::steady_clock::now() >= end; };
}

}  // namespace mmdiff

#endif  // MMDIFF_TARGETS_STOP_AFTER_H_
