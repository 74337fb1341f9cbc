// Choices: decisions the kernel may legally take either way.
//
// The implementation under test (the leader) records what it decided, in order, while it runs an
// operation. The reference then runs the same operation and, at each point where the kernel is
// free, takes the next record, checks that the decision was allowed in its own state, and follows
// it. A record that was not allowed, is missing, or is left over breaks the relation "choice",
// which is a divergence like any other. An implementation run without a leader takes the default at
// every point.
//
// Recording is a push: O(1), and no allocation once the log has grown to what operations need.
#ifndef MMDIFF_HARNESS_CHOICE_H_
#define MMDIFF_HARNESS_CHOICE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mmdiff {

enum class ChoiceKind : uint8_t {
#define MMDIFF_CHOICE(Name, doc) k##Name,
#include "harness/choices.def"
};
inline constexpr size_t kChoiceKinds = 0
#define MMDIFF_CHOICE(Name, doc) +1
#include "harness/choices.def"
    ;
// Name and meaning of a kind, for reports.
const char* ChoiceName(ChoiceKind kind);
const char* ChoiceDoc(ChoiceKind kind);

// `a`, `b`, `c` are as choices.def says for the kind.
struct Choice {
  ChoiceKind kind;
  uint16_t a = 0;
  uint16_t c = 0;
  uint32_t b = 0;
  bool operator==(const Choice&) const = default;
};

class ChoiceLog {
 public:
  // Records of one operation at most: ten passes over as many mappings as a large world can have.
  static constexpr size_t kCapacity = size_t{1} << 22;

  // ---- leader side ----
  void Record(ChoiceKind kind, uint32_t a, uint32_t b = 0, uint32_t c = 0) {
    if (log_.size() == kCapacity) {
      overflow_ = true;
      return;
    }
    log_.push_back(Choice{kind, static_cast<uint16_t>(a), static_cast<uint16_t>(c), b});
  }

  // ---- follower side ----

  // True if there is a leader whose records are to be followed.
  bool following() const { return following_; }
  // The next record if it is of `kind`, else nullptr; does not consume it.
  const Choice* Peek(ChoiceKind kind) const {
    return following_ && next_ < log_.size() && log_[next_].kind == kind ? &log_[next_] : nullptr;
  }
  // Consumes the record that Peek gave, and counts it as used.
  void Take() {
    ++used_[static_cast<size_t>(log_[next_].kind)];
    ++next_;
  }
  // Consumes the next record if it is of `kind` and its b is this one, and gives it; else nullptr.
  const Choice* TakeAt(ChoiceKind kind, uint32_t b) {
    const Choice* c = Peek(kind);
    if (c == nullptr || c->b != b) return nullptr;
    Take();
    return c;
  }
  // Says that the leader's decision (or its lack of a record) was not allowed; `why` is a literal
  // that names the condition. The first refusal of an operation is kept.
  void Refuse(ChoiceKind kind, const char* why) {
    if (refused_why_ == nullptr) {
      refused_why_ = why;
      refused_kind_ = kind;
    }
  }

  // ---- runner side ----

  void BeginOp() {  // forgets the records of the last operation, not the counters
    log_.clear();
    next_ = 0;
    following_ = overflow_ = false;
    refused_why_ = nullptr;
  }
  void BeginFollowing() { following_ = true; }
  bool refused() const { return refused_why_ != nullptr; }
  const char* refused_why() const { return refused_why_; }
  ChoiceKind refused_kind() const { return refused_kind_; }
  bool overflow() const { return overflow_; }
  size_t size() const { return log_.size(); }
  const Choice& at(size_t i) const { return log_[i]; }
  size_t left_over() const { return following_ ? log_.size() - next_ : 0; }
  const Choice& next() const { return log_[next_]; }
  // How often each kind was followed since construction.
  const std::array<uint64_t, kChoiceKinds>& used() const { return used_; }

 private:
  std::vector<Choice> log_;
  size_t next_ = 0;
  bool following_ = false;
  bool overflow_ = false;
  const char* refused_why_ = nullptr;
  ChoiceKind refused_kind_{};
  std::array<uint64_t, kChoiceKinds> used_{};
};

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_CHOICE_H_
