// gen: random programs, the same for the same seed everywhere.
#include <cstdio>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cli/program_files.h"
#include "cli/verb.h"
#include "cli/world_flag.h"
#include "nlohmann/json.hpp"
#include "program/fixup.h"
#include "program/fragments.h"
#include "program/generate.h"
#include "program/text.h"

namespace mmdiff {
namespace {

// A program of one fragment and the operations that it needs.
Program OneFragment(const Fragment& fragment, const World& world, uint64_t seed, size_t max_ops) {
  Random rnd(seed);
  Program program;
  program.world = world;
  ArgContext context(world);
  FragmentBuilder builder(&context, &rnd, &program.ops);
  fragment.emit(builder);
  Fixup(&program, max_ops);
  return program;
}

}  // namespace

absl::StatusOr<Exit> Verb_gen(const Options& options) {
  if (options.flag_count == 0 || options.flag_count > 1000000) {
    return absl::InvalidArgumentError("--count takes 1 to 1000000");
  }
  if (options.flag_ops == 0 || options.flag_ops > kMaxOps) {
    return absl::InvalidArgumentError(absl::StrCat("--ops takes 1 to ", kMaxOps));
  }
  absl::StatusOr<World> world = WorldFromFlag(options.flag_world);
  if (!world.ok()) return world.status();
  const Fragment* fragment = nullptr;
  if (!options.flag_fragment.empty()) {
    fragment = FindFragment(options.flag_fragment);
    if (fragment == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          "there is no fragment '", options.flag_fragment, "'; mmdiff list fragments prints all"));
    }
  }
  std::vector<Program> programs;
  size_t operations = 0;
  for (uint64_t i = 0; i < options.flag_count; ++i) {
    const uint64_t seed = options.flag_seed + i;
    if (fragment != nullptr) {
      programs.push_back(OneFragment(*fragment, *world, seed, kMaxOps));
    } else {
      GenerateOptions generate;
      generate.world = *world;
      generate.ops = options.flag_ops;
      programs.push_back(Generate(seed, generate));
    }
    operations += programs.back().ops.size();
  }
  if (options.flag_json) {
    nlohmann::ordered_json json;
    json["programs"] = programs.size();
    json["operations"] = operations;
    json["seed"] = options.flag_seed;
    if (options.flag_output.empty()) {
      json["texts"] = nlohmann::ordered_json::array();
      for (const Program& program : programs) json["texts"].push_back(PrintText(program));
    } else {
      json["output"] = options.flag_output;
      if (absl::Status s = WritePrograms(programs, options.flag_output, "gen"); !s.ok()) return s;
    }
    std::puts(json.dump(2).c_str());
    return Exit::kOk;
  }
  if (absl::Status s = WritePrograms(programs, options.flag_output, "gen"); !s.ok()) return s;
  return Exit::kOk;
}

}  // namespace mmdiff
