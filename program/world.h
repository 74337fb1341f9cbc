// The geometry of the modelled machine: its fields as a table, its rules, its presets and its text.
//
// Nothing here knows operations or state. Everything is O(number of fields); only text allocates.
#ifndef MMDIFF_PROGRAM_WORLD_H_
#define MMDIFF_PROGRAM_WORLD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "program/program.h"

namespace mmdiff {

// One line of world.def.
struct WorldField {
  const char* name;
  uint32_t World::*member;
  uint32_t dflt, min, max;
  const char* doc;
};
inline constexpr size_t kWorldFields = 0
#define MMDIFF_WORLD(name, dflt, min, max, doc) +1
#include "program/world.def"
    ;
// The fields in the order of world.def; `orders` is not among them.
const std::array<WorldField, kWorldFields>& WorldFields();

// A geometry that has a name. The first one is the default World.
struct WorldPreset {
  const char* name;
  const char* doc;
  World world;
};
absl::Span<const WorldPreset> WorldPresets();
// The preset of this name, or nullptr.
const WorldPreset* FindWorldPreset(std::string_view name);

// log2(table): the highest order a folio of this world can have.
uint32_t MaxOrder(const World& world);
// How long ranges made up by generation mostly are at most, and how far their places mostly are
// from a table's edge, twice. Nothing happens in the middle of a large table that would not happen
// near its edges, and long ranges are slow. A power of two: the table's size, or 32 if that is
// less.
uint32_t HotSpan(const World& world);
// Ok if every field is in range and the rules hold: table and faultaround are powers of two, the
// arena is at most kMaxArena, orders has bit 0 and none above MaxOrder. Else InvalidArgument with
// the remedy.
absl::Status CheckWorld(const World& world);
// Makes any World pass CheckWorld by moving fields to the nearest value allowed; idempotent.
void FixWorld(World* world);

// "world" and then the fields that differ from the default, in the order of world.def, orders last.
std::string PrintWorld(const World& world);
// Sets one field from "name=value" (orders takes a list: "orders=0,2,4"). Does not check the rules
// that join fields. InvalidArgument says which field or value is wrong and what is expected.
absl::Status ParseWorldField(std::string_view word, World* world);

}  // namespace mmdiff

#endif  // MMDIFF_PROGRAM_WORLD_H_
