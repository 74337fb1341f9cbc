// Predicates for the reducer: does this program still show this finding?
//
// In-process lockstep for divergences (microseconds a program, stops at the first divergence), a
// child process for crashes, sanitizer reports and hangs. Both compare signatures only.
#ifndef MMDIFF_MINIMIZE_PREDICATES_H_
#define MMDIFF_MINIMIZE_PREDICATES_H_

#include <string>

#include "harness/isolate.h"
#include "harness/lockstep.h"
#include "harness/signature.h"
#include "minimize/reducer.h"

namespace mmdiff {

// True of programs whose run ends with this signature. `lockstep` must outlive the predicate, and
// `options` should be those under which the signature was seen. Never use it for programs that
// crash.
Predicate DivergencePredicate(Lockstep* lockstep, Signature signature, const RunOptions& options);

// True of programs that end in a child with this signature, be it a crash, a report or a hang.
// Every run of a hanging candidate costs limits.time_ms: choose it well above the time of a healthy
// run, no more. If no child can be started the candidate counts as different.
Predicate ChildPredicate(const std::string& specs, const ContestantsFactory& make,
                         const Signature& signature, const RunOptions& options,
                         const IsolateLimits& limits);
// The same on what was made before, which must outlive the predicate.
Predicate ChildPredicate(Lockstep* lockstep, const Signature& signature, const RunOptions& options,
                         const IsolateLimits& limits);

}  // namespace mmdiff

#endif  // MMDIFF_MINIMIZE_PREDICATES_H_
