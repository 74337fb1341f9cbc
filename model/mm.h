// Mm: one process's address space. The kernel's mm_struct, and mmap.c, mprotect.c, fork.c.
#ifndef MMDIFF_MODEL_MM_H_
#define MMDIFF_MODEL_MM_H_

#include <memory>
#include <vector>

#include "model/page_table.h"
#include "model/task.h"
#include "model/vma.h"

MMDIFF_MODEL_BEGIN

enum class MmCounter : uint8_t { kAnon, kFile, kShmem, kSwap };

struct Mm {
  uint32_t id = 0;  // handle number
  bool alive = false;
  sync::SharedMutex<sync::Rank::kMmap> mmap_lock;
  sync::Counter<uint32_t> users;  // operations that run on it, and its handle
  uint32_t table_shift = 0;       // log2(World::table)
  uint32_t tables = 0;            // World::tables
  std::unique_ptr<sync::Counter<PageTable*>[]> pgd;
  std::unique_ptr<TlbTable*[]> tlb;  // under tlb_lock; see tlb.h
  uint32_t capacity = 0;             // of the two arrays
  std::vector<Vma*> vmas;            // by address
  sync::Counter<int32_t> rss[4];     // by MmCounter
  uint32_t locked_vm = 0;
  uint32_t total_vm = 0;
  sync::Counter<uint32_t> has_pinned;
  sync::Counter<uint32_t> tlb_flush_pending;
  sync::Counter<uint32_t> gathers;            // mmu_gathers that are open
  sync::Counter<uint32_t> tlb_flush_batched;  // a flush was put off; outlives the flush itself
  sync::Counter<uint32_t>
      open_zaps;                 // zap_begin without zap_finish: holds off who would write-lock
  sync::Counter<uint32_t> cpus;  // mm_cpumask
  sync::Mutex<sync::Rank::kAnonPrepare> prepare_lock;
  sync::Mutex<sync::Rank::kTlb> tlb_lock;
  Tracked tracked;

  uint32_t map_count() const { return static_cast<uint32_t>(vmas.size()); }
};

void touch_mm(Task& t, Mm& mm);
void add_mm_counter(Task& t, Mm& mm, MmCounter counter, int32_t pages);
// The counter that a page of this folio is counted in.
MmCounter mm_counter(const Folio& folio);

// An mm and a reference that keeps it from being recycled; see Kernel::FindMm.
class MmRef {
 public:
  MmRef() = default;
  explicit MmRef(Kernel* k, Mm* mm) : k_(k), mm_(mm) {}
  MmRef(MmRef&& o) noexcept : k_(o.k_), mm_(o.mm_) { o.mm_ = nullptr; }
  MmRef(const MmRef&) = delete;
  MmRef& operator=(const MmRef&) = delete;
  MmRef& operator=(MmRef&&) = delete;
  ~MmRef();
  explicit operator bool() const { return mm_ != nullptr; }
  Mm& operator*() const { return *mm_; }
  Mm* operator->() const { return mm_; }

 private:
  Kernel* k_ = nullptr;
  Mm* mm_ = nullptr;
};

// mmap.cc. The mmap_lock is held for write.
// Zaps and removes [start, end); 0 or ENOMEM (a split would exceed the limit; nothing done). The
// pages that were covered in *pages.
int do_vmi_munmap(Task& t, Mm& mm, uint32_t start, uint32_t end, uint32_t* pages);
void exit_mmap(Task& t, Mm& mm);

// mprotect.cc.
int do_mprotect(Task& t, Mm& mm, uint32_t start, uint32_t end, uint32_t prot, uint32_t* pages);

// fork.cc. Copies every VMA that is to be copied, and its entries where they must be.
void dup_mmap(Task& t, Mm& child, Mm& parent);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_MM_H_
