// Fuzzes the text parser: any text is either refused with a place, or is a valid program whose
// canonical text is a fixed point.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "program/fixup.h"
#include "program/text.h"
#include "targets/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool snippet : {false, true}) {
    mmdiff::ParseOptions options;
    options.snippet = snippet;
    const auto program = mmdiff::ParseText(text, options);
    if (!program.ok()) {
      const auto message = program.status().message();
      MMDIFF_REQUIRE(!message.empty() && message[0] >= '0' && message[0] <= '9');
      continue;
    }
    MMDIFF_REQUIRE(mmdiff::Validate(*program).ok());
    const std::string canonical = mmdiff::PrintText(*program);
    const auto again = mmdiff::ParseText(canonical);
    MMDIFF_REQUIRE(again.ok());
    MMDIFF_REQUIRE(*again == *program);
    MMDIFF_REQUIRE(mmdiff::PrintText(*again) == canonical);
  }
  return 0;
}
