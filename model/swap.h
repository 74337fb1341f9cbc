// LRU lists and the per-CPU folio batches in front of them. The kernel's swap.c.
#ifndef MMDIFF_MODEL_SWAP_H_
#define MMDIFF_MODEL_SWAP_H_

#include "model/folio.h"

MMDIFF_MODEL_BEGIN

inline constexpr uint32_t kMaxBatch = 31;

// One batch of one CPU; the mlock batch carries tags.
struct FolioBatch {
  uint32_t cpu = 0;
  BatchKind kind = BatchKind::kLruAdd;
  uint32_t nr = 0;
  Folio* folios[kMaxBatch] = {};
  MlockTag tags[kMaxBatch] = {};
  Tracked tracked;
};
struct CpuBatches {
  sync::Mutex<sync::Rank::kBatch> lock;
  FolioBatch batch[kBatchKinds];
};
// The five lists of one node, under Kernel::lru_lock.
struct Lruvec {
  Folio* head[6] = {};  // by LruList
};

void touch_batch(Task& t, FolioBatch& batch);

// Adds to a batch of the task's CPU, with a reference, and flushes it where the rule (or a switch)
// says so.
void folio_batch_add(Task& t, Folio& folio, BatchKind kind, MlockTag tag = MlockTag::kNone);
void folio_add_lru(Task& t, Folio& folio);
// A fault's new anon folio: mlock_new_folio in a kVmLocked VMA, else folio_add_lru.
void folio_add_lru_vma(Task& t, Folio& folio, const Vma& vma);
void folio_mark_accessed(Task& t, Folio& folio);
void folio_deactivate(Task& t, Folio& folio);
void folio_mark_lazyfree(Task& t, Folio& folio);
void lru_add_drain(Task& t);  // the task's CPU
void lru_add_drain_cpu(Task& t, uint32_t cpu);
void lru_add_drain_all(Task& t);  // the task's CPU first
// Puts a folio that waits in no batch straight onto the list that its flags name (lru_add).
void lru_add(Task& t, Folio& folio);
// While disabled batches are flushed at each add; nests.
void lru_cache_disable(Task& t);
void lru_cache_enable(Task& t);
// Takes the folio off its list for its last put; folio.cc alone calls it.
void folio_release_lru(Task& t, Folio& folio);
// Off its list with lru cleared; the lists' statistics follow. Under lru_lock: the caller holds it.
void lruvec_add_folio(Task& t, Folio& folio);
void lruvec_del_folio(Task& t, Folio& folio);

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_SWAP_H_
