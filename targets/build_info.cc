#include "targets/build_info.h"

namespace mmdiff {

#if defined(__clang__)
#define MMDIFF_COMPILER "clang++ " __clang_version__
#else
#define MMDIFF_COMPILER "g++ " __VERSION__
#endif

const char* BuildVersion() { return MMDIFF_VERSION; }
const char* BuildSanitizer() { return MMDIFF_SANITIZER; }
const char* BuildInfo() {
  return "mmdiff " MMDIFF_VERSION ", " MMDIFF_COMPILER ", " MMDIFF_BUILD_TYPE
         ", sanitizer " MMDIFF_SANITIZER;
}

}  // namespace mmdiff
