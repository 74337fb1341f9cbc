// Progress of a campaign: one line, rewritten in place on a terminal, plain lines in a log.
//
// Formats numbers that others counted; never reads a clock. Costs a few microseconds a line.
#ifndef MMDIFF_CLI_PROGRESS_H_
#define MMDIFF_CLI_PROGRESS_H_

#include <cstdint>
#include <cstdio>
#include <string>

namespace mmdiff {

struct CampaignNumbers {
  uint64_t programs = 0;
  uint64_t operations = 0;
  uint64_t effective = 0;
  uint64_t unsupported = 0;
  uint64_t left_out = 0;  // operations that an implementation has no counterpart for
  uint64_t outcomes = 0;  // pairs (operation, errno)
  uint64_t coverage = 0;  // edges
  uint64_t features = 0;
  uint64_t corpus = 0;
  uint64_t findings = 0;   // different signatures
  uint64_t sightings = 0;  // programs that ended in one
  double seconds = 0;
  double seconds_left = 0;

  double programs_per_s() const {
    return seconds > 0 ? static_cast<double>(programs) / seconds : 0;
  }
  double operations_per_s() const {
    return seconds > 0 ? static_cast<double>(operations) / seconds : 0;
  }
  double effective_share() const {
    return operations > 0 ? static_cast<double>(effective) / static_cast<double>(operations) : 0;
  }
};

// Prints `line` over the line of the terminal `out`, cut to its width.
void RewriteLine(std::FILE* out, std::string line);

// 950 -> "950", 12345 -> "12.3k", 4.2e6 -> "4.20M".
std::string ShortNumber(double value);
// 75 -> "1:15".
std::string ShortTime(double seconds);
// "12.3k programs/s  410k ops/s  83% effective  cov 2100  corpus 415  findings 0  0:42 left"
std::string ProgressLine(const CampaignNumbers& total, double programs_per_s, double ops_per_s);

class ProgressPrinter {
 public:
  // Prints to `out`; in place if it is a terminal, a line every ten seconds otherwise. Nothing if
  // null.
  explicit ProgressPrinter(std::FILE* out);
  // Call it often; prints when it is time. Rates are those since the last line.
  void Update(const CampaignNumbers& total);
  // A line of its own, above the progress line.
  void Say(const std::string& line);
  // Ends the line that is rewritten.
  void Finish();

 private:
  std::FILE* out_;
  bool terminal_;
  bool on_line_ = false;
  CampaignNumbers last_;
};

}  // namespace mmdiff

#endif  // MMDIFF_CLI_PROGRESS_H_
