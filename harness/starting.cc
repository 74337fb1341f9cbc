#include "harness/starting.h"

namespace mmdiff {
namespace {

std::atomic<std::atomic<uint32_t>*> told_at{nullptr};

}  // namespace

void Starting::TellAt(std::atomic<uint32_t>* word) {
  if (word != nullptr) word->store(0, std::memory_order_relaxed);
  told_at.store(word);
}

Starting::Starting() : word_(told_at.load()) {
  if (word_ != nullptr) word_->fetch_add(1, std::memory_order_relaxed);
}

Starting::~Starting() {
  if (word_ != nullptr) word_->fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace mmdiff
