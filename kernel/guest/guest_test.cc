#include "kernel/guest/guest.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

void Put(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

class GuestTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "guest-" + std::to_string(getpid());
    setenv("MMDIFF_ROOT", MMDIFF_SOURCE_DIR, 1);
    setenv("MMDIFF_KERNELS", (root_ + "/kernels").c_str(), 1);
    setenv("MMDIFF_QEMU", "/bin/true", 1);
    Put(root_ + "/init", "an init");
    Put(root_ + "/m.ko", "a module");
    Put(image_ + "/boot/vmlinuz-6.18.15+deb13-cloud-amd64", "a kernel");
  }
  void TearDown() override {
    fs::remove_all(root_);
    for (const char* name : {"MMDIFF_ROOT", "MMDIFF_KERNELS", "MMDIFF_QEMU"}) unsetenv(name);
  }

  std::string root_ = testing::TempDir() + "guest-" + std::to_string(getpid());
  std::string image_ = root_ + "/image";
};

TEST_F(GuestTest, IsFoundByPath) {
  auto guest = FindGuest(image_ + ",cpus=1,init=" + root_ + "/init,module=" + root_ + "/m.ko");
  ASSERT_TRUE(guest.ok()) << guest.status();
  EXPECT_EQ(guest->image.release, "6.18.15+deb13-cloud-amd64");
  EXPECT_EQ(guest->image.version, "6.18.15");
  EXPECT_EQ(guest->image.headers, "");
  EXPECT_EQ(guest->cpus, 1u);
  EXPECT_EQ(guest->module, root_ + "/m.ko");
  Put(root_ + "/bzImage", "a kernel");
  guest = FindGuest(root_ + "/bzImage");
  ASSERT_TRUE(guest.ok()) << guest.status();
  EXPECT_EQ(guest->image.vmlinuz, root_ + "/bzImage");
}

TEST_F(GuestTest, WhatIsNotThereComesWithARemedy) {
  absl::Status s = FindGuest("").status();
  EXPECT_TRUE(absl::IsNotFound(s)) << s;
  EXPECT_THAT(std::string(s.message()), HasSubstr("./mmdiff guest fetch default"));
  s = FindGuest("6.18").status();
  EXPECT_THAT(std::string(s.message()), HasSubstr("./mmdiff guest fetch 6.18"));
  EXPECT_TRUE(absl::IsNotFound(FindGuest(root_ + "/nowhere").status()));
  EXPECT_TRUE(absl::IsNotFound(FindGuest(image_ + ",module=/no/such.ko").status()));
  for (const char* option : {",cpus=0", ",cpus=9", ",cpus=x", ",smp=2"}) {
    s = FindGuest(image_ + option).status();
    EXPECT_TRUE(absl::IsInvalidArgument(s)) << s;
    EXPECT_THAT(std::string(s.message()), HasSubstr("cpus=N"));
  }
}

TEST_F(GuestTest, IsPreparedOnce) {
  const Guest guest = FindGuest(image_ + ",init=" + root_ + "/init").value();
  EXPECT_FALSE(GuestIsPrepared(guest));
  auto options = PrepareGuest(guest);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->machine, Machine::kQemu);
  EXPECT_EQ(options->executable, "/bin/true");
  EXPECT_EQ(options->name, "guest 6.18.15+deb13-cloud-amd64");
  EXPECT_THAT(options->arguments, Contains(guest.image.vmlinuz));
  EXPECT_TRUE(GuestIsPrepared(guest));
  auto again = PrepareGuest(guest);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->arguments, options->arguments);
  // Another init is another guest.
  Put(root_ + "/init", "another init");
  EXPECT_FALSE(GuestIsPrepared(guest));
  // Nothing unfinished is left.
  EXPECT_FALSE(fs::exists(image_ + "/.mmdiff-unfinished"));
}

TEST_F(GuestTest, SaysWhatTheCompilerSaid) {
  Put(image_ + "/usr/src/linux-headers-6.18.15+deb13-cloud-amd64/README", "no headers at all");
  const Guest guest = FindGuest(image_).value();
  EXPECT_NE(guest.image.headers, "");
  const absl::Status s = PrepareGuest(guest).status();
  EXPECT_TRUE(absl::IsInternal(s)) << s;
  EXPECT_THAT(std::string(s.message()), HasSubstr("Linux 6.18.15+deb13-cloud-amd64 failed"));
  EXPECT_THAT(std::string(s.message()), HasSubstr("holds no kernel headers"));
  EXPECT_FALSE(GuestIsPrepared(guest));
}

}  // namespace
}  // namespace mmdiff
