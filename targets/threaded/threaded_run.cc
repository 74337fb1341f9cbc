#include "targets/threaded/threaded_run.h"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "model/model.h"
#include "model/sync.h"
#include "program/arg_kinds.h"

namespace mmdiff {
namespace {

// Where the threads wait for each other.
class Meeting {
 public:
  Meeting(uint32_t threads, Interleaver* interleaver)
      : threads_(threads), interleaver_(interleaver) {}

  void Wait() {
    std::unique_lock held(mutex_);
    const uint64_t round = round_;
    if (++waiting_ == threads_) {
      waiting_ = 0;
      ++round_;
      changed_.notify_all();
      return;
    }
    while (round_ == round) {
      if (interleaver_ == nullptr) {
        changed_.wait(held);
      } else {
        held.unlock();
        interleaver_->Point(model::sync::kBlocked);
        held.lock();
      }
    }
  }

 private:
  const uint32_t threads_;
  Interleaver* const interleaver_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint32_t waiting_ = 0;
  uint64_t round_ = 0;
};

// What every thread of a run knows.
struct Shared {
  const Program& program;
  Implementation& model;
  const std::vector<uint32_t>& handles;  // the handle that each operation binds
  uint32_t threads;
  Meeting& meeting;
  Interleaver* interleaver;
};

// The operations of one thread.
void RunThread(const Shared& s, uint32_t index, ChoiceLog* log, ThreadedResult* out) {
  if (s.interleaver != nullptr) s.interleaver->Enter(index);
  for (size_t i = 0; i < s.program.ops.size(); ++i) {
    if (i % ThreadedMachine::kWindow == 0) s.meeting.Wait();
    const Op& op = s.program.ops[i];
    if (op.thread % s.threads != index) continue;
    log->BeginOp();
    OpContext context{static_cast<uint32_t>(i), s.handles[i], op.cpu, static_cast<uint8_t>(index),
                      log};
    const OpResult result = s.model.Dispatch(op, context);
    ++out->operations;
    if (result.err == 0) {
      ++out->effective;
      ++out->done[static_cast<size_t>(op.code)];
    }
    out->trace = FoldData(
        FoldData(out->trace, static_cast<uint64_t>(result.err) << 32 | result.value), result.data);
  }
  if (s.interleaver != nullptr) s.interleaver->Leave();
}

// The index that the result handle of each operation has.
std::vector<uint32_t> ResultHandles(const Program& program) {
  std::array<uint32_t, kArgKinds + 1> next{};
  std::vector<uint32_t> handles;
  handles.reserve(program.ops.size());
  for (const Op& op : program.ops)
    handles.push_back(next[static_cast<size_t>(DescOf(op.code).result)]++);
  return handles;
}

// Nothing runs any more: the batches are emptied, put-off flushes done, and the model is checked
// before, so that what the batches hold is counted too, and after.
std::string CheckQuiescent(Implementation& model, ChoiceLog* log) {
  std::string broken = model.CheckInvariants();
  if (!broken.empty()) return broken;
  Op op;
  for (const Opcode code : {Opcode::flush_batched, Opcode::drain_all}) {
    op.code = code;
    log->BeginOp();
    OpContext context{0, 0, 0, 0, log};
    model.Dispatch(op, context);
  }
  broken = model.CheckInvariants();
  return broken.empty() ? broken : broken + " (after the drain)";
}

}  // namespace

std::unique_ptr<ThreadedMachine> ThreadedMachine::Make(std::string_view spec, uint32_t threads,
                                                       std::string* error) {
  if (threads == 0 || threads > 64) {
    *error = "the number of threads is 1 to 64";
    return nullptr;
  }
  std::unique_ptr<Implementation> model = model::MakeModel(spec, error);
  if (model == nullptr) return nullptr;
  return std::unique_ptr<ThreadedMachine>(new ThreadedMachine(std::move(model), threads));
}

ThreadedMachine::ThreadedMachine(std::unique_ptr<Implementation> model, uint32_t threads)
    : model_(std::move(model)), threads_(threads) {
  for (uint32_t i = 0; i < threads; ++i) logs_.push_back(std::make_unique<ChoiceLog>());
}

ThreadedMachine::~ThreadedMachine() = default;

ThreadedResult ThreadedMachine::Run(const Program& program, Interleaver* interleaver) {
  model_->Reset(program.world);
  const std::vector<uint32_t> handles = ResultHandles(program);
  Meeting meeting(threads_, interleaver);
  const Shared shared{program, *model_, handles, threads_, meeting, interleaver};
  std::vector<ThreadedResult> parts(threads_);
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < threads_; ++i) {
    threads.emplace_back(RunThread, std::cref(shared), i, logs_[i].get(), &parts[i]);
  }
  for (std::thread& thread : threads) thread.join();
  ThreadedResult result;
  for (const ThreadedResult& part : parts) {
    result.operations += part.operations;
    result.effective += part.effective;
    for (size_t i = 0; i < kOpcodes; ++i) result.done[i] += part.done[i];
    if (interleaver != nullptr) result.trace = FoldData(result.trace, part.trace);
  }
  if (interleaver != nullptr) result.trace = FoldData(result.trace, interleaver->trace());
  result.broken = CheckQuiescent(*model_, logs_[0].get());
  return result;
}

Program Combine(const std::vector<Program>& programs) {
  Program all;
  all.world = programs.at(0).world;
  size_t longest = 0;
  for (const Program& program : programs) longest = std::max(longest, program.ops.size());
  // The operations alternate. A handle is numbered by the operations before that bind one of its
  // kind.
  std::array<uint32_t, kHandleKinds> next{};
  using Names = std::array<std::vector<uint32_t>, kHandleKinds>;  // by kind and old number
  std::vector<Names> names(programs.size());
  for (size_t i = 0; i < longest; ++i) {
    for (size_t p = 0; p < programs.size(); ++p) {
      if (i >= programs[p].ops.size()) continue;
      Op op = programs[p].ops[i];
      const OpDesc& desc = DescOf(op.code);
      op.thread = static_cast<uint8_t>(p);
      for (size_t a = 0; a < desc.nargs; ++a) {
        const ArgKind kind = desc.args[a].kind;
        if (!IsHandle(kind) || (kind == ArgKind::kFile && op.arg[a] == kNoFile)) continue;
        op.arg[a] = names[p][static_cast<size_t>(kind)].at(op.arg[a]);
      }
      if (desc.result != ArgKind::kNone) {
        const auto kind = static_cast<size_t>(desc.result);
        names[p][kind].push_back(next[kind]++);
      }
      all.ops.push_back(op);
    }
  }
  return all;
}

}  // namespace mmdiff
