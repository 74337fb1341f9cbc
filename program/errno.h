// Names of the errors that operations answer, as Linux numbers them.
//
// Lookups are a short scan of a constant table; nothing allocates except ErrnoText for unknown
// numbers.
#ifndef MMDIFF_PROGRAM_ERRNO_H_
#define MMDIFF_PROGRAM_ERRNO_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/types/span.h"

namespace mmdiff {

struct ErrnoName {
  int32_t number;
  const char* name;  // "ENOMEM"
  const char* doc;
};
// All of them, by number.
absl::Span<const ErrnoName> AllErrnos();
// The name of `number`, or nullptr if no operation answers it.
const char* NameOfErrno(int32_t number);
// The number of `name`, or 0 if it is unknown.
int32_t ErrnoOfName(std::string_view name);
// "ok" for 0, the name, or "errno 77".
std::string ErrnoText(int32_t number);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_ERRNO_H_
