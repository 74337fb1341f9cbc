// Registry: implementations by name.
//
// A spec is "reference", "model", "model:-switch,-switch2" (each switch off; +switch turns one on),
// "linux", "linux:7.2", "linux:PATH" (kernel/builds.h says what may stand there), or "guest",
// "guest:6.18", "guest:PATH,module=FILE" (kernel/guest/guest.h). A list of specs is separated by
// commas; a token that starts with - or +, or is an option of a guest, belongs to the spec before
// it, so "reference,model:-a,-b,model" names three. This is the only file that knows which
// implementations exist; it runs nothing. Making one costs its construction.
#ifndef MMDIFF_HARNESS_REGISTRY_H_
#define MMDIFF_HARNESS_REGISTRY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "harness/implementation.h"
#include "harness/lockstep.h"

namespace mmdiff {

// The default pair.
inline constexpr std::string_view kDefaultImplementations = "reference,model";

struct KnownImplementation {
  std::string name;  // "model"
  std::string doc;   // one line
  // A kernel has to be built or fetched before one can be made; it has no switches.
  bool kernel = false;
};
// All that MakeImplementation knows, in a fixed order.
const std::vector<KnownImplementation>& KnownImplementations();

// An implementation by spec. Error: InvalidArgument, naming the nearest known name or switch.
absl::StatusOr<std::unique_ptr<Implementation>> MakeImplementation(std::string_view spec);

// Splits "reference,model:-a,-b" into its specs. Error: InvalidArgument for an empty spec, or a
// switch with no spec before it.
absl::StatusOr<std::vector<std::string>> SplitSpecs(std::string_view specs);

// How much longer than its programs need a process that runs `specs` may take: time to boot, and to
// boot again for what a first boot has shown. 0 for what starts at once.
uint32_t StartupMs(std::string_view specs);

// Everything a Lockstep needs to run `specs`. If "reference" is among them, every other
// implementation gets a reference of its own to follow its choices. Error: as MakeImplementation;
// also for "reference" given twice.
absl::StatusOr<Contestants> MakeAll(std::string_view specs);

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_REGISTRY_H_
