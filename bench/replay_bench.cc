// The time that replaying stored programs takes, from text files: read, parse, run in lockstep.
//
//   replay_bench [--jsonl=FILE] [--programs=1000] [--ops=32] [--repetitions=9]
//
// The files are generated programs written to a temporary directory. Wall time, medians.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/programs.h"
#include "bench/report.h"
#include "harness/lockstep.h"
#include "program/text.h"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;

double Milliseconds() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// A directory of its own below the temporary one; gone with its contents at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (fs::temp_directory_path() / "mmdiff-replay-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      std::fprintf(stderr,
                   "no directory can be made as %s: set TMPDIR to one that can be written\n",
                   name.c_str());
      std::exit(3);
    }
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// What there is to replay, and whether all of it agrees.
bool Replay(const fs::path& directory, Lockstep* lockstep, double* parse_ms, double* run_ms) {
  const double start = Milliseconds();
  const std::vector<Program> programs = StoredPrograms(directory.string());
  const double parsed = Milliseconds();
  RunResult result;
  bool ok = true;
  for (const Program& program : programs) {
    ok &= lockstep->Run(program, RunOptions::Thorough(), &result) == RunOutcome::ok;
  }
  *parse_ms = parsed - start;
  *run_ms = Milliseconds() - parsed;
  return ok;
}

int Main(int argc, char** argv) {
  const uint64_t count = TakeNumber(&argc, argv, "programs", 1000);
  const uint64_t ops = TakeNumber(&argc, argv, "ops", 32);
  const uint64_t repetitions = TakeNumber(&argc, argv, "repetitions", 9);
  Report report(TakeFlag(&argc, argv, "jsonl", ""));
  RefuseOtherFlags(argc, argv);
  TemporaryDirectory directory;
  const std::vector<Program> programs = GeneratedPrograms(count, ops);
  for (size_t i = 0; i < programs.size(); ++i) {
    std::ofstream(directory.path() / absl::StrFormat("%06d.mmdiff", i)) << PrintText(programs[i]);
  }
  const std::unique_ptr<Lockstep> lockstep = NewLockstep("reference,model");
  std::vector<double> all, parse, run;
  bool ok = true;
  for (uint64_t i = 0; i < repetitions; ++i) {
    double parse_ms = 0, run_ms = 0;
    ok &= Replay(directory.path(), lockstep.get(), &parse_ms, &run_ms);
    parse.push_back(parse_ms);
    run.push_back(run_ms);
    all.push_back(parse_ms + run_ms);
  }
  std::fprintf(stderr, "%zu programs of %zu operations: %.1f ms, of which %.1f to read and parse\n",
               programs.size(), static_cast<size_t>(ops), Median(all), Median(parse));
  report.Add({"replay/all", "ms", all, ""});
  report.Add({"replay/read_and_parse", "ms", parse, "replay/all"});
  report.Add({"replay/run_with_snapshots_every_operation", "ms", run, "replay/all"});
  if (!ok) std::fprintf(stderr, "a program does not agree: its time means nothing\n");
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace mmdiff

int main(int argc, char** argv) { return mmdiff::Main(argc, argv); }
