// Task: what runs an operation of the model: whose CPU it uses, whom it tells its choices, and the
// lists of touched objects that keep the digest incremental. One a running operation, on the stack;
// passed to everything, so that several threads may run operations on one Kernel. Never outlives
// its operation.
#ifndef MMDIFF_MODEL_TASK_H_
#define MMDIFF_MODEL_TASK_H_

#include <cstdint>
#include <vector>

#include "harness/choice.h"
#include "harness/op_handler.h"
#include "model/cost.h"
#include "model/sync.h"
#include "program/program.h"
#include "state/state.h"

MMDIFF_MODEL_BEGIN

class Kernel;
class InvariantChecker;
struct Folio;
struct Page;
struct Vma;
struct Mm;
struct PageTable;
struct TlbTable;
struct SwapSlot;
struct FolioBatch;

// Errno values that the model answers, positive as in OpResult.
enum Errno : int32_t {
  kEPERM = 1,
  kENOENT = 2,
  kESRCH = 3,
  kEBADF = 9,
  kEAGAIN = 11,
  kENOMEM = 12,
  kEFAULT = 14,
  kEBUSY = 16,
  kEEXIST = 17,
  kENODEV = 19,
  kEINVAL = 22,
  kENOSPC = 28,
  kEOVERFLOW = 75,
};

struct Switches {
#define MMDIFF_SWITCH(name, dflt, doc) bool name = dflt;
#include "model/switches.def"
};

// Part of every object that is a fact of the state: the hash that the digest sum holds for it.
struct Tracked {
  uint64_t fact_hash = 0;
  bool touched = false;
};

// Objects whose facts may have changed since the last digest. Off in the threaded build.
struct Touched {
  std::vector<Folio*> folios;
  std::vector<Page*> pages;
  std::vector<Vma*> vmas;
  std::vector<Mm*> mms;
  std::vector<PageTable*> tables;
  std::vector<TlbTable*> tlbs;
  std::vector<SwapSlot*> slots;
  std::vector<FolioBatch*> batches;
};
template <typename T>
inline void Touch(std::vector<T*>& list, T* object, Tracked& tracked) {
  if constexpr (!kThreaded) {
    if (!tracked.touched) {
      tracked.touched = true;
      list.push_back(object);
    }
  }
}

struct Task {
  Kernel& k;
  OpContext& ctx;
  uint32_t cpu;
  uint32_t node;                             // of the CPU
  ZoneKind fault_zone = ZoneKind::kMovable;  // of pages that faults allocate (memalloc_pin_save)

  Task(Kernel& kernel, OpContext& context, uint32_t nodes)
      : k(kernel), ctx(context), cpu(context.cpu), node(context.cpu % nodes) {}
  // Does what is left for the end of an operation (shmem_drop_unused; with World::tlb 0, flushes
  // that were put off).
  ~Task();
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  void Choose(ChoiceKind kind, uint32_t a, uint32_t b = 0, uint32_t c = 0) {
    ctx.choices->Record(kind, a, b, c);
  }
};

MMDIFF_MODEL_END

#endif  // MMDIFF_MODEL_TASK_H_
