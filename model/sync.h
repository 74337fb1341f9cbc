// Locks, counters and yield points of the model: the one layer through which it synchronises.
//
// Two builds of the same sources. The sequential build (default) has one thread: a lock is a flag
// that only catches misuse in debug builds, a counter is a plain integer, a yield point is nothing.
// With MMDIFF_MODEL_THREADED locks are real, counters are std::atomic, and each thread asserts the
// order in which it takes locks. Nothing here allocates. Sequential cost: none in release builds.
//
// The order of locks (a thread takes them downwards, never upwards):
//   mmap_lock             Mm::mmap_lock, one an mm; never two (nobody knows the child of a fork
//   yet) folio lock            kFolioLocked; trylock only, so it cannot deadlock and has no rank
//   anon_vma prepare lock Mm::prepare_lock, while a VMA gets its anon_vma
//   i_mmap_rwsem          FileObject::i_mmap_lock
//   anon_vma root rwsem   AnonVma::root->lock
//   page-table lock       PageTable::lock, one a table; two only at fork (child, then parent)
//   batch lock            FolioBatches::lock, one a CPU
//   lru lock              one for all lists
//   swap lock             slots and swap cache
//   deferred split queue lock
//   mm-id lock            two owners' counts of a large folio, and large_mapcount with them
//   zone lock             free pages
//   tlb lock              one an mm
//   handle lock           handle tables
//   pool lock             free objects of one kind
#ifndef MMDIFF_MODEL_SYNC_H_
#define MMDIFF_MODEL_SYNC_H_

#include <cstdint>

#ifdef MMDIFF_MODEL_THREADED
#include <atomic>
#include <mutex>
#include <shared_mutex>
#endif

