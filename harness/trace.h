// Trace: a run as deterministic text, and as one number.
//
// Attach it as the observer of a run. It writes one line per operation: the operation as text, the
// result and the digest of each implementation. Equal programs on equal builds give equal traces,
// on every run. Costs O(text); with text off only the digest of the trace is kept and nothing is
// allocated.
#ifndef MMDIFF_HARNESS_TRACE_H_
#define MMDIFF_HARNESS_TRACE_H_

#include <array>
#include <cstdint>
#include <string>

#include "harness/lockstep.h"

namespace mmdiff {

class Trace : public RunObserver {
 public:
  explicit Trace(bool with_text) : with_text_(with_text) {}

  void OnStart(Lockstep& lockstep, const Program& program) override;
  void OnOp(Lockstep& lockstep, const Program& program, uint32_t op_index) override;

  const std::string& text() const { return text_; }
  uint64_t digest() const { return digest_; }

 private:
  void Add(Implementation& impl, const OpResult& result, bool first);

  bool with_text_;
  std::string text_;
  uint64_t digest_ = 0;
  std::array<uint32_t, kArgKinds + 1> handles_{};  // bound so far, by kind
};

// A result as text: "ok", "ok 16", "ENOMEM 3", "ok 4 data=0123456789abcdef", "unsupported".
std::string ResultText(const OpResult& result);

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_TRACE_H_
