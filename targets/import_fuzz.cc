// Fuzzes the strace import: any text gives valid programs within the limits, or an error that names
// a line.
#include <cstdint>
#include <string_view>

#include "program/fixup.h"
#include "program/import_strace.h"
#include "targets/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mmdiff::ImportOptions options;
  options.max_ops = 48;
  options.max_programs = 8;
  options.touch = size % 2 == 0;
  mmdiff::ImportReport report;
  const std::string_view log(reinterpret_cast<const char*>(data), size);
  const auto programs = mmdiff::ImportStrace(log, options, &report);
  if (!programs.ok()) {
    const auto message = programs.status().message();
    MMDIFF_REQUIRE(message.find("line ") == 0);
    return 0;
  }
  MMDIFF_REQUIRE(!programs->empty() && programs->size() <= options.max_programs);
  size_t operations = 0;
  for (const mmdiff::Program& program : *programs) {
    MMDIFF_REQUIRE(mmdiff::Validate(program).ok());
    MMDIFF_REQUIRE(program.ops.size() <= options.max_ops);
    operations += program.ops.size();
  }
  MMDIFF_REQUIRE(report.operations == operations && report.used <= report.calls);
  return 0;
}
