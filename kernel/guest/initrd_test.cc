#include "kernel/guest/initrd.h"

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace mmdiff {
namespace {

struct Found {
  std::string name, contents;
  uint32_t mode, major, minor;
};

// Reads an archive as the kernel does.
std::vector<Found> Read(const std::string& archive) {
  std::vector<Found> found;
  size_t at = 0;
  const auto field = [&](int n) {
    return static_cast<uint32_t>(
        std::stoul(archive.substr(at + 6 + static_cast<size_t>(n) * 8, 8), nullptr, 16));
  };
  for (;;) {
    EXPECT_EQ(at % 4, 0u);
    EXPECT_EQ(archive.substr(at, 6), "070701");
    if (archive.substr(at, 6) != "070701") return found;
    const Found f{archive.c_str() + at + 110, "", field(1), field(9), field(10)};
    const size_t size = field(6), name_size = field(11);
    EXPECT_EQ(f.name.size() + 1, name_size);
    at = (at + 110 + name_size + 3) & ~size_t{3};
    if (f.name == "TRAILER!!!") return found;
    found.push_back(f);
    found.back().contents = archive.substr(at, size);
    at = (at + size + 3) & ~size_t{3};
  }
}

TEST(Initrd, ReadsBackAsItWasMade) {
  Initrd initrd;
  initrd.AddDirectory("dev");
  initrd.AddDevice("dev/console", 5, 1);
  initrd.AddFile("init", "program", true);
  initrd.AddFile("empty", "", false);
  initrd.AddFile("zeroes", std::string(5, '\0'), false);
  const std::string archive = std::move(initrd).Finish();
  EXPECT_EQ(archive.size() % 512, 0u);
  const std::vector<Found> found = Read(archive);
  ASSERT_EQ(found.size(), 5u);
  EXPECT_EQ(found[0].name, "dev");
  EXPECT_EQ(found[0].mode, 040755u);
  EXPECT_EQ(found[1].name, "dev/console");
  EXPECT_EQ(found[1].mode, 020600u);
  EXPECT_EQ(found[1].major, 5u);
  EXPECT_EQ(found[1].minor, 1u);
  EXPECT_EQ(found[2].name, "init");
  EXPECT_EQ(found[2].mode, 0100755u);
  EXPECT_EQ(found[2].contents, "program");
  EXPECT_EQ(found[3].contents, "");
  EXPECT_EQ(found[3].mode, 0100644u);
  EXPECT_EQ(found[4].contents, std::string(5, '\0'));
}

TEST(Initrd, TheSameFilesGiveTheSameBytes) {
  const auto make = [] {
    Initrd initrd;
    initrd.AddFile("init", "program", true);
    return std::move(initrd).Finish();
  };
  EXPECT_EQ(make(), make());
}

}  // namespace
}  // namespace mmdiff
