#include "kernel/wire_state.h"

#include <cstddef>
#include <cstring>
#include <type_traits>
#include <vector>

namespace mmdiff {
namespace {

// The other side is C: a record that changes here must change there, and in the version of the
// wire.
template <typename Record, size_t size>
constexpr bool kIsPlain =
    sizeof(
        Record) == size&& std::is_trivially_copyable_v<Record>&& std::is_standard_layout_v<Record>;
static_assert(kIsPlain<MmState, 40> && offsetof(MmState, tlb_flush_pending) == 36);
static_assert(kIsPlain<VmaState, 28> && offsetof(VmaState, anon_vma) == 24);
static_assert(kIsPlain<PteState, 20> && offsetof(PteState, kind) == 8 &&
              offsetof(PteState, bits) == 9 && offsetof(PteState, offset) == 10 &&
              offsetof(PteState, folio) == 12);
static_assert(kIsPlain<FolioState, 40> && offsetof(FolioState, slot) == 32 &&
              offsetof(FolioState, order) == 36 && offsetof(FolioState, node) == 37 &&
              offsetof(FolioState, zone) == 38 && offsetof(FolioState, lru) == 39);
static_assert(kIsPlain<PageState, 24> && offsetof(PageState, content) == 16);
static_assert(kIsPlain<SwapState, 24> && offsetof(SwapState, content) == 16);
static_assert(kIsPlain<BatchState, 16> && offsetof(BatchState, kind) == 4 &&
              offsetof(BatchState, tag) == 5 && offsetof(BatchState, position) == 8);
static_assert(kIsPlain<TlbState, 28> && offsetof(TlbState, dirty) == 24);
static_assert(kIsPlain<StatState, sizeof(mmdiff_wire_state::stats)>);
static_assert(sizeof(mmdiff_wire_state) % 8 == 0);

constexpr size_t Aligned(size_t bytes) { return (bytes + 7) & ~size_t{7}; }

// Reads or writes one array after the other, in the order of the wire.
template <typename S, typename H, typename F>
bool ForEachArray(S& state, H& header, const F& f) {
  return f(state.mms, header.mms) && f(state.vmas, header.vmas) && f(state.ptes, header.ptes) &&
         f(state.folios, header.folios) && f(state.pages, header.pages) &&
         f(state.swaps, header.swaps) && f(state.batches, header.batches) &&
         f(state.tlbs, header.tlbs);
}

}  // namespace

bool ReadWireState(const mmdiff_wire& wire, uint32_t offset, State* out, std::string* text) {
  out->Clear();
  text->clear();
  constexpr size_t kRoom = sizeof(wire.states);
  mmdiff_wire_state header;
  if (offset % 8 != 0 || offset > kRoom - sizeof(header)) return false;
  std::memcpy(&header, wire.states + offset, sizeof(header));
  const size_t end = size_t{offset} + header.bytes;
  if (end > kRoom) return false;
  size_t at = offset + sizeof(header);
  bool whole = ForEachArray(*out, header, [&](auto& records, uint32_t count) {
    using Record = typename std::decay_t<decltype(records)>::value_type;
    const size_t bytes = size_t{count} * sizeof(Record);
    if (at > end || bytes > end - at) return false;
    records.resize(count);
    if (count != 0) std::memcpy(static_cast<void*>(records.data()), wire.states + at, bytes);
    at += Aligned(bytes);
    return true;
  });
  whole = whole && at <= end && header.text_bytes <= end - at;
  if (!whole) {
    out->Clear();
    return false;
  }
  std::memcpy(static_cast<void*>(&out->stats), header.stats, sizeof(out->stats));
  text->assign(reinterpret_cast<const char*>(wire.states) + at, header.text_bytes);
  return true;
}

uint32_t AppendWireState(const State& state, std::string_view text, mmdiff_wire* wire) {
  mmdiff_wire_state header{};
  size_t bytes = sizeof(header);
  ForEachArray(state, header, [&](const auto& records, uint32_t& count) {
    count = static_cast<uint32_t>(records.size());
    bytes += Aligned(records.size() * sizeof(records[0]));
    return true;
  });
  bytes = Aligned(bytes + text.size());
  const uint32_t offset = wire->state_bytes_used;
  if (bytes > sizeof(wire->states) - offset) return MMDIFF_WIRE_IDLE;
  header.bytes = static_cast<uint32_t>(bytes);
  header.text_bytes = static_cast<uint32_t>(text.size());
  std::memcpy(header.stats, &state.stats, sizeof(header.stats));
  uint8_t* at = wire->states + offset;
  std::memcpy(at, &header, sizeof(header));
  at += sizeof(header);
  ForEachArray(state, header, [&](const auto& records, uint32_t) {
    const size_t size = records.size() * sizeof(records[0]);
    if (size != 0) std::memcpy(at, records.data(), size);
    at += Aligned(size);
    return true;
  });
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  wire->state_bytes_used = offset + header.bytes;
  return offset;
}

}  // namespace mmdiff
