#include "kernel/guest/guest.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "kernel/builds.h"
#include "kernel/guest/assembly.h"
#include "kernel/guest/machine.h"
#include "kernel/guest/public_grade.h"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kMaxCpus = 8;
// A boot takes two seconds, on a machine that does much else besides several times that.
constexpr uint32_t kBootMs = 60'000;
constexpr uint32_t kBoots = 3;

// The only entry of `directory` whose name starts with `prefix`, or the last one by name; empty if
// there is none.
std::string EntryOf(const fs::path& directory, std::string_view prefix) {
  std::string found;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (absl::StartsWith(name, std::string(prefix)) && name > found) found = name;
  }
  return found.empty() ? "" : (directory / found).string();
}

// What packages of a kernel unpack into, also those that `make bindeb-pkg` of a kernel makes;
// without a kernel if it is nothing of the kind.
GuestImage UnpackedPackages(const std::string& directory) {
  GuestImage image;
  image.directory = directory;
  image.vmlinuz = EntryOf(directory + "/boot", "vmlinuz-");
  if (image.vmlinuz.empty()) return image;
  image.release = fs::path(image.vmlinuz).filename().string().substr(8);
  image.version = image.release.substr(0, image.release.find_first_of("+-"));
  std::error_code error;
  const auto if_there = [&](const std::string& path) {
    return fs::exists(path, error) ? path : "";
  };
  image.config = if_there(directory + "/boot/config-" + image.release);
  image.modules = if_there(directory + "/lib/modules/" + image.release);
  image.headers = if_there(directory + "/usr/src/linux-headers-" + image.release);
  return image;
}

// As kernel/guest/images.h has it.
bool LooksLikePath(const std::string& name) {
  return absl::StrContains(name, "/") || absl::StartsWith(name, "~") || absl::StartsWith(name, ".");
}

}  // namespace

absl::StatusOr<Guest> FindGuest(std::string_view which) {
  Guest guest;
  const std::vector<std::string> parts = absl::StrSplit(std::string(which), ',');
  for (size_t i = 1; i < parts.size(); ++i) {
    if (absl::StartsWith(parts[i], "module=")) {
      guest.module = AbsolutePath(parts[i].substr(7));
    } else if (absl::StartsWith(parts[i], "init=")) {
      guest.init = AbsolutePath(parts[i].substr(5));
    } else if (!absl::StartsWith(parts[i], "cpus=") ||
               !absl::SimpleAtoi(parts[i].substr(5), &guest.cpus) || guest.cpus == 0 ||
               guest.cpus > kMaxCpus) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", parts[i], "' does nothing for a guest; there are module=FILE and ",
                       "cpus=N, 1 to ", kMaxCpus));
    }
  }
  std::error_code error;
  for (const std::string& file : {guest.module, guest.init}) {
    if (!file.empty() && !fs::is_regular_file(file, error)) {
      return absl::NotFoundError(absl::StrCat("there is no file ", file));
    }
  }
  const std::string& name = parts[0];
  if (LooksLikePath(name)) {
    const std::string path = AbsolutePath(name);
    if (fs::is_regular_file(path, error)) {
      guest.image.vmlinuz = path;
      guest.image.release = guest.image.version = fs::path(path).filename().string();
      return guest;
    }
    guest.image = UnpackedPackages(path);
    if (!guest.image.vmlinuz.empty()) return guest;
  }
  absl::StatusOr<GuestImage> image = FindGuestImage(name);
  if (!image.ok()) return image.status();
  guest.image = *std::move(image);
  return guest;
}

absl::StatusOr<WorkerOptions> PrepareGuest(const Guest& guest) {
  absl::StatusOr<std::string> qemu = FindQemu();
  if (!qemu.ok()) return qemu.status();
  absl::StatusOr<GuestParts> parts = AssembleGuest(guest);
  if (!parts.ok()) return parts.status();
  WorkerOptions options;
  options.machine = Machine::kQemu;
  options.executable = *qemu;
  options.arguments =
      QemuArguments({.kernel = guest.image.vmlinuz, .initrd = parts->initrd, .cpus = guest.cpus});
  options.boot_ms = kBootMs;
  options.boots = kBoots;
  options.name = absl::StrCat("guest ", guest.image.release);
  options.remedy = "./mmdiff guest doctor looks for the cause";
  return options;
}

bool GuestIsPrepared(const Guest& guest) { return GuestIsAssembled(guest); }

WorldDemands GuestDemands(const Guest& guest) {
  WorldDemands demands{.table = 512, .batch = 31, .max_cpus = guest.cpus, .no_tlb = true};
  if (GuestIsPublic(guest)) AddPublicDemands(&demands);
  return demands;
}

bool GuestIsPublic(const Guest& guest) {
  return guest.module.empty() && guest.init.empty() && guest.image.headers.empty();
}

}  // namespace mmdiff
