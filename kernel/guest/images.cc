#include "kernel/guest/images.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "kernel/builds.h"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;

bool Number(const std::string& text, uint64_t* number) {
  return text.find_first_not_of("0123456789") == std::string::npos &&
         absl::SimpleAtoi(text, number);
}

// A version taken apart: 6.18.15 is {6, 18, 15}, 6.18 is {6, 18}; `candidate` is the number after
// -rc, or the largest there is, since candidates are older than what they become.
struct Version {
  std::vector<uint64_t> numbers;
  uint64_t candidate = std::numeric_limits<uint64_t>::max();
};
std::optional<Version> Parse(std::string_view text) {
  std::string rest(text);
  Version version;
  if (const size_t mark = rest.find("-rc"); mark != std::string::npos) {
    if (!Number(rest.substr(mark + 3), &version.candidate)) return std::nullopt;
    rest.resize(mark);
  }
  for (const absl::string_view part : absl::StrSplit(rest, '.')) {
    uint64_t number = 0;
    if (!Number(std::string(part), &number)) return std::nullopt;
    version.numbers.push_back(number);
  }
  if (version.numbers.size() < 2 || version.numbers.size() > 3) return std::nullopt;
  return version;
}

// The record's lines key=value; empty if there is none.
std::map<std::string, std::string> ReadRecord(const fs::path& file) {
  std::map<std::string, std::string> record;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const size_t equals = line.find('=');
    if (equals != std::string::npos) record[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return record;
}

// The image in a directory; nothing if none is complete there.
std::optional<GuestImage> ReadImage(const std::string& directory) {
  std::map<std::string, std::string> record = ReadRecord(directory + "/record");
  std::error_code error;
  GuestImage image;
  image.directory = directory;
  image.version = record["version"];
  image.release = record["release"];
  image.package = record["package"];
  image.package_version = record["package_version"];
  image.suite = record["suite"];
  image.vmlinuz = directory + "/vmlinuz";
  image.modules = directory + "/modules";
  if (!IsGuestVersion(image.version) || !fs::is_regular_file(image.vmlinuz, error)) {
    return std::nullopt;
  }
  if (fs::is_regular_file(directory + "/config", error)) image.config = directory + "/config";
  if (record["headers"] == "yes" && fs::is_directory(directory + "/headers/build", error)) {
    image.headers = directory + "/headers/build";
  }
  return image;
}

std::string FetchedText() {
  const std::vector<GuestImage> images = ListGuestImages();
  if (images.empty()) return "none is fetched yet";
  return absl::StrCat("fetched are ",
                      absl::StrJoin(images, ", ", [](std::string* out, const auto& i) {
                        absl::StrAppend(out, i.version);
                      }));
}

}  // namespace

const std::vector<std::string>& GuestSeries() {
  static const auto* series = new std::vector<std::string>{"6.1",  "6.12", "6.16", "6.17", "6.18",
                                                           "6.19", "7.0",  "7.1",  "7.2",  "7.3"};
  return *series;
}

bool IsGuestVersion(std::string_view text) { return Parse(text).has_value(); }

bool IsGuestSeries(std::string_view text) {
  const std::optional<Version> version = Parse(text);
  return version && version->numbers.size() == 2 && text.find('-') == std::string_view::npos;
}

bool IsOfSeries(const std::string& version, const std::string& series) {
  return version == series || absl::StartsWith(version, absl::StrCat(series, ".")) ||
         absl::StartsWith(version, absl::StrCat(series, "-rc"));
}

bool OlderVersion(std::string_view a, std::string_view b) {
  const Version x = Parse(a).value_or(Version());
  const Version y = Parse(b).value_or(Version());
  // 7.3-rc7 is older than 7.3 and 7.3.1.
  const auto key = [](const Version& v) {
    std::vector<uint64_t> numbers = v.numbers;
    numbers.resize(3);
    return std::make_pair(std::move(numbers), v.candidate);
  };
  return key(x) < key(y);
}

std::vector<GuestImage> ListGuestImages() {
  std::vector<GuestImage> images;
  absl::StatusOr<std::string> cache = KernelCache();
  if (!cache.ok()) return images;
  std::error_code error;
  for (fs::directory_iterator at(*cache + "/images", error), end; !error && at != end;
       at.increment(error)) {
    if (absl::StartsWith(at->path().filename().string(), ".")) continue;
    std::optional<GuestImage> image = ReadImage(at->path().string());
    if (image) images.push_back(*std::move(image));
  }
  std::sort(images.begin(), images.end(), [](const GuestImage& a, const GuestImage& b) {
    return std::make_pair(OlderVersion(b.version, a.version), a.version) <
           std::make_pair(OlderVersion(a.version, b.version), b.version);
  });
  return images;
}

absl::StatusOr<GuestImage> FindGuestImage(std::string_view which) {
  const std::string wanted(which.empty() ? kDefaultGuestSeries : which);
  if (absl::StrContains(wanted, "/") || absl::StartsWith(wanted, "~") ||
      absl::StartsWith(wanted, ".")) {
    const std::string directory = AbsolutePath(wanted);
    std::optional<GuestImage> image = ReadImage(directory);
    if (image) return *std::move(image);
    return absl::NotFoundError(absl::StrCat(
        directory, " is no image of a kernel: it has no record and vmlinuz; ./mmdiff guest fetch ",
        std::string(kDefaultGuestSeries), " gets one, ./mmdiff guest list says which there are"));
  }
  if (!IsGuestVersion(wanted)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", wanted, "' names no image of a kernel: write a series such as ",
        std::string(kDefaultGuestSeries), ", a version such as 6.18.15, or a directory"));
  }
  std::optional<GuestImage> found;
  for (GuestImage& image : ListGuestImages()) {  // the last is the newest
    if (image.version == wanted || (IsGuestSeries(wanted) && IsOfSeries(image.version, wanted))) {
      found = std::move(image);
    }
  }
  if (found) return *std::move(found);
  return absl::NotFoundError(absl::StrCat("there is no image of Linux ", wanted, " (",
                                          FetchedText(), "); get it: ./mmdiff guest fetch ",
                                          which.empty() ? "default" : wanted));
}

}  // namespace mmdiff
