// Text made from the tables of verbs and flags: docs/commands.md and the completion scripts.
#ifndef MMDIFF_CLI_FLAG_DOCS_H_
#define MMDIFF_CLI_FLAG_DOCS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/options.h"

namespace mmdiff {

// Names of the verbs that have a flag.
std::vector<std::string> VerbsOf(const FlagInfo& flag);
// The page docs/commands.md.
std::string CommandsMarkdown();
// The completion script for "bash", "zsh" or "fish". Error: another shell.
absl::StatusOr<std::string> CompletionScript(std::string_view shell);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_FLAG_DOCS_H_
