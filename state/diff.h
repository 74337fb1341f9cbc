// Diff: states and differences as text for people.
//
// Everything is symbolic (flag names, list names, m0, folio 3) and deterministic. Nothing here
// decides whether states agree; compare.h does. Costs O(size of what is printed).
#ifndef MMDIFF_STATE_DIFF_H_
#define MMDIFF_STATE_DIFF_H_

#include <string>
#include <string_view>

#include "state/compare.h"
#include "state/state.h"

namespace mmdiff {

// A canonical state, one record a line, grouped by kind; kinds without records are left out.
std::string RenderState(const State& state);

// The records in which two canonical states differ, side by side, with the columns headed by the
// names. Records equal on both sides are left out. Empty if the states are equal.
std::string RenderDiff(const State& a, const State& b, std::string_view name_a,
                       std::string_view name_b);

// A list of field differences as a table: where, field, value of a, value of b.
std::string RenderFieldDiffs(const CompareResult& result, std::string_view name_a,
                             std::string_view name_b);

// One record as the text that RenderState uses, without its key.
std::string RenderMm(const MmState& r);
std::string RenderVma(const VmaState& r);
std::string RenderPte(const PteState& r);
std::string RenderFolio(const FolioState& r);
std::string RenderPage(const PageState& r);
std::string RenderSwap(const SwapState& r);
std::string RenderBatch(const BatchState& r);
std::string RenderTlb(const TlbState& r);
std::string RenderStat(const StatState& r);

// Names as reports and expectations use them: "present"; "inactive_anon"; "mlock".
const char* PteKindName(PteKind kind);
const char* LruListName(LruList lru);
const char* BatchKindName(BatchKind kind);
const char* MlockTagName(MlockTag tag);

}  // namespace mmdiff

#endif  // MMDIFF_STATE_DIFF_H_
