// mmdiff: the verbs behind one command line.
#include <cstdio>
#include <new>

#include "absl/status/statusor.h"
#include "cli/guest_boot.h"
#include "cli/kernel_build.h"
#include "cli/options.h"
#include "cli/verb.h"
#include "nlohmann/json.hpp"

namespace mmdiff {
namespace {

// Whether the verb runs implementations.
bool TakesImplementations(Verb verb) {
  for (const FlagInfo& flag : AllFlags()) {
    if (flag.flag == "--impl") return flag.Has(verb);
  }
  return false;
}

absl::StatusOr<Exit> RunVerb(const Options& options) {
  if (TakesImplementations(options.verb)) {
    if (absl::Status s = PrepareKernels(options.flag_impl, options.verb == Verb::v_fuzz); !s.ok()) {
      return s;
    }
    if (absl::Status s = PrepareGuests(options.flag_impl); !s.ok()) return s;
  }
  switch (options.verb) {
#define MMDIFF_VERB(name, arguments, min, max, doc) \
  case Verb::v_##name:                              \
    return Verb_##name(options);
#include "cli/verbs.def"
  }
  return absl::InternalError("unknown verb");
}

int Main(int argc, char** argv) {
  const ParsedCommandLine parsed = ParseCommandLine(argc, argv);
  if (!parsed.run) {
    std::fputs(parsed.text.c_str(), parsed.exit == Exit::kOk ? stdout : stderr);
    return static_cast<int>(parsed.exit);
  }
  absl::StatusOr<Exit> exit = RunVerb(parsed.options);
  if (!exit.ok()) {
    const Exit code = ExitOf(exit.status());
    const std::string message(exit.status().message());
    std::fprintf(stderr, "mmdiff: %s\n", message.c_str());
    if (parsed.options.flag_json) {
      nlohmann::ordered_json json;
      json["error"] = message;
      json["exit"] = static_cast<int>(code);
      std::puts(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    }
    return static_cast<int>(code);
  }
  // Output that was lost is not a success.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::fputs("mmdiff: standard output could not be written\n", stderr);
    return static_cast<int>(Exit::kFault);
  }
  return static_cast<int>(*exit);
}

}  // namespace
}  // namespace mmdiff

int main(int argc, char** argv) {
  try {
    return mmdiff::Main(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("mmdiff: out of memory\n", stderr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mmdiff: fault of the harness: %s\n", error.what());
  }
  return static_cast<int>(mmdiff::Exit::kFault);
}
