// The command line as data: one struct with a field for each flag of flags.def.
//
// ParseCommandLine turns arguments into an Options or a usage error; everything about flags and
// verbs is expanded from flags.def and verbs.def. Nothing here runs a verb. Costs a few hundred
// microseconds.
#ifndef MMDIFF_CLI_OPTIONS_H_
#define MMDIFF_CLI_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mmdiff {

// What a process of this program ends with.
enum class Exit : int {
  kOk = 0,
  kDivergence = 1,  // implementations disagree, or a program is not what it should be
  kUsage = 2,       // wrong arguments or input
  kFault = 3,       // a fault of the harness or of its surroundings
  kNotCovered = 4,  // the budget is spent without the required coverage
};

enum class Verb : uint32_t {
#define MMDIFF_VERB(name, arguments, min, max, doc) v_##name,
#include "cli/verbs.def"
};
struct VerbInfo {
  Verb verb;
  const char* name;
  const char* arguments;
  int min, max;  // number of words; -1: any
  const char* doc;
};
const std::vector<VerbInfo>& AllVerbs();

namespace flag_type {
using Text = std::string;
using Number = uint64_t;
using Switch = bool;
using Seconds = double;
using List = std::vector<std::string>;
}  // namespace flag_type

struct Options {
  Verb verb = Verb::v_fuzz;
  std::vector<std::string> words;  // what comes after the verb
#define MMDIFF_FLAG(verbs, type, name, dflt, doc) flag_type::type flag_##name = dflt;
#include "cli/flags.def"
};

struct FlagInfo {
  uint32_t verbs;    // bit of each Verb that has it
  const char* type;  // "Text", "Number", ...
  std::string flag;  // "--max-ops"
  std::string dflt;  // as shown; may be empty
  const char* doc;
  bool Has(Verb verb) const { return (verbs >> static_cast<uint32_t>(verb) & 1) != 0; }
};
const std::vector<FlagInfo>& AllFlags();

// What parsing gave: options, or text to print and the code to end with (help, version, usage
// errors).
struct ParsedCommandLine {
  bool run = false;
  Options options;
  std::string text;  // to print if not `run`; usage errors go to stderr
  Exit exit = Exit::kOk;
};
ParsedCommandLine ParseCommandLine(int argc, const char* const* argv);

// "60", "60s", "2m", "1h", "500ms" in seconds.
absl::StatusOr<double> ParseSeconds(const std::string& text);

// Exit code for an error of a verb: wrong input is kUsage, everything else kFault.
Exit ExitOf(const absl::Status& status);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_OPTIONS_H_
