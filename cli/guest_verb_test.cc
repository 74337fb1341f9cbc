// guest: images that a test has put into a cache of its own; nothing is downloaded here, which is
// images_test.sh's to test.
#include <filesystem>
#include <string>

#include "cli/shell_for_test.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;
using testing::Not;

class GuestVerb : public ShellTest {
 protected:
  void Image(const std::string& version) const {
    const std::string directory = "cache/images/" + version;
    std::filesystem::create_directories(Path(directory + "/modules"));
    std::filesystem::create_directories(Path(directory + "/headers/build"));
    Write(directory + "/vmlinuz", "kernel");
    Write(directory + "/record", "version=" + version + "\nrelease=" + version +
                                     "-cloud-amd64\npackage=linux-image\npackage_version=" +
                                     version + "-1\nsuite=trixie\nheaders=yes\nconfig=no\n");
  }
  // Runs the program on a machine that knows of no archive.
  ShellResult Guest(const std::string& arguments) const {
    return Shell("export MMDIFF_KERNELS='" + dir_ + "/cache' MMDIFF_APT_ETC='" + dir_ +
                 "/nowhere'; '" + MMDIFF_PROGRAM + "' guest " + arguments);
  }
};

TEST_F(GuestVerb, ListsWhatIsThere) {
  EXPECT_THAT(Guest("list").out, HasSubstr("./mmdiff guest fetch gets the default one"));
  Image("6.18.15");
  Image("6.12.117");
  const ShellResult list = Guest("list");
  EXPECT_EQ(list.exit, 0);
  EXPECT_THAT(list.out, HasSubstr("6.18.15-cloud-amd64"));
  EXPECT_LT(list.out.find("6.12.117"), list.out.find("6.18.15"));
  const auto json = Json(Guest("list --json"));
  ASSERT_EQ(json["images"].size(), 2u);
  EXPECT_EQ(json["images"][0]["version"], "6.12.117");
  EXPECT_EQ(json["images"][0]["headers"], true);
  EXPECT_EQ(json["images"][0]["config"], false);
  EXPECT_EQ(json.contains("available"), false);
}

TEST_F(GuestVerb, WhatIsThereIsNotFetchedAgain) {
  Image("6.18.15");
  const ShellResult fetch = Guest("fetch 6.18.15 --json");
  ASSERT_EQ(fetch.exit, 0) << fetch.err;
  EXPECT_EQ(Json(fetch)["images"][0]["directory"], dir_ + "/cache/images/6.18.15");
}

TEST_F(GuestVerb, OneThatFailsDoesNotStopTheOthers) {
  Image("6.18.15");
  const ShellResult fetch = Guest("fetch 6.1 6.18.15 6.18.15");
  EXPECT_EQ(fetch.exit, 3);
  EXPECT_THAT(fetch.err, HasSubstr("names no Debian archive"));
  EXPECT_EQ(fetch.out, "6.18.15 (6.18.15-cloud-amd64) from trixie, with headers: " + dir_ +
                           "/cache/images/6.18.15\n");
  const auto json = Json(Guest("fetch 6.1 6.18.15 --json"));
  EXPECT_EQ(json["failed"][0]["version"], "6.1");
  EXPECT_EQ(json["images"].size(), 1u);
  EXPECT_EQ(Guest("list --available").exit, 3);
}

TEST_F(GuestVerb, RemovesOneImage) {
  Image("6.18.5");
  Image("6.18.15");
  const ShellResult which = Guest("remove 6.18");
  EXPECT_EQ(which.exit, 2);
  EXPECT_THAT(which.err, HasSubstr("which one of 6.18.5, 6.18.15?"));
  const ShellResult removed = Guest("remove 6.18.15 --json");
  ASSERT_EQ(removed.exit, 0) << removed.err;
  EXPECT_EQ(Json(removed)["removed"], dir_ + "/cache/images/6.18.15");
  EXPECT_EQ(Guest("remove 6.18").exit, 0);
  EXPECT_FALSE(std::filesystem::exists(Path("cache/images/6.18.5")));
  EXPECT_EQ(Guest("remove 6.18").exit, 2);
  // What lies elsewhere is left alone.
  Image("6.18.5");
  std::filesystem::rename(Path("cache/images/6.18.5"), Path("mine"));
  EXPECT_THAT(Guest("remove ./mine").err, HasSubstr("is left alone"));
  EXPECT_TRUE(std::filesystem::exists(Path("mine/record")));
}

TEST_F(GuestVerb, WrongWordsAreSaid) {
  EXPECT_THAT(Guest("lst").err, HasSubstr("there are fetch, list, boot, remove and doctor"));
  EXPECT_THAT(Guest("list 6.12").err, HasSubstr("takes no more words"));
  EXPECT_THAT(Guest("remove").err, HasSubstr("takes one version"));
  EXPECT_THAT(Guest("fetch --available").err, HasSubstr("goes with list"));
  const ShellResult wrong = Guest("fetch 6.12 six");
  EXPECT_EQ(wrong.exit, 2);
  EXPECT_THAT(wrong.err, HasSubstr("'six' is no version"));
  EXPECT_THAT(wrong.err, Not(HasSubstr("looking")));
}

}  // namespace
}  // namespace mmdiff
