#include "kernel/guest/initrd.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace mmdiff {
namespace {

constexpr std::string_view kEnd = "TRAILER!!!";
constexpr size_t kBlock = 512;  // what cpio pads archives to

void PadTo(size_t unit, std::string* text) {
  text->append((unit - text->size() % unit) % unit, '\0');
}

}  // namespace

// A header of 13 numbers of 8 hexadecimal digits, the name with its zero, the contents; name and
// contents end at a multiple of four bytes.
void Initrd::Add(std::string_view name, const Entry& entry, std::string_view contents) {
  const uint32_t inode = name == kEnd ? 0 : ++inodes_;
  archive_ += "070701";
  for (const uint32_t field :
       {inode, entry.mode, 0u /* user */, 0u /* group */, entry.links, 0u /* time */,
        static_cast<uint32_t>(contents.size()), 0u, 0u /* the device it is on */, entry.major,
        entry.minor, static_cast<uint32_t>(name.size() + 1), 0u /* no check sum */}) {
    absl::StrAppend(&archive_, absl::Hex(field, absl::kZeroPad8));
  }
  archive_ += name;
  archive_ += '\0';
  PadTo(4, &archive_);
  archive_ += contents;
  PadTo(4, &archive_);
}

void Initrd::AddFile(std::string_view name, std::string_view contents, bool executable) {
  Add(name, {.mode = S_IFREG | (executable ? 0755u : 0644u)}, contents);
}

void Initrd::AddDirectory(std::string_view name) {
  Add(name, {.mode = S_IFDIR | 0755u, .links = 2}, "");
}

void Initrd::AddDevice(std::string_view name, uint32_t major, uint32_t minor) {
  Add(name, {.mode = S_IFCHR | 0600u, .major = major, .minor = minor}, "");
}

std::string Initrd::Finish() && {
  Add(kEnd, {}, "");
  PadTo(kBlock, &archive_);
  return std::move(archive_);
}

}  // namespace mmdiff
