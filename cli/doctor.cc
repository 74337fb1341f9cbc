// doctor: what this machine has and lacks for each verb, and how to get it. It changes nothing.
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/child_program.h"
#include "cli/program_files.h"
#include "cli/temporary_directory.h"
#include "cli/verb.h"
#include "nlohmann/json.hpp"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;

enum class State { kOk, kWarning, kMissing };
const char* StateName(State state) {
  return state == State::kOk ? "ok" : state == State::kWarning ? "warning" : "missing";
}

struct Check {
  std::string name;
  State state = State::kOk;
  std::string found;
  std::string remedy;
};

bool OnPath(const std::string& command) {
  const char* path = std::getenv("PATH");
  for (absl::string_view directory :
       absl::StrSplit(path != nullptr ? path : "/usr/bin:/bin", ':')) {
    if (access(absl::StrCat(directory, "/", command).c_str(), X_OK) == 0) return true;
  }
  return false;
}

// The first line of a small file, or nothing.
std::string FirstLine(const std::string& path) {
  absl::StatusOr<std::string> text = ReadText(path);
  return text.ok() ? std::string(absl::StripAsciiWhitespace(text->substr(0, text->find('\n'))))
                   : "";
}

void CheckPackages(std::vector<Check>* checks) {
  absl::StatusOr<std::string> list =
      ReadText(ProjectPath("ci/packages.txt").empty() ? ProjectPath("packages.txt")
                                                      : ProjectPath("ci/packages.txt"));
  if (!list.ok()) {
    checks->push_back({"list of packages", State::kWarning, "not found", "run in the source tree"});
    return;
  }
  for (absl::string_view line : absl::StrSplit(*list, '\n')) {
    std::vector<std::string> fields =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipWhitespace());
    if (fields.size() < 4 || fields[0][0] == '#') continue;
    const std::string& sign = fields[2];
    const bool there = sign[0] == '/' ? access(sign.c_str(), F_OK) == 0 : OnPath(sign);
    const std::vector<std::string> meaning(fields.begin() + 3, fields.end());
    std::string text;
    for (const std::string& word : meaning) absl::StrAppend(&text, text.empty() ? "" : " ", word);
    checks->push_back({absl::StrCat(fields[1], " (", fields[0], ": ", text, ")"),
                       there ? State::kOk : State::kMissing, there ? sign : "",
                       absl::StrCat("apt-get install -y --no-install-recommends ", fields[1])});
  }
}

// Builds and runs a small program with these flags.
Check CheckSanitizer(const std::string& directory, const char* name, const std::string& flags,
                     const std::string& source, const std::string& remedy) {
  Check check{absl::StrCat("clang++-14 ", flags), State::kMissing, "", remedy};
  const std::string stem = absl::StrCat(directory, "/", name);
  if (!WriteText(stem + ".cc", source).ok()) return check;
  absl::StatusOr<ChildProgram::Finished> built =
      ChildProgram::Run({{"clang++-14", "-O1", flags, stem + ".cc", "-o", stem}, {}, true});
  if (!built.ok() || !built->ok()) {
    check.found = built.ok() ? "does not build" : "no clang++-14";
    return check;
  }
  absl::StatusOr<ChildProgram::Finished> ran = ChildProgram::Run({{stem, "-runs=1"}, {}, true});
  if (!ran.ok() || !ran->ok()) {
    check.found = "builds, does not run";
    return check;
  }
  check.state = State::kOk;
  check.found = "builds and runs";
  return check;
}

void CheckSanitizers(std::vector<Check>* checks) {
  absl::StatusOr<TemporaryDirectory> directory = TemporaryDirectory::Make();
  if (!directory.ok()) {
    checks->push_back({"temporary directory", State::kMissing,
                       std::string(directory.status().message()),
                       "set TMPDIR to a directory that can be written"});
    return;
  }
  const std::string install =
      "apt-get install -y --no-install-recommends clang-14 libclang-rt-14-dev";
  const std::string aslr = install + "; if it builds but does not run: sysctl vm.mmap_rnd_bits=28";
  const std::string main = "int main(int argc, char**) { return argc == 7; }\n";
  for (const char* kind : {"address", "undefined", "thread"}) {
    checks->push_back(
        CheckSanitizer(directory->path(), kind, absl::StrCat("-fsanitize=", kind), main, aslr));
  }
  checks->push_back(CheckSanitizer(directory->path(), "fuzzer", "-fsanitize=fuzzer",
                                   "extern \"C\" int LLVMFuzzerTestOneInput(const unsigned char*, "
                                   "unsigned long) { return 0; }\n",
                                   install));
}

