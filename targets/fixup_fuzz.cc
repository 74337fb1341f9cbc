// Fuzzes fix-up with programs whose every field is arbitrary: the result is valid, fix-up is
// idempotent, and it leaves a program alone exactly if the program is valid.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "program/fixup.h"
#include "program/world.h"
#include "targets/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static mmdiff::Program program, before;
  program.ops.clear();
  program.expectations.clear();
  program.world = mmdiff::World();
  const auto take = [&](void* to, size_t count) {
    count = std::min(count, size);
    std::memcpy(to, data, count);
    data += count;
    size -= count;
  };
  uint8_t flags = 0;
  take(&flags, 1);
  if (flags & 1) {
    for (const mmdiff::WorldField& field : mmdiff::WorldFields()) {
      take(&(program.world.*field.member), sizeof(uint32_t));
    }
    take(&program.world.orders, sizeof(uint32_t));
  }
  while (size > 0) {
    mmdiff::Op op;
    take(&op, sizeof(op));
    program.ops.push_back(op);
    if ((flags & 2) && op.reserved < 8) {
      const char* texts[] = {"=> ok", "=> ENOMEM 3", "? m0 0x40 present", "=> bad", ""};
      program.expectations.push_back({op.thread, 0, texts[op.reserved % 5]});
    }
  }
  before = program;
  mmdiff::Fixup(&program);
  MMDIFF_REQUIRE(mmdiff::Validate(program).ok());
  MMDIFF_REQUIRE(mmdiff::Validate(before).ok() == (before == program));
  before = program;
  mmdiff::Fixup(&program);
  MMDIFF_REQUIRE(before == program);
  return 0;
}
