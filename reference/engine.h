// Engine: the machine of machine.h and every operation on it, each in the file named beside it.
//
// One method per operation, plain helpers below them. Helpers return 0 or a positive errno. The
// private part keeps no count: the only derived data are the hashes of facts that make digest()
// cheap (digest.cc).
#ifndef MMDIFF_REFERENCE_ENGINE_H_
#define MMDIFF_REFERENCE_ENGINE_H_

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/implementation.h"
#include "reference/machine.h"

namespace mmdiff::reference {

enum class FaultKind : uint8_t { kRead, kWrite, kUnshare };

// Everything that holds a folio, counted by looking.
struct FolioCount {
  uint32_t mapcount = 0;
  uint32_t refcount = 0;
  uint32_t pins = 0;  // FOLL_PIN holds, of small folios too
};

class Engine final : public Implementation {
 public:
  Engine();
  const ImplInfo& info() const override { return info_; }
  void Reset(const World& world) override;
  Digest digest() override;
  void Snapshot(State* out) override;
  std::string CheckInvariants() override;

#define MMDIFF_ARG(kind, name)
#define MMDIFF_OP(op, result, weight, arglist, doc) \
  OpResult op(const args::op& a, OpContext& ctx) override;
#include "program/ops.def"

 private:
  // ---- looking (count.cc) ----------------------------------------------------------------------
  template <typename Fn>  // fn(Mm&, Vma&, vpn, Pte&) for every entry inside a VMA that is not none
  void ForEachPte(Fn&& fn) {
    for (Mm* mm : live_) {
      for (Vma& vma : mm->vmas) {
        mm->ForEachUsed(vma.start, vma.end,
                        [&](uint32_t vpn) { fn(*mm, vma, vpn, mm->ptes[vpn]); });
      }
    }
  }
  // The same for the entries that map `f` or are migration entries of it.
  template <typename Fn>
  void ForEachPteOf(FolioId f, Fn&& fn) {
    for (Mm* mm : live_) {
      for (Vma& vma : mm->vmas) {
        const uint32_t start = std::max(vma.start, F(f).low), end = std::min(vma.end, F(f).high);
        if (start >= end) continue;
        mm->ForEachUsed(start, end, [&](uint32_t vpn) {
          Pte& pte = mm->ptes[vpn];
          if (pte.of(f)) fn(*mm, vma, vpn, pte);
        });
      }
    }
  }
  FolioCount CountFolio(FolioId f);
  uint32_t Mapcount(FolioId f);
  uint32_t CacheRefs(FolioId f) const;  // page cache and swap cache
  uint32_t OtherHolders(FolioId f, uint32_t* pins) const;
  uint32_t MapcountIn(const Mm& mm, FolioId f) const;
  uint32_t SlotCount(uint32_t slot);
  bool AnySlotCounted(FolioId f);
  bool MaybePinned(FolioId f);
  bool SharedByMms(FolioId f);
  bool MaybeMappedShared(FolioId f, uint32_t vpn, OpContext& ctx);
  void NoteSharers(FolioId f);

  // ---- processes, files, VMAs (mm.cc, vma.cc) --------------------------------------------------
  Mm* FindMm(uint32_t handle);
  Vma* FindVma(Mm& mm, uint32_t vpn);
  size_t FirstVmaAtOrAfter(const Mm& mm, uint32_t vpn) const;
  File* FileOf(uint32_t id);
  Mm* NewMm(uint32_t handle);
  File* NewFile(uint32_t id, uint32_t npages, uint32_t order);
  void DropDeadShmem(uint32_t cpu);
  Chain CloneChain(const Chain& chain, uint32_t extra = kNoAnonVma);
  bool AnonCompatible(const Vma& a, const Vma& b) const;
  bool CanMerge(const Vma& left, const Vma& right) const;
  void TakeNoMerges(OpContext& ctx);
  void InheritAnonVma(Vma* to, const Vma& from);
  void SplitVma(Mm& mm, size_t index, uint32_t at);
  int ModifyVma(Mm& mm, uint32_t start, uint32_t end, uint32_t new_flags);
  void InsertVma(Mm& mm, const Vma& vma);
  int MakeHole(Mm& mm, uint32_t start, uint32_t end, OpContext& ctx, uint32_t* removed);
  void PrepareAnonVma(Mm& mm, Vma& vma);
  void ForkAnonVma(const Vma& parent, Vma* child);
  uint32_t LiveChildren(uint32_t anon_vma) const;
  bool HasActiveVma(uint32_t anon_vma) const;
  void ForkPte(Mm& parent, Mm& child, const Vma& vma, uint32_t vpn, OpContext& ctx);
  void ChangeProtection(Mm& mm, const Vma& vma, uint32_t start, uint32_t end, Gather* g,
                        OpContext& ctx);
  void MergeForProtect(Mm& mm, uint32_t vpn, uint32_t end, uint32_t n, OpContext& ctx);