void CheckKernel(std::vector<Check>* checks) {
  uint64_t bits = 0;
  const std::string rnd = FirstLine("/proc/sys/vm/mmap_rnd_bits");
  if (absl::SimpleAtoi(rnd, &bits)) {
    checks->push_back({"vm.mmap_rnd_bits (sanitizers of clang 14 need 28 or less)",
                       bits <= 28 ? State::kOk : State::kWarning, rnd,
                       "sysctl vm.mmap_rnd_bits=28"});
  }
  const std::string core = FirstLine("/proc/sys/kernel/core_pattern");
  checks->push_back(
      {"kernel.core_pattern (AFL++ wants no pipe)",
       core.empty() || core[0] != '|' ? State::kOk : State::kWarning, core,
       "sysctl kernel.core_pattern=core, or set AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1"});
  const std::string governor = FirstLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  if (!governor.empty()) {
    checks->push_back({"CPU frequency governor (for measuring)",
                       governor == "performance" ? State::kOk : State::kWarning, governor,
                       "cpupower frequency-set -g performance"});
  }
}

void CheckMachine(std::vector<Check>* checks) {
  const unsigned cores = std::thread::hardware_concurrency();
  checks->push_back({"cores", cores >= 2 ? State::kOk : State::kWarning, absl::StrCat(cores),
                     "fuzzing uses all cores; two or more are better"});
  const auto memory = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                          static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) >>
                      20;
  checks->push_back({"memory (building needs 2 GiB)", memory >= 2000 ? State::kOk : State::kWarning,
                     absl::StrCat(memory, " MiB"), "build with MMDIFF_BUILD_JOBS=1"});
  const std::string build = BuildDirectory().empty() ? "." : BuildDirectory();
  struct statvfs fs_stat = {};
  if (statvfs(build.c_str(), &fs_stat) == 0) {
    const uint64_t free_mib = static_cast<uint64_t>(fs_stat.f_bavail) * fs_stat.f_frsize >> 20;
    checks->push_back({"free disk space (building needs 2 GiB)",
                       free_mib >= 2048 ? State::kOk : State::kWarning,
                       absl::StrCat(free_mib, " MiB"), "set MMDIFF_BUILD_DIR to another place"});
  }
}

}  // namespace

absl::StatusOr<Exit> Verb_doctor(const Options& options) {
  std::vector<Check> checks;
  CheckPackages(&checks);
  CheckSanitizers(&checks);
  CheckKernel(&checks);
  CheckMachine(&checks);
  size_t missing = 0;
  nlohmann::ordered_json json;
  json["checks"] = nlohmann::ordered_json::array();
  for (const Check& check : checks) {
    missing += check.state == State::kMissing ? 1 : 0;
    nlohmann::ordered_json row = {
        {"check", check.name}, {"state", StateName(check.state)}, {"found", check.found}};
    if (check.state != State::kOk) row["remedy"] = check.remedy;
    json["checks"].push_back(row);
    if (options.flag_json) continue;
    std::printf("%-8s %s%s%s\n", StateName(check.state), check.name.c_str(),
                check.found.empty() ? "" : ": ", check.found.c_str());
    if (check.state != State::kOk) std::printf("         remedy: %s\n", check.remedy.c_str());
  }
  json["missing"] = missing;
  if (options.flag_json) {
    std::puts(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else if (missing == 0) {
    std::puts("nothing is missing");
  } else {
    std::printf("%zu missing; ./mmdiff installs what a verb needs, as root or with sudo\n",
                missing);
  }
  return missing == 0 ? Exit::kOk : Exit::kFault;
}

}  // namespace mmdiff
