#include "kernel/git_revision.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "kernel/run_program.h"

namespace mmdiff {

absl::StatusOr<std::string> ResolveRevision(const std::string& directory,
                                            const std::string& revision) {
  if (revision.empty() || revision[0] == '-') {
    return absl::InvalidArgumentError(absl::StrCat("'", revision, "' is no git revision"));
  }
  const RanProgram ran = RunProgram({"git", "-C", directory, "rev-parse", "--verify",
                                     "--end-of-options", absl::StrCat(revision, "^{commit}")});
  if (ran.spawn_error != 0) {
    return absl::FailedPreconditionError(
        "git cannot be run; apt-get install -y --no-install-recommends git");
  }
  const std::string text(absl::StripAsciiWhitespace(ran.output));
  if (ran.status != 0) {
    return absl::NotFoundError(
        absl::StrCat("'", revision, "' is no commit of ", directory, " (", text, ")"));
  }
  // --end-of-options is echoed by some versions of git; the commit is the last word.
  const std::string commit = text.substr(text.find_last_of(" \n") + 1);
  if (commit.size() < 40) {
    return absl::NotFoundError(absl::StrCat("git gives no commit for '", revision, "': ", text));
  }
  return commit;
}

}  // namespace mmdiff