  // ---- access and faults (access.cc, fault.cc, wp.cc) ------------------------------------------
  int AccessPage(Mm& mm, uint32_t vpn, bool write, OpContext& ctx, uint64_t* value);
  bool AccessThroughTlb(Mm& mm, uint32_t vpn, bool write, OpContext& ctx, HeldPage* where);
  int Fault(Mm& mm, Vma& vma, uint32_t vpn, FaultKind kind, OpContext& ctx);
  int AnonFault(Mm& mm, Vma& vma, uint32_t vpn, FaultKind kind, OpContext& ctx);
  int FileFault(Mm& mm, Vma& vma, uint32_t vpn, FaultKind kind, OpContext& ctx);
  bool ReadIsDirty(FolioId f, uint32_t vpn, bool writable, uint32_t* left, OpContext& ctx);
  bool AroundMaps(FolioId f) const;
  bool AroundWhole(const Vma& vma, uint32_t first, FolioId f, OpContext& ctx);
  bool MapsWhole(const Mm& mm, const Vma& vma, uint32_t vpn, FolioId f, OpContext& ctx);
  bool SwapBlock(const Mm& mm, const Vma& vma, uint32_t vpn, uint32_t order) const;
  bool SlotsInOrder(const Mm& mm, uint32_t first, uint32_t n);
  FolioId SwapRead(Mm& mm, Vma& vma, uint32_t vpn, bool refault, OpContext& ctx);
  bool FaultAroundHasTable(const Mm& mm, const Vma& vma, uint32_t from, uint32_t to,
                           const File& file) const;
  bool FaultAround(Mm& mm, Vma& vma, uint32_t vpn, File& file, OpContext& ctx);
  void MapFilePage(Mm& mm, Vma& vma, uint32_t vpn, FolioId f, uint32_t offset, uint8_t bits,
                   OpContext& ctx);
  int SwapFault(Mm& mm, Vma& vma, uint32_t vpn, FaultKind kind, OpContext& ctx);
  bool DirectSwapIn(Mm& mm, Vma& vma, uint32_t vpn, uint32_t order, bool refault, FaultKind kind,
                    OpContext& ctx);
  bool RefaultChosen(uint32_t vpn, OpContext& ctx);
  bool SwapExclusiveChosen(uint32_t vpn, FolioId f, uint32_t n, OpContext& ctx);
  void MlockWhole(FolioId f, uint32_t first, OpContext& ctx);
  int WpFault(Mm& mm, Vma& vma, uint32_t vpn, FaultKind kind, OpContext& ctx);
  bool TryReuse(Mm& mm, FolioId f, uint32_t vpn, OpContext& ctx);
  void CopyPage(Mm& mm, Vma& vma, uint32_t vpn, FaultKind kind, uint64_t content, OpContext& ctx);
  uint32_t FaultOrder(const Mm& mm, const Vma& vma, uint32_t vpn, OpContext& ctx);
  FolioId FindCached(const File& file, uint32_t index) const { return file.cache[index]; }
  FolioId FindOrCreate(File& file, uint32_t index, uint32_t vpn, OpContext& ctx);
  void AddNewAnon(const Vma& vma, FolioId f, OpContext& ctx);

