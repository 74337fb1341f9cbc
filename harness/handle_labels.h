// HandleLabels: prints operations one by one with the labels of the handles they bind.
//
// For loops over a whole program, where PrintOpAt would count from the start each time. O(1) an
// operation.
#ifndef MMDIFF_HARNESS_HANDLE_LABELS_H_
#define MMDIFF_HARNESS_HANDLE_LABELS_H_

#include <string>

#include "program/arg_kinds.h"
#include "program/program.h"
#include "program/text.h"

namespace mmdiff {

class HandleLabels {
 public:
  // The next operation of the program as one line: "m1 = fork m0 @cpu1".
  std::string Print(const Op& op) { return PrintOp(op, counts_.Add(op)); }

 private:
  HandleCounts counts_;
};

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_HANDLE_LABELS_H_
