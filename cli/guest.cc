// guest: gets, lists, boots and removes the prebuilt kernels that virtual machines boot.
#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/guest_boot.h"
#include "cli/guest_doctor.h"
#include "cli/guest_images.h"
#include "cli/verb.h"
#include "kernel/builds.h"
#include "kernel/guest/images.h"
#include "nlohmann/json.hpp"
#include "program/nearest_word.h"

namespace mmdiff {
namespace {

using Json = nlohmann::ordered_json;

void PrintJson(const Json& json) {
  std::puts(json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

Json ImageJson(const GuestImage& image) {
  return {{"version", image.version},
          {"release", image.release},
          {"package", image.package},
          {"package_version", image.package_version},
          {"suite", image.suite},
          {"directory", image.directory},
          {"config", !image.config.empty()},
          {"headers", !image.headers.empty()}};
}

const char* YesNo(bool yes) { return yes ? "yes" : "no"; }

// The versions that the words after `fetch` mean; a version that is named twice is one.
std::vector<std::string> Wanted(const std::vector<std::string>& words) {
  std::vector<std::string> wanted;
  for (size_t i = 1; i < words.size(); ++i) {
    const std::vector<std::string> versions =
        words[i] == "all" ? GuestSeries() : std::vector<std::string>{words[i]};
    for (const std::string& version : versions) {
      if (std::find(wanted.begin(), wanted.end(), version) == wanted.end()) {
        wanted.push_back(version);
      }
    }
  }
  if (wanted.empty()) wanted.emplace_back("default");
  return wanted;
}

// What fails does not stop the others, but for Ctrl-C and what is no version at all.
absl::StatusOr<Exit> Fetch(const Options& options) {
  const std::vector<std::string> wanted = Wanted(options.words);
  for (const std::string& version : wanted) {
    if (version == "default" || IsGuestVersion(version)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("'", version, "' is no version; write default, all, a series such as ",
                     std::string(kDefaultGuestSeries), " or a version such as 6.18.15"));
  }
  Json json = {{"images", Json::array()}, {"failed", Json::array()}};
  Exit exit = Exit::kOk;
  for (const std::string& version : wanted) {
    absl::StatusOr<GuestImage> image = FetchGuestImage(version);
    if (image.ok()) {
      json["images"].push_back(ImageJson(*image));
      if (options.flag_json) continue;
      std::printf("%s (%s) from %s, %s: %s\n", image->version.c_str(), image->release.c_str(),
                  image->suite.c_str(), image->headers.empty() ? "no headers" : "with headers",
                  image->directory.c_str());
      std::fflush(stdout);
      continue;
    }
    if (wanted.size() == 1 || image.status().code() == absl::StatusCode::kCancelled) {
      return image.status();
    }
    if (exit == Exit::kOk) exit = ExitOf(image.status());
    const std::string message(image.status().message());
    std::fprintf(stderr, "mmdiff: %s\n", message.c_str());
    json["failed"].push_back({{"version", version}, {"error", message}});
  }
  if (options.flag_json) PrintJson(json);
  return exit;
}

absl::StatusOr<Exit> List(const Options& options) {
  absl::StatusOr<std::string> cache = KernelCache();
  if (!cache.ok()) return cache.status();
  const std::vector<GuestImage> images = ListGuestImages();
  std::vector<AvailableGuestImage> available;
  if (options.flag_available) {
    absl::StatusOr<std::vector<AvailableGuestImage>> found = AvailableGuestImages();
    if (!found.ok()) return found.status();
    available = *std::move(found);
  }
  if (options.flag_json) {
    Json json = {{"cache", *cache}, {"images", Json::array()}};
    for (const GuestImage& image : images) json["images"].push_back(ImageJson(image));
    if (options.flag_available) json["available"] = Json::array();
    for (const AvailableGuestImage& image : available) {
      json["available"].push_back({{"version", image.version},
                                   {"package", image.package},
                                   {"package_version", image.package_version},
                                   {"suite", image.suite},
                                   {"headers", image.headers}});
    }
    PrintJson(json);
    return Exit::kOk;
  }
  if (images.empty()) {
    std::printf("no images in %s; ./mmdiff guest fetch gets the default one\n", cache->c_str());
  } else {
    std::printf("%-10s %-30s %-20s %-20s %s\n", "image", "release", "package version", "suite",
                "headers");
    for (const GuestImage& image : images) {
      std::printf("%-10s %-30s %-20s %-20s %s\n", image.version.c_str(), image.release.c_str(),
                  image.package_version.c_str(), image.suite.c_str(),
                  YesNo(!image.headers.empty()));
    }
    std::printf("\nin %s/images\n", cache->c_str());
  }
  if (!options.flag_available) return Exit::kOk;
  std::printf("\n%-10s %-52s %-20s %s\n", "available", "package", "suite", "headers");
  for (const AvailableGuestImage& image : available) {
    std::printf("%-10s %-52s %-20s %s\n", image.version.c_str(), image.package.c_str(),
                image.suite.c_str(), YesNo(image.headers));
  }
  return Exit::kOk;
}

absl::StatusOr<Exit> Remove(const Options& options) {
  const std::string& name = options.words[1];
  absl::StatusOr<GuestImage> image = FindGuestImage(name);
  if (!image.ok()) return image.status();
  // Of a series only what can be meant: the one that is there.
  if (IsGuestSeries(name) && image->version != name) {
    std::vector<std::string> versions;
    for (const GuestImage& other : ListGuestImages()) {
      if (IsOfSeries(other.version, name)) versions.push_back(other.version);
    }
    if (versions.size() > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("which one of ", absl::StrJoin(versions, ", "), "?"));
    }
  }
  if (absl::Status s = RemoveGuestImage(*image); !s.ok()) return s;
  if (options.flag_json) {
    PrintJson({{"removed", image->directory}});
  } else {
    std::printf("removed %s\n", image->directory.c_str());
  }
  return Exit::kOk;
}

}  // namespace

absl::StatusOr<Exit> Verb_guest(const Options& options) {
  const std::string& verb = options.words[0];
  const std::vector<std::string_view> verbs = {"fetch", "list", "boot", "remove", "doctor"};
  if (std::find(verbs.begin(), verbs.end(), verb) == verbs.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no `mmdiff guest ", verb, "`", DidYouMean(verb, verbs),
                     "; there are fetch, list, boot, remove and doctor"));
  }
  if ((verb == "list" || verb == "doctor") && options.words.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("`mmdiff guest ", verb, "` takes no more words"));
  }
  if (verb == "boot" && options.words.size() > 2) {
    return absl::InvalidArgumentError(
        "mmdiff guest boot takes what may stand after guest: in --impl, or nothing");
  }
  if (verb == "remove" && options.words.size() != 2) {
    return absl::InvalidArgumentError(
        "mmdiff guest remove takes one version of `mmdiff guest list`");
  }
  if (options.flag_available && verb != "list") {
    return absl::InvalidArgumentError(
        absl::StrCat("--available does nothing for `mmdiff guest ", verb, "`; it goes with list"));
  }
  if (verb == "fetch") return Fetch(options);
  if (verb == "list") return List(options);
  if (verb == "boot") return BootGuest(options);
  if (verb == "doctor") {
    return PrintChecks(CheckForGuests(), options.flag_json,
                       "./mmdiff guest fetch installs packages, as root or with sudo");
  }
  return Remove(options);
}

}  // namespace mmdiff
