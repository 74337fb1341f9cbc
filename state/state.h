// The canonical state: what two implementations must agree on after an operation.
//
// State is a set of sorted arrays of plain records, complete and free of addresses. An
// implementation fills it in Snapshot() with folio numbers of its own (in the order in which it
// first installed them); Canonicalize() then sorts everything and renumbers folios by first
// appearance, so that equal states are equal bytes. Both are O(n log n) in the size of the state.
// Nothing here knows an implementation.
//
// Every field below stands in relations.def, which says how two states must agree in it.
#ifndef MMDIFF_STATE_STATE_H_
#define MMDIFF_STATE_STATE_H_

#include <cstdint>
#include <vector>

namespace mmdiff {

inline constexpr uint32_t kNoFolio = 0xffffffff;
inline constexpr uint32_t kNoSlot = 0xffffffff;

// A process that exists. rss and vm counters are in pages.
struct MmState {
  uint32_t id = 0;  // handle index: m0 is 0
  uint32_t rss_anon = 0, rss_file = 0, rss_shmem = 0, rss_swap = 0;
  uint32_t locked_vm = 0;
  uint32_t total_vm = 0;
  uint32_t map_count = 0;
  uint32_t has_pinned = 0;         // MMF_HAS_PINNED
  uint32_t tlb_flush_pending = 0;  // a batched unmap has put off a flush of this mm
  bool operator==(const MmState&) const = default;
};

enum VmaFlags : uint32_t {
  kVmRead = 1,
  kVmWrite = 2,
  kVmShared = 4,
  kVmLocked = 8,
  kVmLockOnFault = 16,
  kVmDontCopy = 32,
  kVmNoHuge = 64,
  kVmAccount = 128,  // private memory that is or was writable; keeps VMAs apart
};
struct VmaState {
  uint32_t mm = 0;
  uint32_t start = 0, end = 0;  // [start, end) in pages
  uint32_t flags = 0;           // VmaFlags
  uint32_t file = 0;      // file handle, kNoFile, or kShmemFile + n for shared anonymous memory
  uint32_t pgoff = 0;     // of `start`; for private anonymous memory, vpn when first mapped
  uint32_t anon_vma = 0;  // 1 if an anon_vma is attached
  bool operator==(const VmaState&) const = default;
};
// Shared anonymous mappings are shmem files, numbered from here in order of creation.
inline constexpr uint32_t kShmemFile = 0x10000;

enum class PteKind : uint8_t { kNone, kPresent, kZero, kSwap, kMigration };
enum PteBits : uint8_t {
  kPteWrite = 1,      // present; for a migration entry: the entry is of the write kind
  kPteDirty = 2,      // present; for a migration entry: dirty carried along
  kPteYoung = 4,      // present; for a migration entry: young carried along
  kPteProtNone = 8,   // present in a PROT_NONE mapping
  kPteExclusive = 16  // swap entry: exclusive; migration entry: read-exclusive
};
// A page-table entry that is not none. kZero is the shared zero page: no folio, no counts.
struct PteState {
  uint32_t mm = 0;
  uint32_t vpn = 0;
  PteKind kind = PteKind::kNone;
  uint8_t bits = 0;           // PteBits
  uint16_t offset = 0;        // page within the folio (present, migration)
  uint32_t folio = kNoFolio;  // present, migration
  uint32_t slot = kNoSlot;    // swap
  bool operator==(const PteState&) const = default;
};

enum FolioFlags : uint32_t {
  kFolioLocked = 1 << 0,
  kFolioReferenced = 1 << 1,
  kFolioDirty = 1 << 2,
  kFolioLru = 1 << 3,
  kFolioActive = 1 << 4,
  kFolioUnevictable = 1 << 5,
  kFolioMlocked = 1 << 6,
  kFolioSwapBacked = 1 << 7,
  kFolioSwapCache = 1 << 8,
  kFolioAnon = 1 << 9,
  kFolioPartiallyMapped = 1 << 10,
  kFolioDeferredSplit = 1 << 11,  // on the deferred split queue
  kFolioReclaim = 1 << 12,        // PG_reclaim, which is PG_readahead; only of a folio of a file
};
enum class LruList : uint8_t {
  kNone,  // not on a list: new, isolated, or in an add batch
  kInactiveAnon,
  kActiveAnon,
  kInactiveFile,
  kActiveFile,
  kUnevictable,
};
enum class ZoneKind : uint8_t { kNormal, kMovable };
// A folio that is allocated.
struct FolioState {
  uint32_t id = 0;
  uint32_t flags = 0;     // FolioFlags
  uint32_t refcount = 0;  // all holders; a pin of a small folio counts kGupPinBias
  uint32_t mapcount = 0;  // page-table entries that map any part of it
  uint32_t pincount = 0;  // large folios only
  uint32_t mlock_count = 0;
  uint32_t file = 0;        // page cache: file handle or shmem number, else kNoFile
  uint32_t index = 0;       // page cache: page offset of the folio's first page
  uint32_t slot = kNoSlot;  // swap cache: slot of its first page
  uint8_t order = 0;
  uint8_t node = 0;
  ZoneKind zone = ZoneKind::kMovable;
  LruList lru = LruList::kNone;
  bool operator==(const FolioState&) const = default;
};
inline constexpr uint32_t kGupPinBias = 1024;

// A page of an allocated folio.
struct PageState {
  uint32_t folio = 0;
  uint32_t offset = 0;
  uint32_t mapcount = 0;  // entries that map this page
  uint32_t anon_exclusive = 0;
  uint64_t content = 0;
  bool operator==(const PageState&) const = default;
};

// A swap slot in use.
struct SwapState {
  uint32_t slot = 0;
  uint32_t count = 0;    // swap entries in page tables
  uint32_t cached = 0;   // 1 if the swap cache holds it
  uint64_t content = 0;  // what was written to it; 0 if nothing yet
  bool operator==(const SwapState&) const = default;
};

enum class BatchKind : uint8_t { kLruAdd, kActivate, kDeactivate, kLazyfree, kMlock };
inline constexpr uint32_t kBatchKinds = 5;
enum class MlockTag : uint8_t { kNone, kLru, kNew };  // kNone is a munlock
// A folio that waits in a per-CPU batch.
struct BatchState {
  uint32_t cpu = 0;
  BatchKind kind = BatchKind::kLruAdd;
  MlockTag tag = MlockTag::kNone;  // kMlock batches only
  uint32_t position = 0;
  uint32_t folio = 0;
  bool operator==(const BatchState&) const = default;
};

// A translation that a CPU holds.
struct TlbState {
  uint32_t cpu = 0;
  uint32_t mm = 0;
  uint32_t vpn = 0;
  uint32_t folio = kNoFolio;  // kNoFolio: the zero page
  uint32_t offset = 0;
  uint32_t write = 0;
  uint32_t dirty = 0;
  bool operator==(const TlbState&) const = default;
};

// Global statistics, in pages.
struct StatState {
  uint32_t nr_anon_mapped = 0;  // pages with at least one mapping
  uint32_t nr_file_mapped = 0;
  uint32_t nr_mlock = 0;
  uint32_t nr_isolated_anon = 0;
  uint32_t nr_isolated_file = 0;
  uint32_t nr_inactive_anon = 0, nr_active_anon = 0;
  uint32_t nr_inactive_file = 0, nr_active_file = 0;
  uint32_t nr_unevictable = 0;
  uint32_t nr_allocated = 0;  // pages of all allocated folios
  bool operator==(const StatState&) const = default;
};

struct State {
  std::vector<MmState> mms;
  std::vector<VmaState> vmas;
  std::vector<PteState> ptes;
  std::vector<FolioState> folios;
  std::vector<PageState> pages;
  std::vector<SwapState> swaps;
  std::vector<BatchState> batches;
  std::vector<TlbState> tlbs;
  StatState stats;

  void Clear();  // keeps the capacity of the vectors
  bool operator==(const State&) const = default;
};

// Sorts every array by its key and renumbers folios by first appearance, in the order: page tables
// (mm, vpn), page cache (file, index), swap cache (slot), batches (cpu, kind, position), TLBs, then
// what is left (isolated or pinned only) by what it is, and if it is the same by its own number.
void Canonicalize(State* state);
// The same, and fills `own` with the implementation's own number of each folio, by canonical
// number.
void Canonicalize(State* state, std::vector<uint32_t>* own);

}  // namespace mmdiff

#endif  // MMDIFF_STATE_STATE_H_
