#include "model/model.h"

#include "model/syscalls.h"

MMDIFF_MODEL_BEGIN

namespace {

struct SwitchEntry {
  const char* name;
  bool Switches::*value;
  const char* doc;
};
constexpr SwitchEntry kSwitches[] = {
#define MMDIFF_SWITCH(name, dflt, doc) {#name, &Switches::name, doc},
#include "model/switches.def"
};

// Applies one "-name" or "+name"; false if there is no such switch.
bool Apply(std::string_view word, Switches* switches) {
  if (word.size() < 2 || (word[0] != '-' && word[0] != '+')) return false;
  for (const SwitchEntry& entry : kSwitches) {
    if (word.substr(1) != entry.name) continue;
    switches->*entry.value = word[0] == '+';
    return true;
  }
  return false;
}

}  // namespace

Model::Model(ImplInfo info, const Switches& switches) : info_(std::move(info)) { k_.on = switches; }

std::vector<CostItem> Model::Costs() const {
  std::vector<CostItem> items;
#define MMDIFF_COST_ITEM(name, doc) items.push_back({#name, k_.cost.name.get()});
#include "model/cost.def"
  return items;
}

std::unique_ptr<Implementation> MakeModel(std::string_view spec, std::string* error) {
  Switches switches;
  ImplInfo info;
  info.name = spec.empty() ? "model" : "model:" + std::string(spec);
  while (!spec.empty()) {
    const size_t comma = spec.find(',');
    const std::string_view word = spec.substr(0, comma);
    spec = comma == std::string_view::npos ? std::string_view() : spec.substr(comma + 1);
    if (Apply(word, &switches)) continue;
    *error =
        "unknown switch of model: '" + std::string(word) + "'; write -name or +name, known names:";
    for (const SwitchEntry& entry : kSwitches) *error += std::string(" ") + entry.name;
    return nullptr;
  }
  for (const SwitchEntry& entry : kSwitches)
    info.switches.push_back({entry.name, switches.*entry.value, entry.doc});
  return std::make_unique<Model>(std::move(info), switches);
}

MMDIFF_MODEL_END
