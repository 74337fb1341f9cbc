#include "cli/checks.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/program_files.h"
#include "harness/project_path.h"
#include "nlohmann/json.hpp"

namespace mmdiff {
namespace {

const char* StateName(Check::State state) {
  switch (state) {
    case Check::State::kOk:
      return "ok";
    case Check::State::kWarning:
      return "warning";
    case Check::State::kMissing:
      break;
  }
  return "missing";
}

}  // namespace

bool OnPath(const std::string& command) {
  const char* path = std::getenv("PATH");
  for (absl::string_view directory :
       absl::StrSplit(path != nullptr ? path : "/usr/bin:/bin", ':')) {
    if (access(absl::StrCat(directory, "/", command).c_str(), X_OK) == 0) return true;
  }
  return false;
}

void CheckPackages(const std::vector<std::string>& groups, std::vector<Check>* checks) {
  absl::StatusOr<std::string> list =
      ReadText(ProjectPath("ci/packages.txt").empty() ? ProjectPath("packages.txt")
                                                      : ProjectPath("ci/packages.txt"));
  if (!list.ok()) {
    checks->push_back(
        {"list of packages", Check::State::kWarning, "not found", "run in the source tree"});
    return;
  }
  for (absl::string_view line : absl::StrSplit(*list, '\n')) {
    std::vector<std::string> fields =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipWhitespace());
    if (fields.size() < 4 || fields[0][0] == '#') continue;
    if (!groups.empty() && std::find(groups.begin(), groups.end(), fields[0]) == groups.end()) {
      continue;
    }
    const std::string& sign = fields[2];
    const bool there = sign[0] == '/' ? access(sign.c_str(), F_OK) == 0 : OnPath(sign);
    const std::string meaning = absl::StrJoin(fields.begin() + 3, fields.end(), " ");
    checks->push_back({absl::StrCat(fields[1], " (", fields[0], ": ", meaning, ")"),
                       there ? Check::State::kOk : Check::State::kMissing, there ? sign : "",
                       absl::StrCat("apt-get install -y --no-install-recommends ", fields[1])});
  }
}

Check CheckSpace(const std::string& name, const std::string& path, uint64_t mib,
                 const std::string& remedy) {
  std::filesystem::path there = path;
  std::error_code error;
  while (!std::filesystem::exists(there, error) && there.has_parent_path() &&
         there != there.parent_path()) {
    there = there.parent_path();
  }
  struct statvfs space = {};
  if (statvfs(there.c_str(), &space) != 0) {
    return {name, Check::State::kWarning, absl::StrCat("cannot be told for ", path), remedy};
  }
  const uint64_t free_mib = static_cast<uint64_t>(space.f_bavail) * space.f_frsize >> 20;
  return {name, free_mib >= mib ? Check::State::kOk : Check::State::kWarning,
          absl::StrCat(free_mib, " MiB"), remedy};
}

Exit PrintChecks(const std::vector<Check>& checks, bool json, const std::string& closing) {
  size_t missing = 0;
  nlohmann::ordered_json object;
  object["checks"] = nlohmann::ordered_json::array();
  for (const Check& check : checks) {
    const bool ok = check.state == Check::State::kOk;
    missing += check.state == Check::State::kMissing ? 1 : 0;
    nlohmann::ordered_json row = {
        {"check", check.name}, {"state", StateName(check.state)}, {"found", check.found}};
    if (!ok) row["remedy"] = check.remedy;
    object["checks"].push_back(row);
    if (json) continue;
    std::printf("%-8s %s%s%s\n", StateName(check.state), check.name.c_str(),
                check.found.empty() ? "" : ": ", check.found.c_str());
    if (!ok) std::printf("         remedy: %s\n", check.remedy.c_str());
  }
  object["missing"] = missing;
  if (json) {
    std::puts(object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else if (missing == 0) {
    std::puts("nothing is missing");
  } else {
    std::printf("%zu missing; %s\n", missing, closing.c_str());
  }
  return missing == 0 ? Exit::kOk : Exit::kFault;
}

}  // namespace mmdiff