  // ---- page tables, TLBs, zap (zap.cc, tlb.cc) --------------------------------------------------
  void SetPte(Mm& mm, uint32_t vpn, const Pte& pte);
  void ClearPte(Mm& mm, uint32_t vpn) { SetPte(mm, vpn, Pte{}); }
  void FlushRange(Mm& mm, uint32_t low, uint32_t high);
  void FlushMm(Mm& mm);
  void FlushBatched();
  void FlushPending(Mm& mm, uint32_t start, uint32_t end);
  void FinishGather(Gather* g, OpContext& ctx);
  void TlbFact(const Mm& mm, uint32_t cpu, uint32_t vpn, const TlbEntry& e, bool add);
  void DropTlb(Mm& mm, uint32_t cpu, uint32_t vpn);
  uint32_t ZapRange(Mm& mm, Vma& vma, uint32_t start, uint32_t end, Gather* g, OpContext& ctx);
  uint32_t ZapRun(Mm& mm, Vma& vma, uint32_t vpn, uint32_t limit, Gather* g, OpContext& ctx);
  void ZapSwap(Mm& mm, uint32_t vpn);
  void RunDelayedRmap(Vma& vma, OpContext& ctx);
  void FlushGather(Gather* g, OpContext& ctx);
  void DrainIfChosen(uint32_t where, OpContext& ctx);
  bool GatherFlushChosen(const Mm& mm, uint32_t low, uint32_t high, OpContext& ctx);
  void RmapRemoved(FolioId f, uint32_t offset, uint32_t n, const Vma& vma, OpContext& ctx);

  // ---- LRU and mlock (lru.cc, mlock.cc) ---------------------------------------------------------
  void BatchAdd(BatchKind kind, FolioId f, MlockTag tag, OpContext& ctx);
  void FlushBatch(uint32_t cpu, BatchKind kind);
  void FlushEntry(BatchKind kind, const BatchEntry& entry);
  void FlushMlockEntry(Folio& folio, MlockTag tag);
  void Drain(uint32_t cpu);
  void DrainAll(uint32_t first_cpu);
  void PutOnList(Folio& folio);
  void FolioAddLru(FolioId f, OpContext& ctx) {
    BatchAdd(BatchKind::kLruAdd, f, MlockTag::kNone, ctx);
  }
  void MarkAccessed(FolioId f, OpContext& ctx);
  void MlockFolio(FolioId f, OpContext& ctx);
  void MlockNewFolio(FolioId f, OpContext& ctx);
  void MunlockFolio(FolioId f, OpContext& ctx);
  void MlockWalk(Mm& mm, uint32_t start, uint32_t end, bool lock, OpContext& ctx);
  OpResult ApplyLockFlags(Mm& mm, uint32_t vpn, uint32_t npages, uint32_t flags, OpContext& ctx);
  OpResult DoLock(uint32_t mm_handle, uint32_t vpn, uint32_t npages, bool onfault, OpContext& ctx);
  void DrainMlock(uint32_t cpu) { FlushBatch(cpu, BatchKind::kMlock); }

  // ---- GUP (gup.cc) -----------------------------------------------------------------------------
  int Populate(Mm& mm, uint32_t start, uint32_t end, bool ignore_errors, OpContext& ctx);
  int PopulateVma(Mm& mm, Vma& vma, uint32_t start, uint32_t end, OpContext& ctx);
  void Touch(const Pte& pte, bool write, OpContext& ctx);
  int GupPage(Mm& mm, uint32_t vpn, uint32_t flags, bool* fast, OpContext& ctx, HeldPage* out);
  void LongtermDrain(FolioId f, uint32_t* drained, OpContext& ctx);
  bool GupServes(const Pte& pte, const Vma& vma, uint32_t flags) const;
  int LongtermPass(Pin* pin, size_t first, OpContext& ctx, bool* again);
  void Unpin(Pin* pin, bool dirty);

  // ---- swap, reclaim (swap.cc, reclaim.cc, unmap.cc, advise.cc) ---------------------------------
  bool SwapAlloc(FolioId f);
  bool FreeSwap(FolioId f);
  void DropSwapCache(FolioId f);
  void FreeSwapCacheIfUnmapped(FolioId f);
  void WriteToSwap(FolioId f);
  void FolioAt(uint32_t mm_handle, uint32_t vpn, OpResult* r, FolioId* f);
  Iso* FindIso(uint32_t handle);
  int Isolate(FolioId f);
  void Putback(FolioId f, OpContext& ctx);
  uint32_t RunOf(const Mm& mm, uint32_t vpn, uint32_t end) const;

