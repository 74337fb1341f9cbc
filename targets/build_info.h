// Which build this is, in one line: "mmdiff 1.0.0, g++ 12.2.0, Release". Constant, costs nothing.
#ifndef MMDIFF_TARGETS_BUILD_INFO_H_
#define MMDIFF_TARGETS_BUILD_INFO_H_

namespace mmdiff {

const char* BuildInfo();
// "1.0.0".
const char* BuildVersion();
// "address", "undefined", "undefined-trap", "thread", or "none".
const char* BuildSanitizer();

}  // namespace mmdiff

#endif  // MMDIFF_TARGETS_BUILD_INFO_H_
