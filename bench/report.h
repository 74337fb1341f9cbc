// Report: benchmark figures as JSON lines, each with the machine that it was measured on.
//
// One line a figure: {"name", "value", "unit", "repetitions", "low", "high", "ratio_to", "ratio",
// "machine": {...}}. Values are medians over the repetitions of one run; a ratio is of two medians
// of the same run. Knows no implementation and no format but this one. A line costs one write.
#ifndef MMDIFF_BENCH_REPORT_H_
#define MMDIFF_BENCH_REPORT_H_

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace mmdiff {

struct Figure {
  std::string name;
  std::string unit;             // "operations/s", "ms", "MiB", ...
  std::vector<double> samples;  // at least one
  std::string ratio_to;         // name of another figure of the same report, or empty
};

// The middle of the samples (the mean of the two in the middle of an even number); 0 of none.
double Median(std::vector<double> samples);
// The smallest sample that `share` (0 to 1) of all samples do not exceed; 0 of none.
double Quantile(std::vector<double> samples, double share);

// The machine, the compiler and its flags, and the load when this is called, as one JSON object.
std::string MachineJson();

class Report {
 public:
  // Lines go to `path`, appended, or to standard output if it is empty. If the file cannot be
  // opened this says so on standard error and uses standard output.
  explicit Report(const std::string& path);
  ~Report();
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  void Add(Figure figure) { figures_.push_back(std::move(figure)); }
  // Writes every figure added so far, ratios among them, and forgets them.
  void Flush();

 private:
  const Figure* Find(std::string_view name) const;
  std::vector<Figure> figures_;
  std::FILE* out_;
};

// Removes "--NAME=value" from the arguments and gives the value; `otherwise` if it is not there.
std::string TakeFlag(int* argc, char** argv, std::string_view name, std::string_view otherwise);
// The same for a number; a value that is none ends the process with 2 and says so.
uint64_t TakeNumber(int* argc, char** argv, std::string_view name, uint64_t otherwise);
// Ends the process with 2, naming what is left, if anything is.
void RefuseOtherFlags(int argc, char** argv);

}  // namespace mmdiff

#endif  // MMDIFF_BENCH_REPORT_H_
