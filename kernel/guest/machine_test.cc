#include "kernel/guest/machine.h"

#include <cstdlib>
#include <string>

#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mmdiff {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Words(const GuestMachine& machine) {
  return absl::StrJoin(QemuArguments(machine), " ");
}

TEST(GuestMachine, HasTwoNodesAndSharesMemory) {
  const std::string words = Words({.kernel = "/k", .initrd = "/i"});
  EXPECT_THAT(words, HasSubstr("-accel tcg,thread=single "));
  EXPECT_THAT(words, HasSubstr("cx16=off"));
  EXPECT_THAT(words, HasSubstr("-smp 2,sockets=2 -m 512M "));
  EXPECT_THAT(words, HasSubstr("id=ram0,size=256M -numa node,nodeid=0,memdev=ram0,cpus=0 "));
  EXPECT_THAT(words, HasSubstr("id=ram1,size=256M -numa node,nodeid=1,memdev=ram1,cpus=1-1 "));
  EXPECT_THAT(words, HasSubstr("size=67108864,mem-path=/proc/self/fd/3 "));
  EXPECT_THAT(words, HasSubstr("-kernel /k -initrd /i -append "));
  EXPECT_THAT(words, HasSubstr(" panic_on_taint=0x20 "));
}

TEST(GuestMachine, OneProcessorLeavesTheSecondNodeWithout) {
  const std::string words = Words({.kernel = "/k", .initrd = "/i", .cpus = 1});
  EXPECT_THAT(words, HasSubstr("nodeid=0,memdev=ram0,cpus=0 "));
  EXPECT_THAT(words, HasSubstr("nodeid=1,memdev=ram1 "));
  EXPECT_THAT(Words({.kernel = "/k", .initrd = "/i", .cpus = 4}), HasSubstr(",cpus=1-3 "));
}

// Paths are words of their own here, and no part of an option.
TEST(GuestMachine, TakesAnyPath) {
  const std::string words = Words({.kernel = "/a, b", .initrd = "/c"});
  EXPECT_THAT(words, HasSubstr("-kernel /a, b -initrd /c"));
}

TEST(GuestMachine, FindsQemu) {
  setenv("MMDIFF_QEMU", "/bin/true", 1);
  EXPECT_EQ(FindQemu().value(), "/bin/true");
  unsetenv("MMDIFF_QEMU");
  const std::string path = std::getenv("PATH");
  setenv("PATH", "/no/such:/neither", 1);
  const absl::Status s = FindQemu().status();
  setenv("PATH", path.c_str(), 1);
  EXPECT_TRUE(absl::IsNotFound(s)) << s;
  EXPECT_THAT(std::string(s.message()), HasSubstr("qemu-system-x86"));
}

}  // namespace
}  // namespace mmdiff
