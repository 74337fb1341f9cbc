#include "cli/repro_in_guest.h"

#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/program_files.h"
#include "cli/temporary_directory.h"
#include "harness/registry.h"
#include "harness/repro_check.h"
#include "kernel/guest/first_program.h"
#include "kernel/guest/guest.h"
#include "nlohmann/json.hpp"
#include "program/text.h"

namespace mmdiff {
namespace {

using Json = nlohmann::ordered_json;

absl::StatusOr<Guest> GuestOf(const std::string& spec) {
  if (spec == "guest") return FindGuest("");
  if (!spec.starts_with("guest:")) {
    return absl::InvalidArgumentError(
        absl::StrCat("--in ", spec, " is no guest: write guest or guest:6.18"));
  }
  return FindGuest(spec.substr(6));
}

// What the reference says to the program, as far as it ran on --impl; all of it, from the reference
// alone, of a program that kills the others.
absl::StatusOr<std::vector<OpResult>> ExpectedAnswers(const Program& program,
                                                      const Observed& observed) {
  AnswerRecorder recorder;
  RunOptions run = RunOptions::Thorough();
  run.confirm = false;
  run.observer = &recorder;
  RunResult result;
  if (SafeInProcess(observed.outcome)) {
    observed.lockstep->Run(program, run, &result);
    return recorder.answers();
  }
  absl::StatusOr<Contestants> reference = MakeAll("reference");
  if (!reference.ok()) return reference.status();
  Lockstep(*std::move(reference)).Run(program, run, &result);
  return recorder.answers();
}

std::string Verdict(const Program& program, const FirstProgramEnd& end, const ReproComparison& c,
                    const std::string& release) {
  std::string text;
  for (const ReproDifference& d : c.differences) {
    absl::StrAppend(&text, "operation ", d.op_index, " ", PrintOpAt(program, d.op_index),
                    ": expected ", d.expected, ", Linux ", release, " says ", d.printed, "\n");
  }
  if (!end.ended) absl::StrAppend(&text, "the program did not come to its end: ", end.how, "\n");
  if (c.left_out != 0) {
    absl::StrAppend(&text, c.left_out, " operations have no system call and were left out\n");
  }
  absl::StrAppend(&text, c.compared, " answers of Linux ", release,
                  " compared: ", c.compared - c.differences.size(), " as expected, ",
                  c.differences.size(), " not\n");
  return text;
}

}  // namespace

absl::StatusOr<Exit> RunReproInGuest(const Program& program, const std::string& c,
                                     const Observed& observed, const Options& options) {
  absl::StatusOr<Guest> guest = GuestOf(options.flag_in);
  if (!guest.ok()) return guest.status();
  absl::StatusOr<std::vector<OpResult>> expected = ExpectedAnswers(program, observed);
  if (!expected.ok()) return expected.status();
  absl::StatusOr<TemporaryDirectory> scratch = TemporaryDirectory::Make();
  if (!scratch.ok()) return scratch.status();
  absl::StatusOr<FirstProgramEnd> end = RunFirstProgram(
      *guest, {.source = c, .orders = program.world.orders, .scratch = scratch->path()});
  if (!end.ok()) return end.status();
  const ReproComparison comparison = CompareRepro(program, *expected, end->output);
  const Exit exit = end->ended && comparison.differences.empty() ? Exit::kOk : Exit::kDivergence;
  if (!options.flag_output.empty()) {
    if (absl::Status s = WriteText(options.flag_output, c); !s.ok()) return s;
  }
  if (!options.flag_json) {
    std::printf("%s\n", std::string(absl::StripTrailingAsciiWhitespace(end->output)).c_str());
    if (!end->ended) std::fputs(end->console.c_str(), stdout);
    std::fputs(Verdict(program, *end, comparison, guest->image.release).c_str(), stdout);
    return exit;
  }
  Json json = {{"release", guest->image.release}, {"ended", end->how},
               {"compared", comparison.compared}, {"missing", comparison.missing},
               {"left_out", comparison.left_out}, {"differences", Json::array()}};
  for (const ReproDifference& d : comparison.differences) {
    json["differences"].push_back({{"op_index", d.op_index},
                                   {"op", PrintOpAt(program, d.op_index)},
                                   {"expected", d.expected},
                                   {"printed", d.printed}});
  }
  json["output"] = end->output;
  if (!end->ended) json["console"] = end->console;
  std::puts(json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  return exit;
}

}  // namespace mmdiff
