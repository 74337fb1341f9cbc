// Pool: objects of one kind at stable addresses, used again after they are freed. Handle tables
// likewise.
//
// Neither allocates host memory once it is as large as a program ever made it. Reset is O(objects
// handed out since the last). Objects are not constructed again: who takes one sets its fields.
#ifndef MMDIFF_MODEL_POOL_H_
#define MMDIFF_MODEL_POOL_H_

#include <cstddef>
#include <deque>
#include <vector>

#include "model/sync.h"

MMDIFF_MODEL_BEGIN

template <typename T>
class Pool {
 public:
  T* Alloc() {
    sync::Guard guard(lock_);
    if (!free_.empty()) {
      T* x = free_.back();
      free_.pop_back();
      return x;
    }
    if (high_ == all_.size()) all_.emplace_back();
    return &all_[high_++];
  }
  void Free(T* x) {
    sync::Guard guard(lock_);
    free_.push_back(x);
  }
  // Calls fn(T&) for every object handed out since the last Reset, then has them all free.
  template <typename Fn>
  void Reset(Fn&& fn) {
    for (size_t i = 0; i < high_; ++i) fn(all_[i]);
    high_ = 0;
    free_.clear();
  }
  // Calls fn(T&) for every object handed out since Reset, freed ones too.
  template <typename Fn>
  void ForEach(Fn&& fn) {
    for (size_t i = 0; i < high_; ++i) fn(all_[i]);
  }
  void Drop() {  // frees the memory itself
    high_ = 0;
    free_.clear();
    all_.clear();
  }

 private:
  sync::Mutex<sync::Rank::kPool> lock_;
  std::deque<T> all_;
  std::vector<T*> free_;
  size_t high_ = 0;
};

// What the handles of one kind stand for, by handle number. An operation claims a handle while it
// runs.
template <typename T>
class HandleTable {
 public:
  // A handle that is bound and not claimed, or nullptr (EBADF). The caller releases or spends it.
  T* Claim(uint32_t n) {
    sync::Guard guard(lock_);
    if (n >= all_.size() || all_[n].state != State::kReady) return nullptr;
    all_[n].state = State::kBusy;
    return &all_[n].value;
  }
  void Release(uint32_t n) { Set(n, State::kReady); }
  void Spend(uint32_t n) { Set(n, State::kSpent); }
  // The value that number n will stand for, busy until Release; its old fields are the caller's to
  // set.
  T* Bind(uint32_t n) {
    sync::Guard guard(lock_);
    while (all_.size() <= n) all_.emplace_back();
    if (high_ <= n) high_ = n + 1;
    all_[n].state = State::kBusy;
    return &all_[n].value;
  }
  template <typename Fn>
  void ForEachBound(Fn&& fn) {
    for (size_t i = 0; i < high_; ++i) {
      if (all_[i].state == State::kReady) fn(all_[i].value);
    }
  }
  void Reset() {
    for (size_t i = 0; i < high_; ++i) all_[i].state = State::kUnbound;
    high_ = 0;
  }

 private:
  enum class State : uint8_t { kUnbound, kReady, kBusy, kSpent };
  struct Entry {
    State state = State::kUnbound;
    T value{};
  };
  void Set(uint32_t n, State state) {
    sync::Guard guard(lock_);
    all_[n].state = state;
  }
  sync::Mutex<sync::Rank::kHandle> lock_;
  std::deque<Entry> all_;
  size_t high_ = 0;
};

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_POOL_H_
