// list: the tables that everything is expanded from.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/flag_docs.h"
#include "cli/verb.h"
#include "harness/choice.h"
#include "harness/expectation.h"
#include "harness/registry.h"
#include "minimize/reducer.h"
#include "nlohmann/json.hpp"
#include "program/arg_kinds.h"
#include "program/fragments.h"
#include "program/program.h"
#include "program/world.h"
#include "state/relations.h"

namespace mmdiff {
namespace {

using Json = nlohmann::ordered_json;

// A table: an array of objects, all with the same keys.
using Table = Json;

struct ArgKindText {
  const char *name, *text, *doc;
};
constexpr ArgKindText kArgKindTexts[] = {
#define MMDIFF_ARG_KIND(Name, text, doc) {#Name, text, doc},
#include "program/arg_kinds.def"
};

Table Ops() {
  Table table = Json::array();
  for (const OpDesc& op : AllOps()) {
    std::vector<std::string> args;
    for (size_t i = 0; i < op.nargs; ++i) args.emplace_back(op.args[i].name);
    const char* result =
        op.result == ArgKind::kNone ? "" : kArgKindTexts[static_cast<size_t>(op.result)].name;
    table.push_back({{"name", op.name},
                     {"arguments", absl::StrJoin(args, " ")},
                     {"binds", result},
                     {"weight", op.weight},
                     {"meaning", op.doc}});
  }
  return table;
}

Table Args() {
  Table table = Json::array();
  for (const ArgKindText& kind : kArgKindTexts) {
    table.push_back({{"name", kind.name}, {"text", kind.text}, {"meaning", kind.doc}});
  }
  return table;
}

Table Impls() {
  Table table = Json::array();
  for (const KnownImplementation& impl : KnownImplementations()) {
    table.push_back({{"name", impl.name}, {"meaning", impl.doc}});
  }
  return table;
}

Table Switches() {
  Table table = Json::array();
  for (const KnownImplementation& known : KnownImplementations()) {
    if (known.kernel) continue;
    absl::StatusOr<std::unique_ptr<Implementation>> impl = MakeImplementation(known.name);
    if (!impl.ok()) continue;
    for (const SwitchInfo& info : (*impl)->info().switches) {
      table.push_back({{"implementation", known.name},
                       {"name", info.name},
                       {"default", info.on ? "on" : "off"},
                       {"condition", info.doc}});
    }
  }
  return table;
}

Table Relations() {
  Table table = Json::array();
  for (const RelationInfo& relation : AllRelations()) {
    table.push_back({{"name", relation.name},
                     {"relation", RelationKindText(relation.kind)},
                     {"why", relation.why}});
  }
  return table;
}

// With a column that says what all of the implementations see.
absl::StatusOr<Table> SeenRelations(const std::string& specs) {
  absl::StatusOr<Contestants> contestants = MakeAll(specs);
  if (!contestants.ok()) return contestants.status();
  RelationSet seen = EveryRelation();
  for (const auto& leader : contestants->leaders) seen &= leader->info().sees;
  Table table = Relations();
  for (size_t i = 0; i < kRelations; ++i) table[i]["seen"] = seen[i] ? "yes" : "no";
  return table;
}

Table Choices() {
  Table table = Json::array();
  for (size_t i = 0; i < kChoiceKinds; ++i) {
    const auto kind = static_cast<ChoiceKind>(i);
    table.push_back({{"name", ChoiceName(kind)}, {"meaning", ChoiceDoc(kind)}});
  }
  return table;
}

Table Worlds() {
  Table table = Json::array();
  for (const WorldField& field : WorldFields()) {
    table.push_back({{"name", field.name},
                     {"value", absl::StrCat(field.dflt, " (", field.min, " to ", field.max, ")")},
                     {"meaning", field.doc}});
  }
  table.push_back({{"name", "orders"},
                   {"value", "0,2,4"},
                   {"meaning", "folio orders that an anonymous fault may use"}});
  for (const WorldPreset& preset : WorldPresets()) {
    table.push_back(
        {{"name", preset.name}, {"value", PrintWorld(preset.world)}, {"meaning", preset.doc}});
  }
  return table;
}

Table Fragments() {
  Table table = Json::array();
  for (const Fragment& fragment : AllFragments()) {
    table.push_back({{"name", fragment.name}, {"meaning", fragment.doc}});
  }
  return table;
}

Table ExpectationTable() {
  Table table = Json::array();
  for (const ExpectationWord& word : ExpectationWords()) {
    table.push_back({{"subject", word.subject}, {"word", word.word}, {"meaning", word.doc}});
  }
  return table;
}

Table PassTable() {
  Table table = Json::array();
  for (const PassInfo& pass : Passes()) {
    table.push_back({{"name", pass.name}, {"meaning", pass.doc}});
  }
  return table;
}

Table Verbs() {
  Table table = Json::array();
  for (const VerbInfo& verb : AllVerbs()) {
    table.push_back({{"name", verb.name}, {"arguments", verb.arguments}, {"meaning", verb.doc}});
  }
  return table;
}

Table Flags() {
  Table table = Json::array();
  for (const FlagInfo& flag : AllFlags()) {
    table.push_back({{"flag", flag.flag},
                     {"type", flag.type},
                     {"default", flag.dflt},
                     {"verbs", absl::StrJoin(VerbsOf(flag), " ")},
                     {"meaning", flag.doc}});
  }
  return table;
}

struct Listing {
  const char* name;
  const char* doc;
  Table (*make)();
};
constexpr Listing kListings[] = {
    {"ops", "operations of the language", Ops},
    {"args", "kinds of argument", Args},
    {"impls", "implementations", Impls},
    {"switches", "optimisations that can be turned off", Switches},
    {"relations", "how two states must agree, field by field", Relations},
    {"choices", "points where the kernel may decide either way", Choices},
    {"worlds", "geometry: fields and presets", Worlds},
    {"fragments", "shapes that generation builds in", Fragments},
    {"expectations", "words of '?' lines", ExpectationTable},
    {"passes", "passes of the reducer", PassTable},
    {"verbs", "verbs of this program", Verbs},
    {"flags", "flags of the verbs", Flags},
    {"commands", "verbs and flags as a page of the documentation", Verbs},
};

std::string Cell(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void Print(const Table& table) {
  if (table.empty()) return;
  std::vector<size_t> widths;
  for (const auto& [key, value] : table[0].items()) widths.push_back(key.size());
  for (const Json& row : table) {
    size_t i = 0;
    for (const auto& [key, value] : row.items())
      widths[i] = std::max(widths[i], Cell(value).size()), ++i;
  }
  const auto print_row = [&widths](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      const bool last = i + 1 == cells.size();
      absl::StrAppend(&line, cells[i],
                      last ? "" : std::string(widths[i] - cells[i].size() + 2, ' '));
    }
    std::puts(line.c_str());
  };
  std::vector<std::string> header;
  for (const auto& [key, value] : table[0].items()) header.push_back(key);
  print_row(header);
  for (const Json& row : table) {
    std::vector<std::string> cells;
    for (const auto& [key, value] : row.items()) cells.push_back(Cell(value));
    print_row(cells);
  }
}

}  // namespace

absl::StatusOr<Exit> Verb_list(const Options& options) {
  if (!options.words.empty() && options.words[0] == "commands" && !options.flag_json) {
    std::fputs(CommandsMarkdown().c_str(), stdout);
    return Exit::kOk;
  }
  Table all = Json::array();
  for (const Listing& listing : kListings) {
    all.push_back({{"name", listing.name}, {"meaning", listing.doc}});
  }
  if (options.words.empty()) {
    if (options.flag_json) {
      std::puts(Json{{"tables", all}}.dump(2).c_str());
    } else {
      Print(all);
    }
    return Exit::kOk;
  }
  for (const Listing& listing : kListings) {
    if (options.words[0] != listing.name) continue;
    Table table = listing.make();
    if (options.words[0] == "relations" && !options.flag_impl.empty() &&
        options.flag_impl != "reference,model") {
      absl::StatusOr<Table> seen = SeenRelations(options.flag_impl);
      if (!seen.ok()) return seen.status();
      table = *std::move(seen);
    }
    if (options.flag_json) {
      std::puts(Json{{listing.name, table}}.dump(2).c_str());
    } else {
      Print(table);
    }
    return Exit::kOk;
  }
  std::vector<std::string> names;
  for (const Listing& listing : kListings) names.emplace_back(listing.name);
  return absl::InvalidArgumentError(absl::StrCat("there is no table '", options.words[0],
                                                 "'; there are ", absl::StrJoin(names, ", ")));
}

}  // namespace mmdiff