  struct MappingAt {
    Mm* mm = nullptr;
    Vma* vma = nullptr;
    uint32_t vpn = 0;
    uint32_t n = 0;
  };
  bool FirstMapping(FolioId f, uint64_t from, MappingAt* at);
  bool NextMapping(FolioId f, uint64_t from, OpContext& ctx, MappingAt* at);
  bool VisitedMapping(FolioId f, const Choice& c, OpContext& ctx, MappingAt* at);
  bool AllInOneTable(const Mm& mm, const Vma& vma, FolioId f) const;
  uint32_t TryToUnmap(FolioId f, uint32_t ttu_flags, OpContext& ctx);
  bool UnmapBatch(FolioId f, const MappingAt& at, bool may_defer, OpContext& ctx);
  bool UnmapAnon(FolioId f, const MappingAt& at, const FolioCount& before, const Pte& old,
                 OpContext& ctx);
  void FlushOrDefer(const MappingAt& at, const Pte& old, bool may_defer, OpContext& ctx);
  uint32_t CountReferenced(FolioId f, bool* vm_locked, OpContext& ctx);

  int RemoveMapping(FolioId f);
  void DropPageCache(FolioId f);
  enum class Shrink : uint8_t { kFreed, kKeep, kActivate };
  Shrink ShrinkFolio(size_t position, bool ignore_references, OpContext& ctx);
  bool GiveSwap(size_t position, OpContext& ctx);
  bool SplitIsolated(size_t position, OpContext& ctx);
  bool SplitIntoPieces(FolioId f, OpContext& ctx);
  uint32_t ShrinkList(bool ignore_references, OpContext& ctx);
  void PageoutRange(Mm& mm, uint32_t start, uint32_t end, OpContext& ctx, uint32_t* freed);
  void ColdRange(Mm& mm, uint32_t start, uint32_t end, Gather* g, OpContext& ctx);
  uint32_t FreeRange(Mm& mm, uint32_t start, uint32_t end, Gather* g, OpContext& ctx);
  uint32_t WholeFolio(Mm& mm, uint32_t vpn, uint32_t limit, OpContext& ctx, bool* whole);
  void ClearBits(Mm& mm, uint32_t vpn, uint32_t n, uint8_t bits, Gather* g);
  OpResult AdviseFork(uint32_t mm_handle, uint32_t vpn, uint32_t npages, bool dontfork,
                      OpContext& ctx);
  enum class Advice : uint8_t { kDontneed, kFree, kCold, kPageout };
  OpResult Advise(uint32_t mm_handle, uint32_t vpn, uint32_t npages, Advice advice, OpContext& ctx,
                  Gather* keep = nullptr);

  // ---- migration and split (migrate.cc, split.cc) -----------------------------------------------
  uint32_t TryToMigrate(FolioId f, bool may_defer, OpContext& ctx);
  bool MigrateOne(FolioId f, const MappingAt& at, bool may_defer, OpContext& ctx);
  uint32_t RemoveMigrationEntries(FolioId src, FolioId dst, OpContext& ctx);
  void RestoreEntry(Mm& mm, const Vma& vma, uint32_t vpn, FolioId to, uint32_t offset,
                    OpContext& ctx);
  int MigrateUnmap(FolioId f, uint32_t node, ZoneKind zone, bool may_defer, OpContext& ctx,
                   Migration* m, uint32_t* n);
  std::optional<uint32_t> MigrateMove(Migration* m, OpContext& ctx);
  uint32_t MigrateUndo(Migration* m, OpContext& ctx);
  void MigrateDone(Migration* m);
  void MoveFolio(FolioId src, FolioId dst);
  uint32_t MigrateList(const MigrateTarget& to, OpContext& ctx, uint32_t* moved);
  uint32_t MigrateBatch(const MigrateTarget& to, bool may_defer, int passes, bool split,
                        OpContext& ctx);
  int Split(FolioId f, uint32_t extra_refs, OpContext& ctx, FolioId* first_new);
  void MakePieces(FolioId f);
  void RemapPiece(FolioId f, FolioId first_new, const MappingAt& at, OpContext& ctx);
  void RemapPieces(FolioId f, FolioId first_new, OpContext& ctx);

