// repro: the same program in a form that can be handed to somebody.
#include "harness/repro.h"

#include <cctype>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cli/carried_programs.h"
#include "cli/isolated_program.h"
#include "cli/program_files.h"
#include "cli/repro_in_guest.h"
#include "cli/verb.h"
#include "nlohmann/json.hpp"

namespace mmdiff {
namespace {

bool IsIdentifier(const std::string& name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0) return false;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<Exit> Verb_repro(const Options& options) {
  const std::string& form = options.flag_form;
  if (form != "text" && form != "gtest" && form != "c") {
    return absl::InvalidArgumentError(absl::StrCat("--form ", form, " is not text, gtest or c"));
  }
  if (!options.flag_in.empty() && form != "c") {
    return absl::InvalidArgumentError("--in runs the program in C: give --form c as well");
  }
  if (!IsIdentifier(options.flag_name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--name ", options.flag_name, " is no C++ identifier"));
  }
  absl::StatusOr<NamedProgram> named = ReadProgramFor(options.flag_impl, options.words[0]);
  if (!named.ok()) return named.status();
  absl::StatusOr<Observed> observed = Observe(named->program, options.flag_impl);
  if (!observed.ok()) return observed.status();
  const IsolatedOutcome* outcome = &observed->outcome;
  ReproInfo info;
  info.specs = options.flag_impl;
  info.signature = outcome->ok() ? "" : outcome->signature.FileName();
  info.summary = outcome->detail;
  info.test_name = options.flag_name;
  const std::string text = form == "text"    ? ToText(named->program, info)
                           : form == "gtest" ? ToGtest(named->program, info)
                                             : ToC(named->program, info);
  if (!options.flag_in.empty()) return RunReproInGuest(named->program, text, *observed, options);
  if (!options.flag_json) {
    if (absl::Status s = WriteOutput(options.flag_output, text); !s.ok()) return s;
    return Exit::kOk;
  }
  nlohmann::ordered_json json;
  json["form"] = form;
  json["operations"] = named->program.ops.size();
  json["signature"] = info.signature;
  json["message"] = info.summary;
  json["text"] = text;
  if (!options.flag_output.empty()) {
    if (absl::Status s = WriteText(options.flag_output, text); !s.ok()) return s;
    json["output"] = options.flag_output;
  }
  std::puts(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  return Exit::kOk;
}

}  // namespace mmdiff
