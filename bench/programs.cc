#include "bench/programs.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "harness/registry.h"
#include "program/generate.h"
#include "program/text.h"

namespace mmdiff {
namespace {

[[noreturn]] void Die(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::exit(3);
}

}  // namespace

std::vector<Program> GeneratedPrograms(size_t count, size_t ops, uint64_t seed) {
  GenerateOptions options;
  options.ops = ops;
  std::vector<Program> programs;
  for (size_t i = 0; i < count; ++i) programs.push_back(Generate(seed + i, options));
  return programs;
}

std::vector<Program> StoredPrograms(const std::string& directory) {
  namespace fs = std::filesystem;
  std::vector<fs::path> paths;
  if (fs::is_directory(directory)) {
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
      if (entry.path().extension() == ".mmdiff") paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Program> programs;
  for (const fs::path& path : paths) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    auto program = ParseText(text.str(), {.file_name = path.string()});
    if (!program.ok()) Die(std::string(program.status().message()));
    programs.push_back(*std::move(program));
  }
  return programs;
}

size_t OpsOf(const std::vector<Program>& programs) {
  size_t ops = 0;
  for (const Program& program : programs) ops += program.ops.size();
  return ops;
}

std::unique_ptr<Lockstep> NewLockstep(const std::string& specs) {
  auto contestants = MakeAll(specs);
  if (!contestants.ok()) Die(std::string(contestants.status().message()));
  return std::make_unique<Lockstep>(*std::move(contestants));
}

std::string PlainModelSpec() {
  auto model = MakeImplementation("model");
  if (!model.ok()) Die(std::string(model.status().message()));
  std::string spec = "model";
  for (const SwitchInfo& s : (*model)->info().switches) {
    absl::StrAppend(&spec, spec == "model" ? ":-" : ",-", s.name);
  }
  return spec;
}

}  // namespace mmdiff
