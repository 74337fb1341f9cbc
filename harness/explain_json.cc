// The report for tools.
#include <string>

#include "harness/explain.h"
#include "harness/handle_labels.h"
#include "nlohmann/json.hpp"
#include "program/errno.h"

namespace mmdiff {
namespace {

using Json = nlohmann::ordered_json;

std::string Hex(uint64_t value) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "0x";
  for (int shift = 60; shift >= 0; shift -= 4) out += kDigits[(value >> shift) & 15];
  return out;
}

Json ResultJson(const NamedResult& r) {
  return Json{{"implementation", r.name},
              {"error", ErrnoText(r.result.err)},
              {"value", r.result.value},
              {"data", Hex(r.result.data)},
              {"unsupported", r.result.unsupported}};
}

Json DivergenceJson(const Divergence& d) {
  Json out;
  out["relation"] = d.relation;
  out["implementations"] = {d.name_a, d.name_b};
  out["partition"] = d.partition;
  out["results"] = Json::array();
  for (const NamedResult& r : d.results) out["results"].push_back(ResultJson(r));
  out["fields"] = Json::array();
  for (const FieldDiff& f : d.compare.diffs) {
    out["fields"].push_back(
        Json{{"relation", f.name()}, {"where", f.where}, {"a", f.a}, {"b", f.b}});
  }
  out["more_fields"] = d.compare.more;
  if (d.repeats.of != 0) out["repeated"] = {{"same", d.repeats.same}, {"of", d.repeats.of}};
  if (!d.log.empty()) out["log"] = d.log;
  return out;
}

Json SliceJson(const std::vector<SliceStep>& slice) {
  Json out = Json::array();
  for (const SliceStep& s : slice) {
    out.push_back(Json{{"op_index", s.op_index},
                       {"op", s.op},
                       {"before", {s.before_a, s.before_b}},
                       {"after", {s.after_a, s.after_b}}});
  }
  return out;
}

}  // namespace

std::string ExplanationJson(const Explanation& e) {
  Json out;
  out["outcome"] = RunOutcomeName(e.outcome);
  out["signature"] = e.signature.text;
  out["hash"] = Hex(e.signature.hash);
  out["message"] = e.result.message;
  out["op_index"] = e.result.op_index;
  out["program"] = Json::array();
  HandleLabels labels;
  for (const Op& op : e.program.ops) out["program"].push_back(labels.Print(op));
  if (e.outcome == RunOutcome::divergence || e.outcome == RunOutcome::invariant) {
    out["object"] = e.object;
    out["divergence"] = DivergenceJson(e.result.divergence);
    out["slice"] = SliceJson(e.slice);
    out["choices"] = e.choices;
    out["switches"] = Json::array();
    for (const SwitchVerdict& v : e.switches) {
      out["switches"].push_back(Json{{"name", v.name},
                                     {"was_on", v.was_on},
                                     {"goes_away", v.goes_away},
                                     {"instead", v.instead}});
    }
    out["arguments"] = Json::array();
    for (const ArgumentVerdict& v : e.arguments) {
      out["arguments"].push_back(Json{{"op_index", v.op_index},
                                      {"name", v.name},
                                      {"value", v.value},
                                      {"matters", v.matters},
                                      {"same", v.same},
                                      {"different", v.different}});
    }
    out["complete"] = e.complete;
  }
  out["runs"] = e.runs;
  return out.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mmdiff
