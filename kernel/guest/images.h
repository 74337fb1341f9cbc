// Guest images: the cache of prebuilt kernels that virtual machines boot, and how one is named.
//
// An image is a directory below $MMDIFF_KERNELS/images (default: ~/.cache/mmdiff/kernels/images)
// that kernel/guest/images.sh has made; its file `record` is there only when it is complete. This
// finds and lists images; it never downloads, builds or boots anything. Finding one costs a few
// file reads for each image that is there.
#ifndef MMDIFF_KERNEL_GUEST_IMAGES_H_
#define MMDIFF_KERNEL_GUEST_IMAGES_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace mmdiff {

// The series that a guest is of if nobody says which, and all that are looked after.
inline constexpr std::string_view kDefaultGuestSeries = "6.12";
const std::vector<std::string>& GuestSeries();

// All paths are absolute.
struct GuestImage {
  std::string directory;
  std::string version;          // "6.18.15", "7.3-rc7"
  std::string release;          // what uname -r says: "6.18.15+deb13-cloud-amd64"
  std::string package;          // of Debian, that of the kernel itself
  std::string package_version;  // "6.18.15-1~bpo13+1"
  std::string suite;            // "trixie-backports"
  std::string vmlinuz;
  std::string config;   // empty if no package had it
  std::string modules;  // a directory of *.ko, which may be empty
  std::string headers;  // what `make -C` takes to build a module; empty if there are none
};

// All complete images of the cache, by version. What cannot be read is left out.
std::vector<GuestImage> ListGuestImages();

// An image by what a user writes:
//   ""        the newest fetched one of the default series
//   6.12      the newest fetched one of this series
//   6.18.15   this version
//   a path    the directory of an image; what holds no / must start with ~ or .
// Error: NotFound, with the command that would fetch it; InvalidArgument for what cannot be a name.
absl::StatusOr<GuestImage> FindGuestImage(std::string_view which);

// Whether `text` is a series (6.12), or a version (6.18.15, 7.3-rc7) as well.
bool IsGuestSeries(std::string_view text);
bool IsGuestVersion(std::string_view text);
// Whether `version` is of `series`: 6.18.15 and 6.18-rc1 are of 6.18.
bool IsOfSeries(const std::string& version, const std::string& series);

// Whether version `a` is older than `b`; release candidates come before all versions of a series.
bool OlderVersion(std::string_view a, std::string_view b);

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_GUEST_IMAGES_H_
