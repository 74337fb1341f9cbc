// Fuzzes the binary decoder: any bytes are a valid program that both forms keep.
#include <cstdint>

#include "program/binary.h"
#include "program/fixup.h"
#include "program/text.h"
#include "targets/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static mmdiff::Program program, again;
  mmdiff::DecodeInto({data, size}, &program);
  MMDIFF_REQUIRE(mmdiff::Validate(program).ok());
  const std::vector<uint8_t> bytes = mmdiff::Encode(program);
  mmdiff::DecodeInto(bytes, &again);
  MMDIFF_REQUIRE(again == program);
  const auto parsed = mmdiff::ParseText(mmdiff::PrintText(program));
  MMDIFF_REQUIRE(parsed.ok());
  MMDIFF_REQUIRE(*parsed == program);
  return 0;
}
