// doctor: what this machine has and lacks for each verb, and how to get it. It changes nothing.
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/checks.h"
#include "cli/child_program.h"
#include "cli/program_files.h"
#include "cli/temporary_directory.h"
#include "cli/verb.h"
#include "harness/project_path.h"

namespace mmdiff {
namespace {

// The first line of a small file, or nothing.
std::string FirstLine(const std::string& path) {
  absl::StatusOr<std::string> text = ReadText(path);
  return text.ok() ? std::string(absl::StripAsciiWhitespace(text->substr(0, text->find('\n'))))
                   : "";
}

// Builds and runs a small program with these flags.
Check CheckSanitizer(const std::string& directory, const char* name, const std::string& flags,
                     const std::string& source, const std::string& remedy) {
  Check check{absl::StrCat("clang++-14 ", flags), Check::State::kMissing, "", remedy};
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
  check.state = Check::State::kOk;
  check.found = "builds and runs";
  return check;
}

void CheckSanitizers(std::vector<Check>* checks) {
  absl::StatusOr<TemporaryDirectory> directory = TemporaryDirectory::Make();
  if (!directory.ok()) {
    checks->push_back({"temporary directory", Check::State::kMissing,
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
                       bits <= 28 ? Check::State::kOk : Check::State::kWarning, rnd,
                       "sysctl vm.mmap_rnd_bits=28"});
  }
  const std::string core = FirstLine("/proc/sys/kernel/core_pattern");
  checks->push_back(
      {"kernel.core_pattern (AFL++ wants no pipe)",
       core.empty() || core[0] != '|' ? Check::State::kOk : Check::State::kWarning, core,
       "sysctl kernel.core_pattern=core, or set AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1"});
  const std::string governor = FirstLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  if (!governor.empty()) {
    checks->push_back({"CPU frequency governor (for measuring)",
                       governor == "performance" ? Check::State::kOk : Check::State::kWarning,
                       governor, "cpupower frequency-set -g performance"});
  }
}

void CheckMachine(std::vector<Check>* checks) {
  const unsigned cores = std::thread::hardware_concurrency();
  checks->push_back({"cores", cores >= 2 ? Check::State::kOk : Check::State::kWarning,
                     absl::StrCat(cores), "fuzzing uses all cores; two or more are better"});
  const auto memory = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                          static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) >>
                      20;
  checks->push_back({"memory (building needs 2 GiB)",
                     memory >= 2000 ? Check::State::kOk : Check::State::kWarning,
                     absl::StrCat(memory, " MiB"), "build with MMDIFF_BUILD_JOBS=1"});
  const std::string build = BuildDirectory().empty() ? "." : BuildDirectory();
  checks->push_back(CheckSpace("free disk space (building needs 2 GiB)", build, 2048,
                               "set MMDIFF_BUILD_DIR to another place"));
}

}  // namespace

absl::StatusOr<Exit> Verb_doctor(const Options& options) {
  std::vector<Check> checks;
  CheckPackages({}, &checks);
  CheckSanitizers(&checks);
  CheckKernel(&checks);
  CheckMachine(&checks);
  return PrintChecks(checks, options.flag_json,
                     "./mmdiff installs what a verb needs, as root or with sudo");
}

}  // namespace mmdiff
