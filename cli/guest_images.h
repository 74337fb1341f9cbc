// Getting guest images: runs kernel/guest/images.sh, which downloads and unpacks Debian's packages.
//
// What is fetched already is not fetched again. Nothing is installed, and nothing outside the cache
// of kernels changes. Fetching an image takes some ten seconds, most of it the download; finding it
// there, a look at the lists of packages, which are renewed after an hour.
#ifndef MMDIFF_CLI_GUEST_IMAGES_H_
#define MMDIFF_CLI_GUEST_IMAGES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kernel/guest/images.h"

namespace mmdiff {

// Gets an image into the cache, with progress on standard error; `version` is "default", a series
// such as 6.12, of which the newest is got, or a version such as 6.18.15. Errors: NotFound for what
// Debian does not have, with what it has; InvalidArgument for what is no version; Internal if it
// could not be downloaded or unpacked; Cancelled for Ctrl-C.
absl::StatusOr<GuestImage> FetchGuestImage(const std::string& version);

// What could be fetched now, by version.
struct AvailableGuestImage {
  std::string version, package, package_version, suite;
  bool headers = false;
};
absl::StatusOr<std::vector<AvailableGuestImage>> AvailableGuestImages();

// Removes an image from the cache.
absl::Status RemoveGuestImage(const GuestImage& image);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_GUEST_IMAGES_H_
