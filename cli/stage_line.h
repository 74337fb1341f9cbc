// Stage line: what long work that is not a campaign is doing just now.
//
// On a terminal one line, rewritten in place; in a log a line for each new stage and one every ten
// seconds. It reads a clock only to say how long the work has taken. Costs a few microseconds.
#ifndef MMDIFF_CLI_STAGE_LINE_H_
#define MMDIFF_CLI_STAGE_LINE_H_

#include <chrono>
#include <cstdio>
#include <string>

namespace mmdiff {

class StageLine {
 public:
  // Prints to `out`; starts the clock.
  explicit StageLine(std::FILE* out);
  // The line is finished.
  ~StageLine() { Finish(); }
  StageLine(const StageLine&) = delete;
  StageLine& operator=(const StageLine&) = delete;

  // The stage ("building 6.12: compiling") and what changes within it ("812 files, mm/memory.o").
  // Call it often; prints when it is time.
  void Update(const std::string& stage, const std::string& detail);
  // A line of its own, above the one that is rewritten.
  void Say(const std::string& line);
  // Ends the line that is rewritten.
  void Finish();
  double seconds() const;  // since the start

 private:
  std::FILE* out_;
  bool terminal_;
  bool on_line_ = false;
  std::string stage_;
  double printed_ = 0;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace mmdiff

#endif  // MMDIFF_CLI_STAGE_LINE_H_
