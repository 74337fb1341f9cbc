#include "cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace mmdiff {

void RewriteLine(std::FILE* out, std::string line) {
  winsize size = {};
  if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 && line.size() >= size.ws_col) {
    line.resize(size.ws_col - 1u);
  }
  std::fprintf(out, "\r%s\033[K", line.c_str());
  std::fflush(out);
}

std::string ShortNumber(double value) {
  static constexpr const char* kUnits[] = {"", "k", "M", "G", "T"};
  size_t unit = 0;
  while (value >= 999.5 && unit < 4) {
    value /= 1000;
    ++unit;
  }
  if (unit == 0) return absl::StrFormat("%.0f", value);
  if (value < 9.995) return absl::StrFormat("%.2f%s", value, kUnits[unit]);
  if (value < 99.95) return absl::StrFormat("%.1f%s", value, kUnits[unit]);
  return absl::StrFormat("%.0f%s", value, kUnits[unit]);
}

std::string ShortTime(double seconds) {
  const auto whole = static_cast<long long>(std::max(0.0, std::ceil(seconds)));
  if (whole >= 3600) {
    return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
}

std::string ProgressLine(const CampaignNumbers& total, double programs_per_s, double ops_per_s) {
  return absl::StrCat(ShortNumber(programs_per_s), " programs/s  ", ShortNumber(ops_per_s),
                      " ops/s  ",
                      absl::StrFormat("%.0f%% effective", 100 * total.effective_share()), "  cov ",
                      total.coverage, "  corpus ", total.corpus, "  findings ", total.findings,
                      "  ", ShortTime(total.seconds_left), " left");
}

ProgressPrinter::ProgressPrinter(std::FILE* out)
    : out_(out), terminal_(out != nullptr && isatty(fileno(out)) == 1) {}

void ProgressPrinter::Update(const CampaignNumbers& total) {
  if (out_ == nullptr) return;
  const double passed = total.seconds - last_.seconds;
  if (passed < (terminal_ ? 0.5 : 10.0)) return;
  std::string line =
      ProgressLine(total, static_cast<double>(total.programs - last_.programs) / passed,
                   static_cast<double>(total.operations - last_.operations) / passed);
  last_ = total;
  if (!terminal_) {
    std::fprintf(out_, "%6.0fs  %s\n", total.seconds, line.c_str());
    std::fflush(out_);
    return;
  }
  RewriteLine(out_, std::move(line));
  on_line_ = true;
}

void ProgressPrinter::Say(const std::string& line) {
  if (out_ == nullptr) return;
  std::fprintf(out_, "%s%s\n", on_line_ ? "\r\033[K" : "", line.c_str());
  std::fflush(out_);
  on_line_ = false;
}

void ProgressPrinter::Finish() {
  if (out_ != nullptr && on_line_) std::fputs("\r\033[K", out_);
  on_line_ = false;
}

}  // namespace mmdiff
