#include "cli/guest_images.h"

#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/interrupt.h"
#include "cli/project_script.h"
#include "cli/stage_line.h"
#include "kernel/builds.h"

namespace mmdiff {
namespace {

absl::StatusOr<std::string> RunImages(std::vector<std::string> arguments, std::string stage) {
  absl::StatusOr<std::string> cache = KernelCache();
  if (!cache.ok()) return cache;
  arguments.push_back(*cache);
  const InterruptGuard guard;
  StageLine line(stderr);
  return RunSpeakingScript("kernel/guest/images.sh", std::move(arguments), std::move(stage), &line);
}

}  // namespace

absl::StatusOr<GuestImage> FetchGuestImage(const std::string& version) {
  if (version != "default" && !IsGuestVersion(version)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", version, "' is no version; write default, a series such as ",
                     std::string(kDefaultGuestSeries), " or a version such as 6.18.15"));
  }
  absl::StatusOr<std::string> output = RunImages(
      {"fetch", version}, absl::StrCat("looking for ", version == "default" ? "the default kernel"
                                                                            : "Linux " + version));
  if (!output.ok()) return output.status();
  return FindGuestImage(LastLines(*output, 1));
}

absl::StatusOr<std::vector<AvailableGuestImage>> AvailableGuestImages() {
  absl::StatusOr<std::string> output = RunImages({"available"}, "getting lists of packages");
  if (!output.ok()) return output.status();
  std::vector<AvailableGuestImage> images;
  for (const absl::string_view line : absl::StrSplit(*output, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(line, '\t');
    if (parts.size() != 5) continue;
    images.push_back({parts[0], parts[1], parts[2], parts[3], parts[4] == "yes"});
  }
  return images;
}

absl::Status RemoveGuestImage(const GuestImage& image) {
  absl::StatusOr<std::string> cache = KernelCache();
  if (!cache.ok()) return cache.status();
  const std::filesystem::path directory = image.directory;
  if (directory.parent_path() != *cache + "/images") {
    return absl::InvalidArgumentError(
        absl::StrCat(image.directory, " is not in the cache ", *cache, " and is left alone"));
  }
  return RunImages({"drop", directory.filename().string()}, "removing an image").status();
}

}  // namespace mmdiff
