// A directory for the time of one verb, under $TMPDIR or /tmp, removed with everything in it at the
// end.
#ifndef MMDIFF_CLI_TEMPORARY_DIRECTORY_H_
#define MMDIFF_CLI_TEMPORARY_DIRECTORY_H_

#include <string>

#include "absl/status/statusor.h"

namespace mmdiff {

class TemporaryDirectory {
 public:
  // Fails if none can be made there; names TMPDIR as the remedy.
  static absl::StatusOr<TemporaryDirectory> Make();
  TemporaryDirectory(TemporaryDirectory&& other) noexcept;
  TemporaryDirectory& operator=(TemporaryDirectory&& other) noexcept;
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace mmdiff

#endif  // MMDIFF_CLI_TEMPORARY_DIRECTORY_H_
