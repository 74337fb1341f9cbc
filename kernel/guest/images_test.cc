// Guest images by version, series and path in a cache of the test's own, and what is said when
// there is none.
#include "kernel/guest/images.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class GuestImages : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "mmdiff-images-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = fs::canonical(pattern).string();
    setenv("MMDIFF_KERNELS", dir_.c_str(), 1);
  }
  void TearDown() override {
    std::error_code error;
    fs::remove_all(dir_, error);
  }
  void Write(const std::string& name, const std::string& text) const {
    const std::string path = dir_ + "/" + name;
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  void Image(const std::string& version, bool complete = true) const {
    const std::string directory = "images/" + version;
    Write(directory + "/vmlinuz", "kernel");
    fs::create_directories(dir_ + "/" + directory + "/modules");
    Write(complete ? directory + "/record" : directory + "/other",
          "version=" + version + "\nrelease=" + version +
              "+deb13-cloud-amd64\npackage=linux-image-" + version +
              "\npackage_version=" + version + "-1\nsuite=trixie\nheaders=no\nconfig=no\n");
  }
  static std::vector<std::string> Versions() {
    std::vector<std::string> versions;
    for (const GuestImage& image : ListGuestImages()) versions.push_back(image.version);
    return versions;
  }
  std::string dir_;
};

TEST_F(GuestImages, AreListedByVersion) {
  EXPECT_THAT(ListGuestImages(), IsEmpty());
  for (const char* version : {"6.12.117", "6.12.95", "7.3.4", "7.3-rc7", "7.3", "6.1.192"}) {
    Image(version);
  }
  Image("6.13.1", false);
  Image(".new-x");
  EXPECT_THAT(Versions(), ElementsAre("6.1.192", "6.12.95", "6.12.117", "7.3-rc7", "7.3", "7.3.4"));
}

TEST_F(GuestImages, AreFoundBySeriesVersionAndPath) {
  for (const char* version : {"6.1.9", "6.12.95", "6.12.117", "6.18.15", "7.3-rc7"}) Image(version);
  EXPECT_EQ(FindGuestImage("")->version, "6.12.117");
  EXPECT_EQ(FindGuestImage("6.12")->version, "6.12.117");
  EXPECT_EQ(FindGuestImage("6.12.95")->version, "6.12.95");
  EXPECT_EQ(FindGuestImage("6.1")->version, "6.1.9");
  EXPECT_EQ(FindGuestImage("7.3")->version, "7.3-rc7");
  EXPECT_EQ(FindGuestImage(dir_ + "/images/6.18.15/")->version, "6.18.15");
}

TEST_F(GuestImages, HaveWhatTheirPackagesHad) {
  Image("6.18.15");
  GuestImage image = *FindGuestImage("6.18.15");
  EXPECT_EQ(image.directory, dir_ + "/images/6.18.15");
  EXPECT_EQ(image.release, "6.18.15+deb13-cloud-amd64");
  EXPECT_EQ(image.package, "linux-image-6.18.15");
  EXPECT_EQ(image.package_version, "6.18.15-1");
  EXPECT_EQ(image.suite, "trixie");
  EXPECT_EQ(image.vmlinuz, image.directory + "/vmlinuz");
  EXPECT_EQ(image.modules, image.directory + "/modules");
  EXPECT_EQ(image.config, "");
  EXPECT_EQ(image.headers, "");

  Write("images/6.18.15/record", "version=6.18.15\nheaders=yes\n");
  Write("images/6.18.15/config", "CONFIG_X=y\n");
  EXPECT_EQ(FindGuestImage("6.18")->headers, "");  // not there, whatever the record says
  Write("images/6.18.15/headers/build/Makefile", "");
  image = *FindGuestImage("6.18");
  EXPECT_EQ(image.config, image.directory + "/config");
  EXPECT_EQ(image.headers, image.directory + "/headers/build");
}

TEST_F(GuestImages, WhatIsNotThereIsSaidWithARemedy) {
  absl::Status status = FindGuestImage("").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("./mmdiff guest fetch default"));
  EXPECT_THAT(status.message(), HasSubstr("none is fetched yet"));
  Image("6.18.15");
  status = FindGuestImage("6.1").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("./mmdiff guest fetch 6.1"));
  EXPECT_THAT(status.message(), HasSubstr("fetched are 6.18.15"));
  EXPECT_EQ(FindGuestImage("6.18.1").status().code(), absl::StatusCode::kNotFound);
  status = FindGuestImage(dir_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("no record"));
  for (const char* wrong :
       {"six", "6", "6.12.1.1", "6.12-", "6.12-rc", "6.12-rcx", "6..1", "-6.1"}) {
    EXPECT_EQ(FindGuestImage(wrong).status().code(), absl::StatusCode::kInvalidArgument) << wrong;
  }
}

TEST_F(GuestImages, CandidatesAreOlderThanWhatTheyBecome) {
  EXPECT_TRUE(OlderVersion("7.3-rc7", "7.3"));
  EXPECT_TRUE(OlderVersion("7.3-rc2", "7.3-rc10"));
  EXPECT_TRUE(OlderVersion("7.2.13", "7.3-rc1"));
  EXPECT_TRUE(OlderVersion("6.12.9", "6.12.10"));
  EXPECT_FALSE(OlderVersion("6.12.9", "6.12.9"));
  EXPECT_TRUE(IsGuestSeries("6.12"));
  EXPECT_FALSE(IsGuestSeries("6.12-rc1"));
}

}  // namespace
}  // namespace mmdiff
