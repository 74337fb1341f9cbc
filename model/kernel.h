// Kernel: the whole machine: processes, files, memory, LRU lists, batches, swap, TLBs, handles.
//
// It holds the data; the functions of the other headers work on it. Nothing here is per operation:
// that is Task. Reset costs O(what the last program touched), digest() O(changed since the last
// call).
#ifndef MMDIFF_MODEL_KERNEL_H_
#define MMDIFF_MODEL_KERNEL_H_

#include <memory>
#include <string>
#include <vector>

#include "model/filemap.h"
#include "model/folio.h"
#include "model/gup.h"
#include "model/migrate.h"
#include "model/mm.h"
#include "model/mmu_gather.h"
#include "model/pool.h"
#include "model/swap.h"
#include "model/swapfile.h"
#include "model/task.h"
#include "model/tlb.h"
#include "state/digest.h"

MMDIFF_MODEL_BEGIN

inline constexpr uint32_t kMaxCpus = 8;
inline constexpr uint32_t kMaxNodes = 4;
inline constexpr size_t kMaxChunks = 1u << 17;  // frames: 64 Mi pages

// Global statistics; the fields of StatState.
struct VmStat {
  sync::Counter<int32_t> nr_anon_mapped, nr_file_mapped, nr_mlock;
  sync::Counter<int32_t> nr_isolated_anon, nr_isolated_file;
  sync::Counter<int32_t> nr_lru[6];  // by LruList
  sync::Counter<int32_t> nr_allocated;
};

class Kernel {
 public:
  Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  // An empty machine of this geometry.
  void Reset(const World& w);
  // The digest of the state; the sequential build only.
  Digest digest();
  // Fills *out (cleared first); no operation runs.
  void Snapshot(State* out);
  // "" or one line; no operation runs.
  std::string CheckInvariants();

  // The process of a handle, or nothing (ESRCH).
  MmRef FindMm(uint32_t handle);
  // A new empty process for handle number `id`, or nullptr: as many as World::mms live (EAGAIN).
  // Its handle finds it once it is published.
  Mm* mm_alloc(Task& t, uint32_t id);
  void mm_publish(Mm& mm);
  // The process has ended: its handle is spent, its object goes with the last reference.
  void mm_dead(Task& t, Mm& mm);
  void mmput(Mm& mm);
  // A file object of the handle, or nullptr (EBADF). Files live until Reset.
  FileObject* FindFile(uint32_t handle);
  // A file for handle `number`, or (shmem) the next shmem file.
  FileObject* file_create(uint32_t number, uint32_t npages, uint32_t order, bool shmem);

  World world;
  Switches on;
  Cost cost;
  Touched touched;

  // Memory.
  std::vector<std::unique_ptr<PageChunk>> mem_map;  // by pfn / kChunkPages; never moves its chunks
  sync::Mutex<sync::Rank::kPool> mem_map_lock;
  uint32_t chunks_used = 0;
  Zone zones[kMaxNodes][2];  // by ZoneKind
  Pool<Folio> folios;
  sync::Counter<uint32_t> next_folio_id;
  VmStat stat;

  // Address spaces.
  Pool<Mm> mms;
  std::vector<Mm*> mm_by_handle;  // under handle_lock; nullptr: unbound or spent
  sync::Mutex<sync::Rank::kHandle> handle_lock;
  uint32_t nr_mms = 0;  // alive
  Pool<Vma> vmas;
  Pool<AnonVma> anon_vmas;
  Pool<AnonVmaChain> chains;
  Pool<PageTable> page_tables;
  Pool<TlbTable> tlb_tables;
  Pool<MmuGather> gathers;

  // Files, under handle_lock.
  Pool<FileObject> files;
  std::vector<FileObject*> file_by_handle;  // nullptr: unbound
  uint32_t nr_shmem_files = 0;
  sync::Counter<uint32_t> nr_unused_shmem;  // size of the list
  std::vector<FileObject*> unused_shmem;    // shmem files without VMAs that still have folios

  // LRU.
  sync::Mutex<sync::Rank::kLru> lru_lock;
  Lruvec lruvecs[kMaxNodes];
  CpuBatches batches[kMaxCpus];
  sync::Counter<uint32_t> lru_disable_count;

  // Swap.
  sync::Mutex<sync::Rank::kSwap> swap_lock;
  std::vector<SwapSlot> swap_map;  // World::swap of them
  uint32_t swap_high = 0;          // no slot at or above it was used since Reset

  // Deferred split queue.
  sync::Mutex<sync::Rank::kSplitQueue> split_queue_lock;
  Folio* split_queue = nullptr;

  // Mms with a deferred TLB flush.
  sync::Mutex<sync::Rank::kHandle> ubc_lock;
  std::vector<Mm*> ubc_mms;

  // Handles.
  HandleTable<Folio*> isos;
  HandleTable<Migration> migs;
  HandleTable<PinnedPages> pins;
  HandleTable<MmuGather> zaps;

 private:
  void ResetMemory();
  void ResetAddressSpaces();
  Digest digest_sum_ = 0;                  // of all facts but the statistics
  std::vector<const Folio*> folio_of_id_;  // scratch of Snapshot, kept for its memory
  // Scratch of CheckInvariants, kept for its memory.
  struct FolioSums {
    uint32_t refs = 0, maps = 0, pins = 0;
  };
  std::vector<FolioSums> folio_sums_;  // by folio number
  std::vector<uint32_t> slot_sums_;    // by slot
  friend class InvariantChecker;
};

MMDIFF_MODEL_END

#include "model/kernel_inline.h"

#endif  // MMDIFF_MODEL_KERNEL_H_
