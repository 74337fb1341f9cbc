#include "minimize/search.h"

#include <cstring>
#include <utility>

#include "harness/simplicity.h"
#include "program/fixup.h"
#include "program/world.h"
#include "state/digest.h"

namespace mmdiff {

uint64_t HashOf(const Program& program) {
  uint64_t h = Mix(program.ops.size(), program.world.orders);
  for (const WorldField& f : WorldFields()) h = Mix(h, program.world.*f.member);
  for (const Op& op : program.ops) {
    h = Mix(h,
            static_cast<uint64_t>(op.code) << 16 | static_cast<uint64_t>(op.thread) << 8 | op.cpu);
    for (size_t i = 0; i < kMaxArgs; i += 2) h = Mix(h, Pair(op.arg[i], op.arg[i + 1]));
  }
  return h;
}

Verdict Search::Run(const Program& candidate) {
  ++runs_;
  if (stats_ != nullptr) ++stats_->runs;
  Verdict verdict = predicate_(candidate);
  if (verdict.op && *verdict.op >= candidate.ops.size()) verdict.op.reset();  // as good as unknown
  if (runs_ >= options_.max_runs || (options_.stop && options_.stop())) exhausted_ = true;
  return verdict;
}

bool Search::Start(Program program) {
  Fixup(&program);
  seen_.insert(HashOf(program));
  const Verdict verdict = Run(program);
  best_ = std::move(program);
  failing_op_ = verdict.op;
  return verdict.same;
}

bool Search::Try(Program candidate) {
  if (exhausted_) return false;
  if (stats_ != nullptr) ++stats_->tries;
  Fixup(&candidate);
  if (!Simpler(candidate, best_) || !seen_.insert(HashOf(candidate)).second) return false;
  const Verdict verdict = Run(candidate);
  if (!verdict.same) return false;
  if (stats_ != nullptr) {
    ++stats_->accepted;
    stats_->ops_removed += best_.ops.size() - candidate.ops.size();
  }
  best_ = std::move(candidate);
  failing_op_ = verdict.op;
  if (options_.progress) {
    options_.progress(
        {stats_ != nullptr ? stats_->name : std::string_view(), runs_, best_.ops.size()});
  }
  return true;
}

}  // namespace mmdiff
