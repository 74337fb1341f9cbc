// Implementation: something that runs programs. The only thing the harness knows of either side.
//
// An implementation is reset to an empty machine of a given geometry, is given one operation after
// the other, and can be asked for its digest and for its full state in between. It never sees the
// other implementations or the harness; of the program, only one that runs elsewhere takes notice.
#ifndef MMDIFF_HARNESS_IMPLEMENTATION_H_
#define MMDIFF_HARNESS_IMPLEMENTATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "harness/op_handler.h"
#include "program/leave_out.h"
#include "program/program.h"
#include "program/world_demands.h"
#include "state/digest.h"
#include "state/relations.h"
#include "state/state.h"

namespace mmdiff {

// A named optimisation that can be turned off. Turning one off may cost work, never correctness.
struct SwitchInfo {
  std::string name;
  bool on = true;
  std::string doc;  // the exact condition under which it applies
};
// How often a program was run once more to confirm a finding, and how often it came out the same.
struct Repeats {
  uint32_t same = 0, of = 0;  // of == 0: it was not

  // "the same in 5 of 5 more runs"; empty if there were none.
  std::string Text() const {
    if (of == 0) return {};
    return "the same in " + std::to_string(same) + " of " + std::to_string(of) + " more runs";
  }
};
// How much work an implementation did since Reset, by kind; order is fixed.
struct CostItem {
  const char* name;
  uint64_t count;
};

struct ImplInfo {
  std::string name;           // as given on the command line, e.g. "model:-batch_unmap"
  bool is_reference = false;  // follows the choices of a leader
  std::vector<SwitchInfo> switches;
  // What the worlds of its programs must be like. Programs of other worlds are carried over before
  // they get here.
  WorldDemands demands;
  // Operations that it has no counterpart for. Programs come here without them.
  OpcodeSet lacks;
  // Its folios may be numbered in another order than everybody else's, so that its digests may
  // differ where its states agree.
  bool own_folio_numbers = false;
  // What it sees of a state. The rest is compared with nobody, nor are its digests: its states are
  // compared in full after each operation.
  RelationSet sees = EveryRelation();
};

class Implementation : public OpHandler {
 public:
  virtual const ImplInfo& info() const = 0;

  // Told before Reset: the first `ops` operations of `program` are what comes. An implementation
  // that runs in another process may run them all at once; it must answer as if it had not. The
  // others need not know. `program` is valid during the call only.
  virtual void Load(const Program& /*program*/, uint32_t /*ops*/) {}

  // Empties the machine and gives it this geometry. O(what the last program touched); allocates
  // only when the geometry grows. `world` has been checked against world.def.
  virtual void Reset(const World& world) = 0;

  // The digest of the current state (state/digest.h). O(changed since the last call).
  virtual Digest digest() = 0;

  // Fills `out` (cleared first) with the complete state, folios numbered by this implementation.
  virtual void Snapshot(State* out) = 0;

  // Checks the invariants that need no second implementation (refcount is the sum of its holders,
  // writable anonymous is exclusive, ...). Returns an empty string, or one line that names the
  // broken invariant and the object: "refcount: folio 3 has 2 references, its holders add up to 1".
  // O(size of the state); called at samples and at the end of a program.
  virtual std::string CheckInvariants() = 0;

  // What went wrong with the implementation itself in the last operation, apart from its answer and
  // its state: empty, or one line "kind: text" ("kasan folio_put: use-after-free ..."). The kind
  // "harness" is a fault of the harness, any other a finding. Asked after each operation.
  virtual std::string Failure() { return {}; }
  // Asked once before a disagreement that it has part in is reported, or a failure of its own:
  // empty if it stands by its answers, else a line like that of Failure(). May cost a start of the
  // implementation, or some for a failure.
  virtual std::string Confirm() { return {}; }
  // What the last Confirm() has tried, if it had to try.
  virtual Repeats Repeated() const { return {}; }
  // The whole of what it had to say about its last failure, many lines (a kernel's console).
  virtual std::string FailureLog() { return {}; }

  // For one that runs elsewhere and counts there which edges of its code a program passes: how many
  // edges there are (0: it counts nothing; may cost its start), and the hits of each in the last
  // program, saturating. `to` has room for all; it is left alone if the last program did not end.
  virtual uint32_t CoverageEdges() { return 0; }
  virtual void CopyCoverage(uint8_t* /*to*/) {}

  // For one that runs elsewhere and is slow to start: between the two a child of this process may
  // use what runs there while this process waits for the child's end. Lend() starts it if need be.
  virtual void Lend() {}
  virtual void TakeBack() {}

  // Work counters since Reset; empty if it counts nothing.
  virtual std::vector<CostItem> Costs() const { return {}; }
};

}  // namespace mmdiff

#endif  // MMDIFF_HARNESS_IMPLEMENTATION_H_
