#include "harness/registry.h"

#include <utility>

#include "kernel/builds.h"
#include "kernel/guest/guest.h"
#include "kernel/guest/public_grade.h"
#include "kernel/linux.h"
#include "model/model.h"
#include "program/nearest_word.h"
#include "program/words.h"
#include "reference/reference.h"

namespace mmdiff {

const std::vector<KnownImplementation>& KnownImplementations() {
  static const auto* known = new std::vector<KnownImplementation>{
      {"reference", "the oracle: the simplest thing that can be right"},
      {"model", "the optimised implementation; model:-switch turns an optimisation off"},
      {"linux",
       "the mm/ of a Linux kernel, run as a process; linux:7.2 or linux:PATH names another", true},
      {"guest",
       "a Linux kernel as Debian builds it, in a virtual machine; guest:6.18 or guest:PATH names "
       "another",
       true},
  };
  return *known;
}

namespace {

absl::StatusOr<std::unique_ptr<Implementation>> MakeLinux(std::string_view spec,
                                                          std::string_view which) {
  if (spec.ends_with(':')) {
    return Invalid("'", spec,
                   "' names no kernel after the colon: write 'linux:7.2' or 'linux:PATH'");
  }
  absl::StatusOr<KernelBuild> build = FindKernelToRun(which);
  if (!build.ok()) {
    return absl::Status(build.status().code(),
                        Concat("'", spec, "': ", std::string(build.status().message())));
  }
  LinuxOptions options;
  options.name = std::string(spec);
  options.worker.executable = build->executable;
  // A hang is tried a second time in a fresh process, and both must end before whoever watches over
  // this process takes it for hung itself.
  options.worker.program_ms = 2000;
  return LinuxImplementation::Make(options);
}

absl::StatusOr<std::unique_ptr<Implementation>> MakeGuest(std::string_view spec,
                                                          std::string_view which) {
  if (spec.ends_with(':')) {
    return Invalid("'", spec,
                   "' names no image after the colon: write 'guest:6.18' or 'guest:PATH'");
  }
  LinuxOptions options;
  options.name = std::string(spec);
  absl::StatusOr<Guest> guest = FindGuest(which);
  absl::StatusOr<WorkerOptions> worker =
      guest.ok() ? PrepareGuest(*guest) : absl::StatusOr<WorkerOptions>(guest.status());
  if (!worker.ok()) {
    return absl::Status(worker.status().code(),
                        Concat("'", spec, "': ", std::string(worker.status().message())));
  }
  options.worker = *std::move(worker);
  // It shares the cores with all that it emulates, and StartupMs leaves time for a hang.
  options.worker.program_ms = 5000;
  options.failure_repeats = 2;  // boots
  options.demands = GuestDemands(*guest);
  if (GuestIsPublic(*guest)) {
    options.lacks = PublicLacks();
    options.sees = PublicSight(guest->image.version);
  }
  return LinuxImplementation::Make(options);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Implementation>> MakeImplementation(std::string_view spec) {
  const size_t colon = spec.find(':');
  const std::string_view name = spec.substr(0, colon);
  const std::string_view options = colon == std::string_view::npos ? "" : spec.substr(colon + 1);
  if (name == "linux") return MakeLinux(spec, options);
  if (name == "guest") return MakeGuest(spec, options);
  if (colon != std::string_view::npos && options.empty()) {
    return Invalid("'", spec, "' names no switch after the colon: write '", name, ":-switch'");
  }
  if (name == "reference") {
    if (!options.empty()) return Invalid("'", spec, "': the reference has no switches");
    return MakeReference();
  }
  if (name == "model") {
    std::string error;
    std::unique_ptr<Implementation> model = model::MakeModel(options, &error);
    if (model == nullptr) return Invalid("'", spec, "': ", error);
    return model;
  }
  std::vector<std::string_view> names;
  for (const KnownImplementation& k : KnownImplementations()) names.push_back(k.name);
  std::string list;
  for (const std::string_view n : names) Append(&list, list.empty() ? "" : ", ", n);
  return Invalid("no implementation is called '", name, "'", DidYouMean(name, names),
                 "; known are ", list);
}

namespace {

// Whether it is an option of the guest before it, and no implementation.
bool BelongsToGuest(std::string_view token) {
  return token.starts_with("module=") || token.starts_with("cpus=") || token.starts_with("init=");
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitSpecs(std::string_view specs) {
  std::vector<std::string> out;
  std::string_view rest = specs;
  bool more = true;
  while (more) {
    more = rest.find(',') != std::string_view::npos;
    const std::string_view token = Trim(TakePart(&rest, ','));
    if (token.empty()) return Invalid("'", specs, "' has an empty entry: write 'reference,model'");
    if (BelongsToGuest(token) && !out.empty() && out.back().starts_with("guest")) {
      Append(&out.back(), ",", token);
    } else if (token[0] != '-' && token[0] != '+') {
      out.emplace_back(token);
    } else if (out.empty() || out.back().find(':') == std::string::npos) {
      return Invalid("the switch '", token, "' in '", specs,
                     "' follows no implementation: write 'model:", token, "'");
    } else {
      Append(&out.back(), ",", token);
    }
  }
  return out;
}

uint32_t StartupMs(std::string_view specs) {
  constexpr uint32_t kGuestMs = 20'000;
  absl::StatusOr<std::vector<std::string>> list = SplitSpecs(specs);
  uint32_t ms = 0;
  for (const std::string& spec : list.ok() ? *list : std::vector<std::string>{}) {
    if (spec.substr(0, spec.find_first_of(":,")) == "guest") ms += kGuestMs;
  }
  return ms;
}

absl::StatusOr<Contestants> MakeAll(std::string_view specs) {
  absl::StatusOr<std::vector<std::string>> list = SplitSpecs(specs);
  if (!list.ok()) return list.status();
  Contestants out;
  std::unique_ptr<Implementation> reference;
  for (const std::string& spec : *list) {
    absl::StatusOr<std::unique_ptr<Implementation>> impl = MakeImplementation(spec);
    if (!impl.ok()) return impl.status();
    if (!(*impl)->info().is_reference) {
      out.leaders.push_back(*std::move(impl));
    } else if (reference != nullptr) {
      return Invalid("'", specs,
                     "' names the reference twice: it has nothing to differ in from itself");
    } else {
      reference = *std::move(impl);
    }
  }
  if (reference == nullptr) return out;
  if (out.leaders.empty()) {
    out.leaders.push_back(std::move(reference));
    return out;
  }
  out.references.push_back(std::move(reference));
  while (out.references.size() < out.leaders.size()) out.references.push_back(MakeReference());
  return out;
}

}  // namespace mmdiff
