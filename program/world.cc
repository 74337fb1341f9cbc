#include "program/world.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "program/nearest_word.h"
#include "program/words.h"

namespace mmdiff {
namespace {

constexpr std::array<WorldField, kWorldFields> kFields = {{
#define MMDIFF_WORLD(name, dflt, min, max, doc) {#name, &World::name, dflt, min, max, doc},
#include "program/world.def"
}};

constexpr uint32_t kHighestOrder = 9;  // log2 of the largest table

World MakeTiny() {
  World w;
  w.table = 8;
  w.tables = 8;
  w.batch = 2;
  w.gather = 3;
  w.faultaround = 2;
  w.orders = 0b1111;
  return w;
}

World MakeTight() {
  World w;
  w.memlock = 10;
  w.swap = 12;
  w.maps = 6;
  w.mms = 3;
  w.gather = 2;
  w.batch = 1;
  w.orders = 0b110101;
  return w;
}

World MakeWide() {
  World w;
  w.cpus = 4;
  w.nodes = 4;
  w.batch = 15;
  w.gather = 32;
  w.faultaround = 16;
  w.orders = 0b111111;
  w.mms = 16;
  return w;
}

World MakePlain() {
  World w;
  w.cpus = 1;
  w.nodes = 1;
  w.faultaround = 1;
  w.orders = 1;
  return w;
}

World MakeX86() {
  World w;
  w.table = 512;
  w.tables = 16;
  w.cpus = 4;
  w.batch = 31;
  w.gather = 509;
  w.faultaround = 16;
  w.memlock = 2048;
  w.swap = 8192;
  w.maps = 1024;
  w.mms = 64;
  w.orders = (1u << 0) | (1u << 4) | (1u << 9);
  return w;
}

const std::array<WorldPreset, 6>& Presets() {
  // The binary form numbers these: append, never reorder.
  static const std::array<WorldPreset, 6> presets = {{
      {"small", "the default: tables of 32 pages, two CPUs, two nodes", World()},
      {"tiny", "tables of 8 pages, so that every range meets a table boundary", MakeTiny()},
      {"tight", "low limits on locked memory, swap, mappings and processes", MakeTight()},
      {"wide", "four CPUs on four nodes, all folio orders, large batches", MakeWide()},
      {"plain", "one CPU, one node, order-0 folios only", MakePlain()},
      {"x86-64", "tables of 512 pages, batch sizes as on x86-64", MakeX86()},
  }};
  return presets;
}

std::string OrdersText(uint32_t orders) {
  std::string text;
  for (uint32_t k = 0; k < 32; ++k) {
    if (orders >> k & 1) Append(&text, text.empty() ? "" : ",", k);
  }
  return text;
}

absl::Status ParseOrders(std::string_view list, World* world) {
  uint32_t orders = 0;
  if (!list.empty() && list.back() == ',') return Invalid("orders ends in a comma; remove it");
  do {
    const std::string_view item = TakePart(&list, ',');
    uint32_t order = 0;
    if (!ReadNumber(item, &order) || order > kHighestOrder) {
      return Invalid("orders takes a list of numbers from 0 to ", kHighestOrder,
                     " such as orders=0,2,4; '", item, "' is not one");
    }
    orders |= 1u << order;
  } while (!list.empty());
  world->orders = orders;
  return absl::OkStatus();
}

}  // namespace

const std::array<WorldField, kWorldFields>& WorldFields() { return kFields; }

absl::Span<const WorldPreset> WorldPresets() { return Presets(); }

const WorldPreset* FindWorldPreset(std::string_view name) {
  for (const WorldPreset& preset : Presets()) {
    if (preset.name == name) return &preset;
  }
  return nullptr;
}

uint32_t MaxOrder(const World& world) {
  return static_cast<uint32_t>(std::bit_width(world.table)) - 1;
}

uint32_t HotSpan(const World& world) { return std::min(world.table, 32u); }

absl::Status CheckWorld(const World& world) {
  for (const WorldField& field : kFields) {
    const uint32_t value = world.*field.member;
    if (value < field.min || value > field.max) {
      return Invalid(field.name, "=", value, " is out of range: ", field.min, " to ", field.max,
                     " (", field.doc, ")");
    }
  }
  if (!std::has_single_bit(world.table)) {
    return Invalid("table=", world.table, " is not a power of two; the next lower one is ",
                   std::bit_floor(world.table));
  }
  if (!std::has_single_bit(world.faultaround)) {
    return Invalid("faultaround=", world.faultaround,
                   " is not a power of two; the next lower one is ",
                   std::bit_floor(world.faultaround));
  }
  if (world.arena() > kMaxArena) {
    return Invalid("table=", world.table, " tables=", world.tables, " make an arena of ",
                   world.arena(), " pages; at most ", kMaxArena,
                   " are allowed, so tables can be at most ", kMaxArena / world.table);
  }
  if ((world.orders & 1) == 0) {
    return Invalid("orders must hold 0, because single pages always exist");
  }
  if ((world.orders >> MaxOrder(world)) > 1) {
    return Invalid("orders=", OrdersText(world.orders),
                   ": no folio is larger than one page table, so with table=", world.table,
                   " the highest order is ", MaxOrder(world));
  }
  return absl::OkStatus();
}

void FixWorld(World* world) {
  for (const WorldField& field : kFields) {
    uint32_t& value = world->*field.member;
    value = std::clamp(value, field.min, field.max);
  }
  world->table = std::bit_floor(world->table);
  world->faultaround = std::bit_floor(world->faultaround);
  world->tables = std::min(world->tables, kMaxArena / world->table);
  world->orders = (world->orders | 1) & ((2u << MaxOrder(*world)) - 1);
}

std::string PrintWorld(const World& world) {
  std::string text = "world";
  for (const WorldField& field : kFields) {
    const uint32_t value = world.*field.member;
    if (value != field.dflt) Append(&text, " ", field.name, "=", value);
  }
  if (world.orders != World().orders) {
    Append(&text, " orders=", OrdersText(world.orders));
  }
  return text;
}

absl::Status ParseWorldField(std::string_view word, World* world) {
  const size_t equals = word.find('=');
  if (equals == std::string_view::npos) {
    return Invalid("expected name=value, such as table=32");
  }
  const std::string_view name = word.substr(0, equals);
  const std::string_view text = word.substr(equals + 1);
  if (name == "orders") return ParseOrders(text, world);
  std::vector<std::string_view> names = {"orders"};
  for (const WorldField& field : kFields) {
    names.push_back(field.name);
    if (field.name != name) continue;
    uint32_t value = 0;
    if (!ReadNumber(text, &value) || value < field.min || value > field.max) {
      return Invalid(field.name, " takes a number from ", field.min, " to ", field.max, " (",
                     field.doc, ")");
    }
    world->*field.member = value;
    return absl::OkStatus();
  }
  return Invalid("unknown field of the world", DidYouMean(name, names));
}

}  // namespace mmdiff
