#include "cli/stage_line.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/progress.h"

namespace mmdiff {

StageLine::StageLine(std::FILE* out)
    : out_(out), terminal_(isatty(fileno(out)) == 1), start_(std::chrono::steady_clock::now()) {}

double StageLine::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void StageLine::Update(const std::string& stage, const std::string& detail) {
  const double now = seconds();
  const bool fresh = stage != stage_;
  if (!fresh && now - printed_ < (terminal_ ? 0.5 : 10.0)) return;
  stage_ = stage;
  printed_ = now;
  std::string line = absl::StrCat("mmdiff: ", stage, detail.empty() ? "" : ": ", detail);
  if (now >= 1) absl::StrAppend(&line, ", ", ShortTime(now));
  if (!terminal_) {
    std::fprintf(out_, "%s\n", line.c_str());
    std::fflush(out_);
    return;
  }
  RewriteLine(out_, std::move(line));
  on_line_ = true;
}

void StageLine::Say(const std::string& line) {
  std::fprintf(out_, "%s%s\n", on_line_ ? "\r\033[K" : "", line.c_str());
  std::fflush(out_);
  on_line_ = false;
}

void StageLine::Finish() {
  if (on_line_) std::fputs("\r\033[K", out_);
  std::fflush(out_);
  on_line_ = false;
}

}  // namespace mmdiff
