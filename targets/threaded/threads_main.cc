// mmdiff-threads: runs generated programs with several threads on one model; see stress.h.
//
// Exit codes: 0 nothing found; 1 an invariant is broken, the model's own assertion failed, a lock
// is missing (built with ThreadSanitizer) or a program does not end; 2 usage; 3 fault of the
// harness.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "CLI/CLI.hpp"
#include "targets/threaded/stress.h"

#if defined(__SANITIZE_THREAD__)
#define MMDIFF_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MMDIFF_TSAN 1
#endif
#endif

#ifdef MMDIFF_TSAN
// The first race ends the program with the exit code of a finding.
extern "C" const char* __tsan_default_options() {
  return "halt_on_error=1:exitcode=1:history_size=4";
}
extern "C" void __sanitizer_set_death_callback(void (*callback)());
#endif

namespace mmdiff {
namespace {

constexpr uint64_t kNoSeed = UINT64_MAX;
constexpr unsigned kHangSeconds = 120;  // one program takes milliseconds, a few seconds under TSan
volatile uint64_t running_seed = kNoSeed;
const char* how = "";  // the options that lead to the same program again

// Names the program; async-signal-safe.
void SayWhere() {
  if (running_seed == kNoSeed) return;
  char digits[24];
  size_t at = sizeof digits;
  for (uint64_t seed = running_seed; at == sizeof digits || seed != 0; seed /= 10) {
    digits[--at] = static_cast<char>('0' + seed % 10);
  }
  const auto say = [](const char* text, size_t size) {
    if (write(STDERR_FILENO, text, size) < 0) _exit(3);
  };
  say("mmdiff-threads: again with: --programs 1 --seed ", 48);
  say(digits + at, sizeof digits - at);
  say(how, std::char_traits<char>::length(how));
  say("\n", 1);
}

void OnSignal(int signal) {
  if (signal == SIGALRM) {
    constexpr char kText[] = "mmdiff-threads: a program does not end\n";
    if (write(STDERR_FILENO, kText, sizeof kText - 1) < 0) _exit(3);
  }
  SayWhere();
  _exit(1);
}

void Print(const StressTotals& totals, bool json) {
  const double share = totals.operations == 0 ? 0
                                              : static_cast<double>(totals.effective) /
                                                    static_cast<double>(totals.operations);
  const double rate =
      totals.seconds > 0 ? static_cast<double>(totals.operations) / totals.seconds : 0;
  std::printf(json ? "{\"programs\": %llu, \"operations\": %llu, \"operations_per_s\": %.0f, "
                     "\"effective_share\": %.3f, \"seconds\": %.1f, \"trace\": \"%016llx\", "
                     "\"findings\": %d}\n"
                   : "programs %llu, operations %llu (%.0f/s, %.3f with effect), %.1f s, trace "
                     "%016llx, findings %d\n",
              static_cast<unsigned long long>(totals.programs),
              static_cast<unsigned long long>(totals.operations), rate, share, totals.seconds,
              static_cast<unsigned long long>(totals.trace), totals.broken.empty() ? 0 : 1);
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  StressOptions options;
  bool json = false;
  std::string sharing = "both";
  CLI::App app(
      "Runs programs with several threads on one model and checks its counts when all are done.");
  app.add_option("--seed", options.seed, "seed of the first program")->capture_default_str();
  app.add_option("--threads", options.threads, "threads")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  app.add_option("--programs", options.programs, "programs to run; 0: no limit")
      ->capture_default_str();
  app.add_option("--time", options.seconds, "seconds to run; 0: no limit")->capture_default_str();
  app.add_option("--ops", options.ops, "operations of a program, of all threads together")
      ->capture_default_str();
  app.add_option("--sharing", sharing,
                 "what the threads share: shared (processes), disjoint (the machine), both")
      ->capture_default_str()
      ->check(CLI::IsMember({"shared", "disjoint", "both"}));
  app.add_option("--switches", options.spec, "switches of the model, e.g. -batch_zap,-gup_fast");
  app.add_flag("--interleave", options.interleave,
               "one thread at a time, drawn by the seed: repeatable");
  app.add_flag("--json", json, "the summary as one JSON object");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  options.sharing = sharing == "shared"     ? Sharing::kShared
                    : sharing == "disjoint" ? Sharing::kDisjoint
                                            : Sharing::kBoth;
  static std::string again;
  again = " --threads " + std::to_string(options.threads) + " --ops " +
          std::to_string(options.ops) + " --sharing " + sharing +
          (options.interleave ? " --interleave" : "") +
          (options.spec.empty() ? "" : " --switches=" + options.spec);
  how = again.c_str();
#ifdef MMDIFF_TSAN
  __sanitizer_set_death_callback(&SayWhere);
#endif
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGALRM})
    std::signal(signal, &OnSignal);

  StressTotals totals;
  std::string error;
  double told = 0;
  const auto before = [](uint64_t seed) {
    running_seed = seed;
    alarm(kHangSeconds);
  };
  const auto after = [&](const StressTotals& so_far) {
    if (json || so_far.seconds < told + 2) return;
    told = so_far.seconds;
    Print(so_far, false);
  };
  if (!RunStress(options, before, after, &totals, &error)) {
    std::fprintf(stderr, "mmdiff-threads: %s\n", error.c_str());
    return 2;
  }
  alarm(0);
  Print(totals, json);
  if (totals.broken.empty()) return 0;
  std::fprintf(stderr, "mmdiff-threads: broken: %s\n", totals.broken.c_str());
  SayWhere();
  return 1;
}

}  // namespace
}  // namespace mmdiff

int main(int argc, char** argv) {
  try {
    return mmdiff::Main(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "mmdiff-threads: %s\n", e.what());
    return 3;
  }
}
