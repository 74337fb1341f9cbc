// Initrd: the file system that a guest boots into, as the archive the kernel unpacks (cpio, newc).
//
// Takes files from memory, so it knows no images and no modules. All files belong to root and have
// no time, so the same files give the same bytes. Packing costs a copy of each file.
#ifndef MMDIFF_KERNEL_GUEST_INITRD_H_
#define MMDIFF_KERNEL_GUEST_INITRD_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace mmdiff {

class Initrd {
 public:
  // A file with its whole path, "modules/brd.ko"; directories above it are made before by
  // AddDirectory. Names are unique, not empty and have no leading slash.
  void AddFile(std::string_view name, std::string_view contents, bool executable);
  void AddDirectory(std::string_view name);
  // A character device.
  void AddDevice(std::string_view name, uint32_t major, uint32_t minor);
  // The archive. Nothing can be added afterwards.
  std::string Finish() &&;

 private:
  struct Entry {
    uint32_t mode = 0, links = 1, major = 0, minor = 0;
  };
  void Add(std::string_view name, const Entry& entry, std::string_view contents);

  std::string archive_;
  uint32_t inodes_ = 0;
};

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_GUEST_INITRD_H_
