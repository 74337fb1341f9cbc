// Repro check: what a C program of system calls (repro.h) printed, against what was expected of it.
//
// The expected answers are recorded while the program runs in lockstep, up to the operation where
// it diverges; what the C program printed is read and compared, operation by operation, where a
// system call can tell: errors, the pages a load or store reached, the data read. Runs nothing.
#ifndef MMDIFF_HARNESS_REPRO_CHECK_H_
#define MMDIFF_HARNESS_REPRO_CHECK_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "harness/lockstep.h"
#include "program/program.h"

namespace mmdiff {

// Records the answers of the first leader's reference, or of the first leader if there is none.
class AnswerRecorder : public RunObserver {
 public:
  void OnStart(Lockstep& lockstep, const Program& program) override;
  void OnOp(Lockstep& lockstep, const Program& program, uint32_t op_index) override;
  // One for each operation that ran.
  const std::vector<OpResult>& answers() const { return answers_; }

 private:
  std::vector<OpResult> answers_;
};

struct ReproDifference {
  uint32_t op_index = 0;
  std::string expected, printed;  // "ok 4 data=0123456789abcdef", "Cannot allocate memory"
};

struct ReproComparison {
  uint32_t compared = 0;  // operations whose answers were
  uint32_t missing = 0;   // operations with a system call that the program did not come to
  uint32_t left_out = 0;  // operations, among those with an answer, that have no system call
  std::vector<ReproDifference> differences;  // in order
};

// `printed` is the output of ToC(program), compiled and run.
ReproComparison CompareRepro(const Program& program, const std::vector<OpResult>& expected,
                             std::string_view printed);

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_REPRO_CHECK_H_
