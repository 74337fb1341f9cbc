// completion: a script that completes verbs, flags and words, made from the tables.
#include <cstdio>
#include <string>

#include "cli/flag_docs.h"
#include "cli/program_files.h"
#include "cli/verb.h"
#include "nlohmann/json.hpp"

namespace mmdiff {

absl::StatusOr<Exit> Verb_completion(const Options& options) {
  absl::StatusOr<std::string> script = CompletionScript(options.words[0]);
  if (!script.ok()) return script.status();
  if (options.flag_json) {
    std::puts(
        nlohmann::ordered_json{{"shell", options.words[0]}, {"script", *script}}.dump(2).c_str());
    return Exit::kOk;
  }
  if (absl::Status s = WriteOutput("", *script); !s.ok()) return s;
  return Exit::kOk;
}

}  // namespace mmdiff
