// Golden files: what a test printed when somebody last looked at it and found it good.
//
// For tests only. MMDIFF_UPDATE_GOLDEN=1 in the environment writes the files anew instead of
// comparing.
#ifndef MMDIFF_HARNESS_GOLDEN_H_
#define MMDIFF_HARNESS_GOLDEN_H_

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "gtest/gtest.h"

namespace mmdiff {

// Expects that `text` equals the file `name` in harness/testdata/.
inline void ExpectGolden(const std::string& name, const std::string& text) {
  const std::string path = std::string(MMDIFF_SOURCE_DIR) + "/harness/testdata/" + name;
  const char* update = std::getenv("MMDIFF_UPDATE_GOLDEN");
  if (update != nullptr && std::string(update) == "1") {
    std::ofstream out(path, std::ios::binary);
    out << text;
    ASSERT_TRUE(out.flush().good()) << "cannot write " << path;
    return;
  }
  std::ifstream in(path, std::ios::binary);
  ASSERT_TRUE(in.good()) << "no " << path << ": run the test once with MMDIFF_UPDATE_GOLDEN=1";
  const std::string want((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_EQ(text, want) << path
                        << " differs; if the new text is right, run with MMDIFF_UPDATE_GOLDEN=1";
}

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_GOLDEN_H_
