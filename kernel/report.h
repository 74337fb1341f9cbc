// Report: what a kernel's console says of its bug.
//
// Finds the first report in the text (a warning, a BUG, a KASAN or lockdep report, a bad page, an
// oops, a panic) and names its kind and the function it happened in, which together tell bugs
// apart. Reads the formats of Linux 6.12 to 7.x on x86 and User Mode Linux. It never looks at
// addresses, offsets, times or counts. One pass over the text.
#ifndef MMDIFF_KERNEL_REPORT_H_
#define MMDIFF_KERNEL_REPORT_H_

#include <string>
#include <string_view>

namespace mmdiff {

struct KernelReport {
  // "bug", "warning", "bad_page", "rss", "kasan", "lockdep", "oops", "hang"; empty: the text has no
  // report.
  std::string kind;
  std::string title;  // one line, without time stamp: "WARNING: CPU: 0 PID: 1 at mm/rmap.c:12 fn"
  std::string where;  // function, or file and line, or counter; empty if the text does not say
};

// The first report of `console`, which may be cut off at either end.
KernelReport ReadKernelReport(std::string_view console);

}  // namespace mmdiff

#endif  // MMDIFF_KERNEL_REPORT_H_