  // ---- folios and facts (folio.cc, digest.cc)
  // ----------------------------------------------------
  FolioId NewFolio(uint32_t order, uint32_t node, ZoneKind zone);
  Folio& F(FolioId f) { return folios_[f]; }
  const Folio& F(FolioId f) const { return folios_[f]; }
  Page& PageOf(FolioId f, uint32_t offset) { return pages_[folios_[f].first_page + offset]; }
  const Page& PageOf(FolioId f, uint32_t offset) const {
    return pages_[folios_[f].first_page + offset];
  }
  uint32_t LocalNode(const OpContext& ctx) const { return ctx.cpu % world_.nodes; }
  void TouchFolio(FolioId f);
  void TouchMm(Mm& mm);
  void TouchSlot(uint32_t slot);
  void TouchBatch(uint32_t cpu, BatchKind kind) {
    batch_touched_ |= uint64_t{1} << (cpu * kBatchKinds + static_cast<uint32_t>(kind));
  }
  OpResult Done(OpResult r, OpContext& ctx);
  void Settle(uint32_t cpu);
  void CountEverything();
  FolioState FolioFact(FolioId f) const;
  PageState PageFact(FolioId f, uint32_t offset) const;
  MmState MmFact(const Mm& mm) const;
  VmaState VmaFact(const Mm& mm, const Vma& vma) const;
  PteState PteFact(const Mm& mm, uint32_t vpn, const Pte& pte) const;
  SwapState SlotFact(uint32_t slot) const;
  StatState StatFact() const;
  Digest BatchHash(uint32_t cpu, BatchKind kind) const;
  std::string CheckPtes();
  std::string CheckFolios();
  std::string CheckTlbs();

  ImplInfo info_;
  World world_;

  std::vector<std::unique_ptr<Mm>> mms_;  // slots; freed ones are used again
  std::vector<Mm*> live_;                 // by id
  std::vector<uint32_t> mm_of_handle_;    // slot, or kNoFolio
  std::vector<File> files_;
  size_t files_used_ = 0;
  std::vector<uint32_t> file_of_handle_;
  std::vector<uint32_t> file_of_shmem_;
  std::vector<AnonVma> anon_vmas_;
  std::vector<uint32_t> chains_;
  std::vector<Folio> folios_;
  std::vector<Page> pages_;
  std::vector<FolioId> allocated_;  // ids of allocated folios, ascending
  std::vector<SwapSlot> swap_;
  std::vector<std::vector<BatchEntry>> batches_;  // [cpu * kBatchKinds + kind]
  std::vector<Iso> isos_;
  std::vector<Migration> migrations_;
  std::vector<Pin> pins_;
  std::vector<Gather> zaps_;
  std::vector<FolioId>
      composite_;  // folios a composite operation has isolated; each holds one reference
  std::vector<FolioId> kept_;      // those of them that reclaim has looked at and keeps
  std::vector<Migration> moving_;  // the migrations that migrate or a long-term pin is at
  // Folios that migrate or a long-term pin has isolated and is not at: to be tried, to be tried
  // again, split off, given up.
  std::vector<FolioId> to_migrate_, again_, split_off_, stayed_;
  Gather gather_;
  struct DelayedRmap {
    FolioId folio;
    uint32_t offset, n;
  };
  std::vector<DelayedRmap> delayed_;
  std::vector<Pte> scratch_ptes_;
  std::vector<uint8_t> still_mapped_;         // scratch of RmapRemoved()
  std::vector<uint32_t> no_merge_;            // pages at which this operation keeps VMAs apart
  std::vector<FolioId> pieces_;               // scratch of SplitIntoPieces()
  ZoneKind fault_zone_ = ZoneKind::kMovable;  // of pages that faults allocate
  bool lru_cache_disabled_ = false;
  bool vmas_changed_ = false;

  // Scratch of CountEverything(), valid in Settle(), Snapshot() and CheckInvariants() only.
  std::vector<uint32_t> page_maps_;  // by index in pages_
  std::vector<FolioCount> counts_;   // by folio
  std::vector<uint32_t> slot_maps_;
  struct Rss {
    uint32_t anon, file, shmem, swap;
  };
  std::vector<Rss> rss_;  // by mm slot
  uint32_t anon_mapped_ = 0, file_mapped_ = 0;

  // Hashes of facts, for digest(): each is what is in the sum now.
  Digest sum_ = 0;
  bool anything_touched_ = false;
  std::vector<FolioId> touched_folios_;
  std::vector<uint8_t> folio_touched_;
  std::vector<Digest> folio_hash_;
  std::vector<uint32_t> touched_mms_;
  std::vector<uint8_t> mm_touched_;
  std::vector<Digest> mm_hash_;
  std::vector<uint32_t> touched_slots_;
  std::vector<uint8_t> slot_touched_;
  std::vector<Digest> slot_hash_;
  uint64_t batch_touched_ = 0;
  std::vector<Digest> batch_hash_;
  Digest stat_hash_ = 0;
};

}  // namespace mmdiff::reference

#endif  // MMDIFF_REFERENCE_ENGINE_H_