// Everything of the model lives in mmdiff::model, in an inline namespace that names the build, so
// that both libraries can be linked into one program.
#ifdef MMDIFF_MODEL_THREADED
#define MMDIFF_MODEL_BEGIN \
  namespace mmdiff {       \
  namespace model {        \
  inline namespace threaded {
#else
#define MMDIFF_MODEL_BEGIN \
  namespace mmdiff {       \
  namespace model {        \
  inline namespace sequential {
#endif
#define MMDIFF_MODEL_END \
  }                      \
  }                      \
  }

MMDIFF_MODEL_BEGIN

#ifdef MMDIFF_MODEL_THREADED
inline constexpr bool kThreaded = true;
#else
inline constexpr bool kThreaded = false;
#endif

// Prints `text` with the place and aborts. The harness keeps the program as a crash.
[[noreturn]] void Bug(const char* text, const char* file, int line);

#define MMDIFF_BUG_ON(cond, text)                     \
  do {                                                \
    if (__builtin_expect(static_cast<bool>(cond), 0)) \
      ::mmdiff::model::Bug(text, __FILE__, __LINE__); \
  } while (0)

namespace sync {

enum class Rank : uint8_t {
  kMmap,
  kAnonPrepare,
  kIMmap,
  kAnonVma,
  kPageTable,
  kBatch,
  kLru,
  kSwap,
  kSplitQueue,
  kMmId,
  kZone,
  kTlb,
  kHandle,
  kPool,
};

// A named place where another thread may run. The threaded build yields here at times; a scheduler
// that chooses interleavings installs itself with SetSyncPointHook.
using SyncPointHook = void (*)(const char* name);
// The name that the hook is given again and again while the thread cannot have a lock: another must
// run.
inline constexpr const char* kBlocked = "blocked";
#ifdef MMDIFF_MODEL_THREADED
void SetSyncPointHook(SyncPointHook hook);  // nullptr takes it away; call while no thread runs
void SyncPoint(const char* name);
bool SyncPointHooked();  // with a hook nothing waits but in the hook
void RankTaken(Rank rank,
               bool nested);  // asserts the order; `nested` allows a second of equal rank
void RankDropped(Rank rank);
#else
inline void SyncPoint(const char*) {}
#endif

// An integer that several threads count on. Reads acquire, changes are acq_rel in the threaded
// build.
template <typename T>
class Counter {
 public:
  constexpr Counter(T v = T{}) : v_(v) {}
#ifdef MMDIFF_MODEL_THREADED
  Counter(const Counter& o) : v_(o.get()) {}
  Counter& operator=(const Counter& o) {
    set(o.get());
    return *this;
  }
  T get() const { return v_.load(std::memory_order_acquire); }
  void set(T v) { v_.store(v, std::memory_order_release); }
  // A read that is ordered with other threads' add and sub like one of them: what this thread
  // stored before it is seen by who changes the counter after it.
  T get_ordered() const { return v_.fetch_add(T{}, std::memory_order_acq_rel); }
  T add(T d) {
    return static_cast<T>(v_.fetch_add(d, std::memory_order_acq_rel) + d);
  }  // new value
  T sub(T d) { return static_cast<T>(v_.fetch_sub(d, std::memory_order_acq_rel) - d); }
  T fetch_or(T m) { return v_.fetch_or(m, std::memory_order_acq_rel); }    // old value
  T fetch_and(T m) { return v_.fetch_and(m, std::memory_order_acq_rel); }  // old value
  bool compare_exchange(T from, T to) {
    return v_.compare_exchange_strong(from, to, std::memory_order_acq_rel);
  }
#else
  T get() const { return v_; }
  T get_ordered() const { return v_; }
  void set(T v) { v_ = v; }
  T add(T d) { return v_ = static_cast<T>(v_ + d); }
  T sub(T d) { return v_ = static_cast<T>(v_ - d); }
  T fetch_or(T m) {
    const T old = v_;
    v_ = static_cast<T>(v_ | m);
    return old;
  }
  T fetch_and(T m) {
    const T old = v_;
    v_ = static_cast<T>(v_ & m);
    return old;
  }
  bool compare_exchange(T from, T to) {
    if (v_ != from) return false;
    v_ = to;
    return true;
  }
#endif
  // Adds d unless the value is 0; false if it was. What a reference by a lockless walk needs.
  bool add_unless_zero(T d) {
    T v = get();
    while (v != 0) {
      if (compare_exchange(v, static_cast<T>(v + d))) return true;
      v = get();
    }
    return false;
  }

 private:
#ifdef MMDIFF_MODEL_THREADED
  mutable std::atomic<T> v_;  // get_ordered writes what it reads
#else
  T v_;
#endif
};

// A pointer that one thread may read while another sets it.
#ifdef MMDIFF_MODEL_THREADED
template <typename T>
class Ptr {
 public:
  Ptr(T* p = nullptr) : p_(p) {}
  Ptr(const Ptr& o) : p_(static_cast<T*>(o)) {}
  Ptr& operator=(T* p) {
    p_.store(p, std::memory_order_release);
    return *this;
  }
  Ptr& operator=(const Ptr& o) { return *this = static_cast<T*>(o); }
  operator T*() const { return p_.load(std::memory_order_acquire); }
  T* operator->() const { return *this; }

 private:
  std::atomic<T*> p_;
};
// The same for a word.
class Word {
 public:
  Word(uint32_t v = 0) : v_(v) {}
  Word(const Word& o) : v_(static_cast<uint32_t>(o)) {}
  Word& operator=(uint32_t v) {
    v_.store(v, std::memory_order_release);
    return *this;
  }
  Word& operator=(const Word& o) { return *this = static_cast<uint32_t>(o); }
  Word& operator&=(uint32_t v) {
    v_.fetch_and(v);
    return *this;
  }
  operator uint32_t() const { return v_.load(std::memory_order_acquire); }

 private:
  std::atomic<uint32_t> v_;
};
// And for a truth value.
class Flag {
 public:
  Flag(bool v = false) : v_(v) {}
  Flag(const Flag& o) : v_(static_cast<bool>(o)) {}
  Flag& operator=(bool v) {
    v_.store(v, std::memory_order_release);
    return *this;
  }
  Flag& operator=(const Flag& o) { return *this = static_cast<bool>(o); }
  operator bool() const { return v_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> v_;
};
#else
template <typename T>
using Ptr = T*;
using Word = uint32_t;
using Flag = bool;
#endif

// 32 flag bits.
class Flags32 {
 public:
  bool test(uint32_t m) const { return (v_.get() & m) != 0; }
  uint32_t get() const { return v_.get(); }
  void reset(uint32_t v) { v_.set(v); }
  void set(uint32_t m) { v_.fetch_or(m); }
  void clear(uint32_t m) { v_.fetch_and(~m); }
  bool test_and_set(uint32_t m) { return (v_.fetch_or(m) & m) != 0; }  // was it set before?
  bool test_and_clear(uint32_t m) { return (v_.fetch_and(~m) & m) != 0; }

 private:
  Counter<uint32_t> v_;
};

// A lock of rank R. `lock_nested` may follow another of the same rank.
template <Rank R>
class Mutex {
 public:
#ifdef MMDIFF_MODEL_THREADED
  void lock() {
    RankTaken(R, false);
    if (!SyncPointHooked()) return m_.lock();
    while (!m_.try_lock()) SyncPoint(kBlocked);
  }
  // The caller knows that nobody takes the two the other way round at once. By trying, so that
  // TSan, which knows locks by address and not by what they guard just now, does not see a cycle.
  void lock_nested() {
    RankTaken(R, true);
    while (!m_.try_lock()) SyncPoint(kBlocked);
  }
  void unlock() {
    m_.unlock();
    RankDropped(R);
  }

 private:
  std::mutex m_;
#else
  void lock() {
#ifndef NDEBUG
    MMDIFF_BUG_ON(held_, "lock taken twice");
    held_ = true;
#endif
  }
  void lock_nested() { lock(); }
  void unlock() {
#ifndef NDEBUG
    MMDIFF_BUG_ON(!held_, "unlock of a lock that is not held");
    held_ = false;
#endif
  }

 private:
#ifndef NDEBUG
  bool held_ = false;
#endif
#endif
};

// A reader-writer lock of rank R.
template <Rank R>
class SharedMutex {
 public:
#ifdef MMDIFF_MODEL_THREADED
  void lock() {
    RankTaken(R, false);
    if (!SyncPointHooked()) return m_.lock();
    while (!m_.try_lock()) SyncPoint(kBlocked);
  }
  void unlock() {
    m_.unlock();
    RankDropped(R);
  }
  void lock_shared() {
    RankTaken(R, false);
    if (!SyncPointHooked()) return m_.lock_shared();
    while (!m_.try_lock_shared()) SyncPoint(kBlocked);
  }
  void unlock_shared() {
    m_.unlock_shared();
    RankDropped(R);
  }

 private:
  std::shared_mutex m_;
#else
  void lock() {
#ifndef NDEBUG
    MMDIFF_BUG_ON(held_ != 0, "write lock of a lock that is held");
    held_ = -1;
#endif
  }
  void unlock() {
#ifndef NDEBUG
    MMDIFF_BUG_ON(held_ != -1, "unlock of a lock that is not held for write");
    held_ = 0;
#endif
  }
  void lock_shared() {
#ifndef NDEBUG
    MMDIFF_BUG_ON(held_ < 0, "read lock of a lock that is held for write");
    ++held_;
#endif
  }
  void unlock_shared() {
#ifndef NDEBUG
    MMDIFF_BUG_ON(held_ <= 0, "unlock of a lock that is not held for read");
    --held_;
#endif
  }

 private:
#ifndef NDEBUG
  int held_ = 0;
#endif
#endif
};

template <typename L>
class [[nodiscard]] Guard {
 public:
  explicit Guard(L& l) : l_(&l) { l_->lock(); }
  ~Guard() {
    if (l_ != nullptr) l_->unlock();
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  void unlock() {
    l_->unlock();
    l_ = nullptr;
  }

 private:
  L* l_;
};
template <typename L>
class [[nodiscard]] SharedGuard {
 public:
  explicit SharedGuard(L& l) : l_(&l) { l_->lock_shared(); }
  ~SharedGuard() { l_->unlock_shared(); }
  SharedGuard(const SharedGuard&) = delete;
  SharedGuard& operator=(const SharedGuard&) = delete;

 private:
  L* l_;
};

}  // namespace sync
MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_SYNC_H_
