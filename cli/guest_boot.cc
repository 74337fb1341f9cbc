#include "cli/guest_boot.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/guest_images.h"
#include "cli/stage_line.h"
#include "harness/registry.h"
#include "kernel/guest/guest.h"
#include "kernel/linux.h"
#include "kernel/worker.h"
#include "nlohmann/json.hpp"
#include "program/text.h"
#include "program/world_demands.h"

namespace mmdiff {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The image that a guest is of, fetched if it is the default one and not there.
absl::StatusOr<Guest> FindOrFetch(const std::string& which) {
  absl::StatusOr<Guest> guest = FindGuest(which);
  const char* variable = std::getenv("MMDIFF_NO_BUILD");
  const bool no_build = variable != nullptr && std::string(variable) == "1";
  if (guest.ok() || !absl::IsNotFound(guest.status()) || !which.empty() || no_build) return guest;
  absl::StatusOr<GuestImage> image = FetchGuestImage("default");
  if (!image.ok()) return image.status();
  return FindGuest(which);
}

// How long the parts of a boot took, in seconds; what init tells on the console, and the rest.
struct Split {
  double total = 0, firmware = 0, kernel = 0, init = 0;
};
Split SplitOf(double total, const std::string& console) {
  Split split{total, total, 0, 0};
  unsigned kernel = 0, init = 0;
  const size_t at = console.find("mmdiff boot: ");
  if (at == std::string::npos) return split;
  if (std::sscanf(console.c_str() + at, "mmdiff boot: kernel %u ms, init %u ms", &kernel, &init) !=
      2) {
    return split;
  }
  split.kernel = kernel / 1000.0;
  split.init = init / 1000.0;
  split.firmware = total - split.kernel - split.init;
  return split;
}

// Something that every kernel can do: what it answers shows that all of the way works.
struct Trial {
  Program program;
  WorkerRun run;
  double seconds = 0;
};
absl::StatusOr<Trial> Try(const Guest& guest, Worker* worker) {
  absl::StatusOr<Program> program =
      ParseText("# mmdiff 1\nworld\nm0 = mm\nmap m0 0x10 4 rw\nwrite m0 0x10 4\n", {});
  if (program.ok()) program = CarryToDemands(*program, GuestDemands(guest));
  if (!program.ok()) return program.status();
  Trial trial;
  trial.program = *std::move(program);
  const Clock::time_point start = Clock::now();
  trial.run =
      worker->Run(trial.program.world, trial.program.ops, MMDIFF_WIRE_IDLE, MMDIFF_WIRE_INVARIANTS);
  trial.seconds = SecondsSince(start);
  return trial;
}

// What became of each operation: "ok 4", "error 12", "unsupported".
std::vector<std::string> Answers(const Trial& trial, const mmdiff_wire& wire) {
  std::vector<std::string> answers;
  for (uint32_t i = 0; i < trial.run.answered; ++i) {
    const mmdiff_wire_result& r = wire.results[i];
    answers.push_back(r.unsupported != 0 ? "unsupported"
                      : r.err != 0       ? absl::StrCat("error ", r.err)
                                         : absl::StrCat("ok ", r.value));
  }
  return answers;
}

void Print(const Guest& guest, const Worker& worker, const Split& split, const Trial& trial,
           double prepared) {
  std::printf("Linux %s (%s)\n", worker.release().c_str(), guest.image.vmlinuz.c_str());
  std::printf("  offers      %s\n", worker.features().c_str());
  std::printf("  processors  %u, on 2 nodes\n", guest.cpus);
  std::printf("  prepared    in %.2f s\n", prepared);
  std::printf("  booted      in %.2f s: firmware and unpacking %.2f, kernel %.2f, init %.2f\n",
              split.total, split.firmware, split.kernel, split.init);
  std::printf("  a program   in %.1f ms:", trial.seconds * 1000);
  const std::vector<std::string> answers = Answers(trial, worker.wire());
  for (size_t i = 0; i < answers.size(); ++i) {
    std::printf("%s %s", i == 0 ? "" : ",", answers[i].c_str());
  }
  if (trial.run.end != WorkerEnd::kOk) {
    std::printf("; then %s\n%s", trial.run.text.c_str(), trial.run.console.c_str());
  }
  std::printf("\n");
}

}  // namespace

absl::StatusOr<Exit> BootGuest(const Options& options) {
  const std::string which = options.words.size() > 1 ? options.words[1] : "";
  absl::StatusOr<Guest> guest = FindOrFetch(which);
  if (!guest.ok()) return guest.status();
  StageLine line(stderr);
  const Clock::time_point start = Clock::now();
  line.Update(absl::StrCat("compiling for Linux ", guest->image.release), "");
  absl::StatusOr<WorkerOptions> prepared = PrepareGuest(*guest);
  if (!prepared.ok()) return prepared.status();
  const double preparing = SecondsSince(start);
  line.Update(absl::StrCat("booting Linux ", guest->image.release), "");
  const Clock::time_point switched_on = Clock::now();
  absl::StatusOr<std::unique_ptr<Worker>> worker = Worker::Start(*prepared);
  if (!worker.ok()) return worker.status();
  const Split split = SplitOf(SecondsSince(switched_on), (*worker)->BootWords());
  absl::StatusOr<Trial> trial = Try(*guest, worker->get());
  if (!trial.ok()) return trial.status();
  line.Finish();
  const Exit exit = trial->run.end == WorkerEnd::kOk ? Exit::kOk : Exit::kDivergence;
  if (!options.flag_json) {
    Print(*guest, **worker, split, *trial, preparing);
    return exit;
  }
  Json json = {{"release", (*worker)->release()},
               {"vmlinuz", guest->image.vmlinuz},
               {"features", (*worker)->features()},
               {"cpus", guest->cpus},
               {"prepare_seconds", preparing},
               {"boot_seconds", split.total},
               {"firmware_seconds", split.firmware},
               {"kernel_seconds", split.kernel},
               {"init_seconds", split.init},
               {"program_seconds", trial->seconds},
               {"program_answers", Answers(*trial, (*worker)->wire())}};
  if (exit != Exit::kOk) {
    json["program_end"] = trial->run.text;
    json["console"] = trial->run.console;
  }
  std::puts(json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  return exit;
}

absl::Status PrepareGuests(const std::string& specs) {
  absl::StatusOr<std::vector<std::string>> split = SplitSpecs(specs);
  if (!split.ok()) return absl::OkStatus();  // whoever makes the implementations says why
  for (const std::string& spec : *split) {
    if (spec != "guest" && !absl::StartsWith(spec, "guest:") && !absl::StartsWith(spec, "guest,")) {
      continue;
    }
    absl::StatusOr<Guest> guest = FindOrFetch(spec.size() > 6 ? spec.substr(6) : "");
    if (absl::IsNotFound(guest.status()) || absl::IsInvalidArgument(guest.status())) continue;
    if (!guest.ok()) return guest.status();
    StageLine line(stderr);
    if (!GuestIsPrepared(*guest)) {
      line.Update(absl::StrCat("compiling for Linux ", guest->image.release), "");
    }
    if (absl::Status s = PrepareGuest(*guest).status(); !s.ok()) return s;
  }
  return absl::OkStatus();
}

}  // namespace mmdiff
