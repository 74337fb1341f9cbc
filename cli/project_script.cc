#include "cli/project_script.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/campaign.h"
#include "harness/project_path.h"
#include "kernel/build_record.h"
#include "kernel/builds.h"

namespace mmdiff {

absl::Status Interrupted() {
  return absl::CancelledError("interrupted; the same command goes on where it stopped");
}

absl::StatusOr<ScriptOutcome> RunWatched(const ChildSpec& spec,
                                         const std::function<bool(const std::string&)>& on_line,
                                         const std::function<void()>& on_tick) {
  absl::StatusOr<ChildProgram> child = ChildProgram::Start(spec);
  if (!child.ok()) return child.status();
  ScriptOutcome outcome;
  int patience = 25;  // ticks from the signal to the kill
  std::optional<int> status;
  while (!status) {
    pollfd p = {child->fd(), POLLIN, 0};
    poll(&p, 1, 200);
    for (const std::string& line : child->ReadLines()) {
      if (!on_line(line)) absl::StrAppend(&outcome.output, line, "\n");
    }
    on_tick();
    if (campaign_interrupted.load()) {
      child->Signal(patience > 0 ? SIGTERM : SIGKILL);
      --patience;
    }
    if (child->fd() < 0) usleep(1000);
    status = child->Poll();
  }
  for (const std::string& line : child->ReadLines()) {
    if (!on_line(line)) absl::StrAppend(&outcome.output, line, "\n");
  }
  if (campaign_interrupted.load()) return Interrupted();
  outcome.wait_status = *status;
  return outcome;
}

std::string LastLines(const std::string& text, size_t n) {
  std::vector<std::string> lines = absl::StrSplit(absl::StripTrailingAsciiWhitespace(text), '\n');
  if (lines.size() > n) lines.erase(lines.begin(), lines.end() - static_cast<ptrdiff_t>(n));
  return absl::StrJoin(lines, "\n");
}

absl::StatusOr<std::string> ProjectScript(const char* variable, const char* part) {
  if (const char* path = variable != nullptr ? std::getenv(variable) : nullptr;
      path != nullptr && *path != '\0') {
    if (IsExecutableFile(path)) return AbsolutePath(path);
    return absl::InvalidArgumentError(
        absl::StrCat(variable, " names ", path, ", which is no executable"));
  }
  std::string path = ProjectPath(part);
  if (!path.empty()) return path;
  return absl::FailedPreconditionError(
      absl::StrCat(part,
                   " is not here: kernels are made in the source tree; run ./mmdiff kernel or "
                   "./mmdiff guest there, and this program will find them"));
}

absl::StatusOr<std::string> RunSpeakingScript(const char* part, std::vector<std::string> arguments,
                                              std::string stage, StageLine* line) {
  absl::StatusOr<std::string> script = ProjectScript(nullptr, part);
  if (!script.ok()) return script;
  arguments.insert(arguments.begin(), *script);
  std::string last;  // of what was said; an error, if the script ends in one
  absl::StatusOr<ScriptOutcome> outcome = RunWatched(
      {std::move(arguments), {}, true},
      [&](const std::string& text) {
        if (!absl::StartsWith(text, "mmdiff: ")) return false;
        last = text.substr(8);
        return true;
      },
      [&] {
        if (!last.empty()) stage = last;
        line->Update(stage, "");
      });
  if (!outcome.ok()) return outcome.status();
  if (outcome->ok()) return outcome->output;
  std::string message = LastLines(outcome->output, 15);
  absl::StrAppend(&message, message.empty() ? "" : "\nmmdiff: ", last);
  if (outcome->exit() == 2) return absl::NotFoundError(message);
  return absl::InternalError(message);
}

}  // namespace mmdiff
