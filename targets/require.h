// The assertion of the fuzz targets: holds in every build, unlike assert.
//
// Prints the condition and its place and aborts, which fuzz engines report as a crash. Costs a
// branch.
#ifndef MMDIFF_TARGETS_REQUIRE_H_
#define MMDIFF_TARGETS_REQUIRE_H_

#include <cstdio>
#include <cstdlib>

#define MMDIFF_REQUIRE(condition)                                                         \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                       \
    }                                                                                     \
  } while (false)

#endif  // MMDIFF_TARGETS_REQUIRE_H_
