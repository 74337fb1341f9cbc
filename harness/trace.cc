#include "harness/trace.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "program/text.h"

namespace mmdiff {

std::string ResultText(const OpResult& result) {
  if (result.unsupported) return "unsupported";
  std::string out = ResultText(result.err, result.value);
  out.erase(0, 3);  // "=> "
  if (result.data != 0) absl::StrAppendFormat(&out, " data=%016x", result.data);
  return out;
}

void Trace::OnStart(Lockstep& lockstep, const Program& program) {
  text_.clear();
  digest_ = 0;
  handles_.fill(0);
  if (!with_text_) return;
  std::string names;
  for (size_t i = 0; i < lockstep.leaders(); ++i) {
    if (Implementation* reference = lockstep.reference(i)) {
      absl::StrAppend(&names, i == 0 ? "" : " | ", reference->info().name, " ");
    }
    absl::StrAppend(&names, names.empty() ? "" : "| ", lockstep.leader(i).info().name);
  }
  absl::StrAppend(&text_, "# op => result digest | ...: ", names, "\n");
}

void Trace::Add(Implementation& impl, const OpResult& result, bool first) {
  const Digest d = impl.digest();
  digest_ = Mix(digest_, Pair(static_cast<uint32_t>(result.err), result.value));
  digest_ = Mix(Mix(digest_, result.data), d);
  if (!with_text_) return;
  absl::StrAppendFormat(&text_, " %s %s %016x", first ? "=>" : "|", ResultText(result), d);
}

void Trace::OnOp(Lockstep& lockstep, const Program& program, uint32_t op_index) {
  const Op& op = program.ops[op_index];
  const uint32_t handle = handles_[static_cast<size_t>(DescOf(op.code).result)]++;
  if (with_text_) absl::StrAppend(&text_, op_index, " ", PrintOp(op, handle));
  bool first = true;
  for (size_t i = 0; i < lockstep.leaders(); ++i) {
    digest_ = Mix(digest_, i);
    if (lockstep.skipped(i)) {
      if (with_text_) absl::StrAppend(&text_, first ? " => skipped" : " | skipped");
      first = false;
      continue;
    }
    if (Implementation* reference = lockstep.reference(i)) {
      Add(*reference, lockstep.reference_result(i), first);
      first = false;
    }
    Add(lockstep.leader(i), lockstep.leader_result(i), first);
    first = false;
  }
  if (with_text_) text_ += '\n';
}

}  // namespace mmdiff
