#include "cli/options.h"

#include <map>
#include <memory>
#include <sstream>
#include <string_view>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "program/nearest_word.h"
#include "targets/build_info.h"

namespace mmdiff {
namespace {

// Names for the first argument of MMDIFF_FLAG, joined with |.
namespace verb_bits {
#define MMDIFF_VERB(name, arguments, min, max, doc) \
  constexpr uint32_t name = 1u << static_cast<uint32_t>(Verb::v_##name);
#include "cli/verbs.def"
}  // namespace verb_bits

std::string FlagName(const char* field) {
  return absl::StrCat("--", absl::StrReplaceAll(field, {{"_", "-"}}));
}

std::string Shown(const std::string& value) { return value; }
std::string Shown(uint64_t value) { return absl::StrCat(value); }
std::string Shown(bool) { return ""; }
std::string Shown(double value) { return absl::StrCat(value, "s"); }
std::string Shown(const std::vector<std::string>&) { return ""; }

void Add(CLI::App* app, const std::string& name, const std::string& doc, std::string* value) {
  app->add_option(name, *value, doc)->capture_default_str();
}
void Add(CLI::App* app, const std::string& name, const std::string& doc, uint64_t* value) {
  // Parsed here: CLI11 takes -1 for a large number.
  app->add_option_function<std::string>(
         name,
         [value, name](const std::string& text) {
           if (!absl::SimpleAtoi(text, value)) {
             throw CLI::ValidationError(name,
                                        absl::StrCat("'", text, "' is no whole number from 0 up"));
           }
         },
         doc)
      ->type_name("NUMBER")
      ->default_str(Shown(*value));
}
void Add(CLI::App* app, const std::string& name, const std::string& doc, bool* value) {
  app->add_flag(name, *value, doc);
}
void Add(CLI::App* app, const std::string& name, const std::string& doc, double* value) {
  app->add_option_function<std::string>(
         name,
         [value, name](const std::string& text) {
           absl::StatusOr<double> seconds = ParseSeconds(text);
           if (!seconds.ok()) {
             throw CLI::ValidationError(name, std::string(seconds.status().message()));
           }
           *value = *seconds;
         },
         doc)
      ->type_name("DURATION")
      ->default_str(Shown(*value));
}
void Add(CLI::App* app, const std::string& name, const std::string& doc,
         std::vector<std::string>* value) {
  app->add_option(name, *value, doc)->allow_extra_args(false);
}

constexpr char kExitCodes[] =
    "Exit codes: 0 ok, 1 divergence, 2 usage, 3 fault of the harness, 4 budget spent without the "
    "required "
    "coverage.\nmmdiff VERB --help tells more.";

}  // namespace

const std::vector<VerbInfo>& AllVerbs() {
  static const auto* verbs = new std::vector<VerbInfo>{
#define MMDIFF_VERB(name, arguments, min, max, doc) \
  {Verb::v_##name, #name, arguments, min, max, doc},
#include "cli/verbs.def"
  };
  return *verbs;
}

const std::vector<FlagInfo>& AllFlags() {
  using namespace verb_bits;  // NOLINT: the table names verbs
  static const auto* flags = [] {
    const Options defaults;
    return new std::vector<FlagInfo>{
#define MMDIFF_FLAG(verbs, type, name, dflt, doc) \
  {(verbs), #type, FlagName(#name), Shown(defaults.flag_##name), doc},
#include "cli/flags.def"
    };
  }();
  return *flags;
}

absl::StatusOr<double> ParseSeconds(const std::string& text) {
  static constexpr std::pair<const char*, double> kUnits[] = {
      {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}};
  double scale = 1;
  std::string number = text;
  for (const auto& [unit, seconds] : kUnits) {
    if (absl::EndsWith(text, unit)) {
      number = text.substr(0, text.size() - std::string(unit).size());
      scale = seconds;
      break;
    }
  }
  double value = 0;
  if (!absl::SimpleAtod(number, &value) || !(value >= 0) || value * scale > 1e9) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is no duration; write 60s, 2m, 1h or 500ms"));
  }
  return value * scale;
}

// An error for the first word if it is no verb; CLI11 would only say that one is missing.
std::string UnknownVerb(int argc, const char* const* argv) {
  if (argc < 2 || argv[1][0] == '-') return "";
  std::vector<std::string_view> names;
  for (const VerbInfo& verb : AllVerbs()) {
    if (std::string_view(argv[1]) == verb.name) return "";
    names.emplace_back(verb.name);
  }
  return absl::StrCat("mmdiff: there is no verb '", argv[1], "'", DidYouMean(argv[1], names),
                      "\nmmdiff --help prints all.\n");
}

ParsedCommandLine ParseCommandLine(int argc, const char* const* argv) {
  ParsedCommandLine parsed;
  if (std::string unknown = UnknownVerb(argc, argv); !unknown.empty()) {
    parsed.text = std::move(unknown);
    parsed.exit = Exit::kUsage;
    return parsed;
  }
  Options& options = parsed.options;
  CLI::App app{"mmdiff: runs page-table code in lockstep and finds where implementations differ.",
               "mmdiff"};
  app.set_version_flag("--version", std::string(BuildInfo()));
  app.footer(kExitCodes);
  app.require_subcommand(1);
  std::map<Verb, CLI::App*> subcommands;
  for (const VerbInfo& verb : AllVerbs()) {
    CLI::App* sub = app.add_subcommand(verb.name, verb.doc);
    subcommands[verb.verb] = sub;
    if (verb.max != 0) {
      auto* words = sub->add_option("words", options.words, verb.arguments)
                        ->option_text(" ")
                        ->type_name(verb.arguments);
      if (verb.min > 0) words->required();
      words->expected(verb.min, verb.max < 0 ? CLI::detail::expected_max_vector_size : verb.max);
    }
    if (verb.verb == Verb::v_test) sub->prefix_command();
  }
  size_t i = 0;
#define MMDIFF_FLAG(verbs, type, name, dflt, doc)            \
  for (const auto& [verb, sub] : subcommands) {              \
    if (!AllFlags()[i].Has(verb)) continue;                  \
    Add(sub, AllFlags()[i].flag, doc, &options.flag_##name); \
  }                                                          \
  ++i;
#include "cli/flags.def"
  for (const VerbInfo& verb : AllVerbs()) {
    subcommands[verb.verb]->callback([&options, &verb] { options.verb = verb.verb; });
  }
  try {
    app.parse(argc, argv);
    for (const std::string& rest : subcommands[options.verb]->remaining()) {
      options.words.push_back(rest);
    }
    parsed.run = true;
  } catch (const CLI::ParseError& error) {
    std::ostringstream out, err;
    const int code = app.exit(error, out, err);
    parsed.text = out.str() + err.str();
    parsed.exit = code == 0 ? Exit::kOk : Exit::kUsage;
  }
  return parsed;
}

Exit ExitOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return Exit::kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kOutOfRange:
      return Exit::kUsage;
    default:
      return Exit::kFault;
  }
}

}  // namespace mmdiff
