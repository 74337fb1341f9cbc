#include "harness/choice.h"

namespace mmdiff {
namespace {
struct ChoiceText {
  const char* name;
  const char* doc;
};
constexpr ChoiceText kText[] = {
#define MMDIFF_CHOICE(Name, doc) {#Name, doc},
#include "harness/choices.def"
};
}  // namespace

const char* ChoiceName(ChoiceKind kind) { return kText[static_cast<size_t>(kind)].name; }
const char* ChoiceDoc(ChoiceKind kind) { return kText[static_cast<size_t>(kind)].doc; }

}  // namespace mmdiff
