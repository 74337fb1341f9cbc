#include "cli/campaign.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/program_files.h"
#include "cli/seeds.h"
#include "harness/demands.h"
#include "harness/isolate.h"
#include "harness/registry.h"
#include "nlohmann/json.hpp"
#include "program/text.h"
#include "targets/lockstep_target.h"

namespace mmdiff {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEngineFlags[] = {
    "-max_len=4096",
    "-len_control=0",
    "-reload=5",
    "-detect_leaks=0",
    "-print_pcs=0",
    "-report_slow_units=100000",
    "-rss_limit_mb=4096",
    // The energy of inputs by rare features costs three times what running a program does, and
    // counters of loops make a corpus of programs that differ only in lengths.
    "-entropic=0",
    "-use_counters=0",
    // Deaths and hangs are the supervisor's: libFuzzer's handlers would hide the signal.
    "-timeout=100000",
    "-handle_segv=0",
    "-handle_bus=0",
    "-handle_abrt=0",
    "-handle_ill=0",
    "-handle_fpe=0",
    "-handle_trap=0",
};
// What libFuzzer ends with when SIGTERM stops it.
constexpr int kInterrupted = 72;
// How long a worker may finish keeping a finding when the budget is spent, beyond its own budget
// for that.
constexpr double kKeepGrace = 10;
// A worker that dies so often in a row without having run a program cannot run at all.
constexpr int kMaxIdleDeaths = 4;

double MonotonicSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The number after `label` in a status line of libFuzzer, or `otherwise`.
uint64_t NumberAfter(const std::string& line, const char* label, uint64_t otherwise) {
  const size_t at = line.find(label);
  if (at == std::string::npos) return otherwise;
  return std::strtoull(line.c_str() + at + std::string_view(label).size(), nullptr, 10);
}

}  // namespace

std::atomic<bool> campaign_interrupted{false};

struct Campaign::Worker {
  size_t number = 0;
  uint64_t starts = 0;
  int idle_deaths = 0;
  SharedStats stats;
  std::optional<ChildProgram> child;
  // For the watch over hangs: what the page said, and since when.
  uint64_t seen_programs = 0;
  WorkerPhase seen_phase = WorkerPhase::kIdle;
  double seen_since = 0;
  uint64_t programs_at_start = 0;
  bool hung = false;
  bool done = false;

  explicit Worker(SharedStats s) : stats(std::move(s)) {}
};

struct Campaign::DeathTask {
  std::string directory;
  ChildProgram child;
};

Campaign::Campaign(CampaignOptions options, ProgressPrinter* printer)
    : options_(std::move(options)), printer_(printer) {}

Campaign::~Campaign() {
  workers_.clear();
  tasks_.clear();
  if (lock_fd_ >= 0) close(lock_fd_);
}

double Campaign::Now() const { return MonotonicSeconds() - started_; }

absl::StatusOr<std::unique_ptr<Campaign>> Campaign::Start(const CampaignOptions& options,
                                                          ProgressPrinter* printer) {
  auto campaign = std::unique_ptr<Campaign>(new Campaign(options, printer));
  if (absl::Status s = campaign->Prepare(); !s.ok()) return s;
  campaign->started_ = MonotonicSeconds();
  for (auto& worker : campaign->workers_) {
    if (absl::Status s = campaign->StartWorker(worker.get()); !s.ok()) return s;
  }
  return campaign;
}

absl::Status Campaign::Prepare() {
  absl::StatusOr<Contestants> contestants = MakeAll(options_.specs);
  if (!contestants.ok()) return contestants.status();
  for (const auto& leader : contestants->leaders) leaders_.push_back(leader->info().name);
  const std::string& work = options_.work_dir;
  if (absl::Status s = MakeDirectory(work); !s.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(s.message(), "; name another place with --work"));
  }
  const std::string lock = work + "/lock";
  lock_fd_ = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd_ < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(absl::ErrnoToStatus(errno, "cannot write ").message(), lock,
                     "; name another place with --work"));
  }
  if (flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("another campaign works in ", work, "; wait for it or give --work DIR"));
  }
  const std::string corpus = work + "/corpus";
  std::error_code error;
  if (!options_.resume && fs::exists(corpus, error)) {
    fs::remove_all(work + "/corpus.previous", error);
    fs::rename(corpus, work + "/corpus.previous", error);
  }
  fs::remove_all(work + "/artifacts", error);
  for (const char* part : {"/corpus", "/deaths", "/artifacts", "/quarantine"}) {
    if (absl::Status s = MakeDirectory(work + part); !s.ok()) return s;
  }
  absl::StatusOr<Demands> demands = DemandsOf(*contestants);
  if (!demands.ok()) return demands.status();
  absl::StatusOr<size_t> seeds = WriteSeeds(options_.corpus, corpus, *demands);
  if (!seeds.ok()) return seeds.status();
  result_.seeds = *seeds;
  kernels_ = demands->world.any();
  if (kernels_) {
    printer_->Say(absl::StrCat("programs run with ", DemandsText(demands->world), ", as ",
                               demands->who, " demands; those of other worlds are carried over"));
  }
  if (demands->lacks.any()) {
    printer_->Say(absl::StrCat("programs run without ", OpcodesText(demands->lacks), ", for which ",
                               demands->lacking, " has no counterpart"));
  }
  for (size_t i = 0; i < options_.jobs; ++i) {
    absl::StatusOr<SharedStats> stats =
        SharedStats::Create(absl::StrCat(work, "/worker-", i, ".page"));
    if (!stats.ok()) return stats.status();
    workers_.push_back(std::make_unique<Worker>(*std::move(stats)));
    workers_.back()->number = i;
  }
  return absl::OkStatus();
}

std::vector<std::pair<std::string, std::string>> Campaign::WorkerEnvironment(
    const Worker* worker) const {
  std::vector<std::pair<std::string, std::string>> environment = {
      {"MMDIFF_IMPL", options_.specs},
      {"MMDIFF_FINDINGS", options_.findings_dir},
      {"MMDIFF_SEED", absl::StrCat(options_.seed)},
      {"MMDIFF_MAX_OPS", absl::StrCat(options_.max_ops)},
      {"MMDIFF_FULL_EVERY", absl::StrCat(options_.full_every)},
      {"MMDIFF_MINIMISE", absl::StrCat(static_cast<uint64_t>(options_.minimise_seconds))},
      {"MMDIFF_CHILD_MS", absl::StrCat(static_cast<uint64_t>(options_.hang_seconds * 1000))},
      {"MMDIFF_ON_FINDING", options_.stop_on_first ? "stop" : "continue"},
  };
  // The states of a kernel come from another process and cost a fifth of a run; the digests, which
  // cover all of them, are compared after every operation.
  if (kernels_) environment.emplace_back("MMDIFF_FULL_AT_END", "16");
  if (worker != nullptr) {
    environment.emplace_back("MMDIFF_STATS_PAGE",
                             absl::StrCat(options_.work_dir, "/worker-", worker->number, ".page"));
  }
  return environment;
}

absl::Status Campaign::StartWorker(Worker* worker) {
  // Different for each worker and restart, and the same for the same --seed.
  const uint64_t seed = options_.seed * 1000003 + worker->number * 1009 + worker->starts++;
  ChildSpec spec;
  spec.argv = {options_.worker, options_.work_dir + "/corpus",
               absl::StrCat("-seed=", seed % 0xffffffff + 1),
               absl::StrCat("-artifact_prefix=", options_.work_dir, "/artifacts/")};
  spec.argv.insert(spec.argv.end(), std::begin(kEngineFlags), std::end(kEngineFlags));
  spec.environment = WorkerEnvironment(worker);
  worker->stats.page().phase.store(WorkerPhase::kIdle);
  worker->programs_at_start = worker->stats.page().programs.load();
  worker->seen_since = Now();
  worker->hung = false;
  absl::StatusOr<ChildProgram> child = ChildProgram::Start(spec);
  if (!child.ok()) return child.status();
  worker->child.emplace(*std::move(child));
  return absl::OkStatus();
}

void Campaign::ReadStatusLine(const std::string& line) {
  CampaignNumbers& n = result_.numbers;
  if (line.empty() || line[0] != '#') return;
  n.coverage = std::max(n.coverage, NumberAfter(line, " cov: ", 0));
  n.features = std::max(n.features, NumberAfter(line, " ft: ", 0));
  n.corpus = std::max(n.corpus, NumberAfter(line, " corp: ", 0));
}

void Campaign::ReadOutput(Worker* worker) {
  for (const std::string& line : worker->child->ReadLines()) {
    if (absl::StartsWith(line, kFindingLine)) {
      AddFinding(line.substr(std::string_view(kFindingLine).size()));
    } else {
      ReadStatusLine(line);
    }
  }
}

void Campaign::AddFinding(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return;
  CountUp();
  const std::string signature = json.value("signature", "");
  const auto [it, first] = by_signature_.emplace(signature, result_.findings.size());
  if (!first) {
    CampaignFinding& known = result_.findings[it->second];
    ++known.times;
    if (json.value("operations", uint64_t{0}) <= known.ops) {
      known.ops = json.value("operations", uint64_t{0});
      known.path = json.value("path", "");
    }
    return;
  }
  CampaignFinding finding;
  finding.signature = signature;
  finding.kind = json.value("kind", "");
  finding.message = json.value("message", "");
  finding.path = json.value("path", "");
  finding.ops = json.value("operations", uint64_t{0});
  finding.original_ops = json.value("original_operations", uint64_t{0});
  finding.is_new = json.value("new", false);
  if (json.contains("repeated")) {
    finding.repeats = {json["repeated"].value("same", 0u), json["repeated"].value("of", 0u)};
  }
  finding.found_after = Now();
  finding.found_operations = result_.numbers.operations;
  if (const std::string warning = json.value("warning", ""); !warning.empty()) {
    result_.warnings.push_back(warning);
  }
  printer_->Say(absl::StrCat("finding: ", finding.signature, " (", finding.original_ops, " -> ",
                             finding.ops, " operations)\n  ", finding.message, "\n  ",
                             finding.path));
  result_.findings.push_back(std::move(finding));
  result_.numbers.findings = result_.findings.size();
}

void Campaign::WatchForHang(Worker* worker) {
  const StatsPage& page = worker->stats.page();
  const uint64_t programs = page.programs.load(std::memory_order_relaxed);
  const WorkerPhase phase = page.phase.load(std::memory_order_relaxed);
  if (programs != worker->seen_programs || phase != worker->seen_phase ||
      phase == WorkerPhase::kIdle || page.progress.starting.load() != 0) {
    worker->seen_programs = programs;
    worker->seen_phase = phase;
    worker->seen_since = Now();
    return;
  }
  const double limit = phase == WorkerPhase::kRunning
                           ? options_.hang_seconds
                           : 2 * options_.minimise_seconds + options_.hang_seconds + kKeepGrace;
  if (Now() - worker->seen_since > limit && !worker->hung) {
    worker->hung = true;
    worker->child->Signal(SIGKILL);
  }
}

void Campaign::Quarantine(const StatsPage& page) {
  // The input that killed the worker may be a file of the corpus: it would kill each new worker.
  const uint64_t size = page.input_size.load();
  const uint64_t hash = page.input_hash.load();
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.work_dir + "/corpus", error)) {
    if (entry.file_size(error) != size) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(in), {}};
    if (InputHash(bytes.data(), bytes.size()) != hash) continue;
    fs::rename(entry.path(), fs::path(options_.work_dir) / "quarantine" / entry.path().filename(),
               error);
  }
}

absl::Status Campaign::KeepDeath(Worker* worker, int wait_status) {
  std::optional<Program> program = worker->stats.CurrentProgram();
  if (!program) return absl::OkStatus();
  const StatsPage& page = worker->stats.page();
  const bool keeping = page.phase.load() == WorkerPhase::kKeeping;
  ++result_.deaths;
  Quarantine(page);
  ChildEnd end;
  end.kind = worker->hung               ? ChildEnd::Kind::kTimedOut
             : WIFSIGNALED(wait_status) ? ChildEnd::Kind::kSignalled
                                        : ChildEnd::Kind::kExited;
  end.code = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
  end.lit = !keeping;
  end.position.op = page.progress.op_index.load();
  end.position.leader = page.progress.leader.load();
  end.position.in_reference = page.progress.in_reference.load() != 0;
  end.output = worker->child->tail();
  const IsolatedOutcome outcome = Attribute(end, *program, leaders_);
  // A death while a finding was being minimised: the finding itself is kept already, but not
  // minimised.
  if (deaths_seen_[outcome.signature.FileName()]++ > 0) return absl::OkStatus();
  if (!keeping) {
    KeeperOptions keeper_options;
    keeper_options.specs = options_.specs;
    keeper_options.findings_dir = options_.findings_dir;
    keeper_options.seed = options_.seed;
    absl::StatusOr<FindingKeeper> keeper = FindingKeeper::Create(keeper_options);
    if (!keeper.ok()) return keeper.status();
    absl::StatusOr<KeptFinding> raw = keeper->KeepRawDeath(*program, outcome);
    if (!raw.ok()) return raw.status();
    AddFinding(KeptFindingJson(*raw));
  }
  const std::string directory =
      absl::StrCat(options_.work_dir, "/deaths/", getpid(), "-", death_number_++);
  if (absl::Status s = MakeDirectory(directory); !s.ok()) return s;
  nlohmann::ordered_json json;
  json["kind"] = static_cast<int>(end.kind);
  json["code"] = end.code;
  json["lit"] = end.lit;
  json["op"] = end.position.op;
  json["leader"] = end.position.leader;
  json["in_reference"] = end.position.in_reference;
  json["output"] = end.output;
  const std::string death = json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  if (absl::Status s = WriteText(directory + "/program.mmdiff", PrintText(*program)); !s.ok())
    return s;
  if (absl::Status s = WriteText(directory + "/death.json", death); !s.ok()) return s;
  return StartDeathTask(directory);
}

absl::Status Campaign::StartDeathTask(const std::string& directory) {
  ChildSpec spec;
  spec.argv = {options_.worker};
  spec.environment = WorkerEnvironment(nullptr);
  spec.environment.emplace_back("MMDIFF_DEATH", directory);
  absl::StatusOr<ChildProgram> child = ChildProgram::Start(spec);
  if (!child.ok()) return child.status();
  tasks_.push_back(std::make_unique<DeathTask>(DeathTask{directory, *std::move(child)}));
  return absl::OkStatus();
}

absl::Status Campaign::WatchDeathTasks() {
  for (auto it = tasks_.begin(); it != tasks_.end();) {
    DeathTask& task = **it;
    task.child.ReadLines();
    const std::optional<int> status = task.child.Poll();
    if (!status) {
      ++it;
      continue;
    }
    absl::StatusOr<std::string> kept = ReadText(task.directory + "/kept.json");
    if (*status == 0 && kept.ok()) {
      AddFinding(*kept);
    } else {
      result_.warnings.push_back(absl::StrCat("the program in ", task.directory,
                                              " could not be minimised: ", task.child.tail()));
    }
    it = tasks_.erase(it);
  }
  return absl::OkStatus();
}

absl::Status Campaign::OnEnd(Worker* worker, int wait_status) {
  ReadOutput(worker);
  CountUp();
  const StatsPage& page = worker->stats.page();
  const bool ran = page.programs.load() != worker->programs_at_start;
  const bool in_program = page.phase.load() != WorkerPhase::kIdle;
  const int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
  if (winding_down_since_ >= 0 && !worker->hung && (code == 0 || code == kInterrupted)) {
    worker->done = true;
    return absl::OkStatus();
  }
  if (code == 3 &&
      absl::StrContains(worker->child->tail(), "mmdiff: the finding could not be kept")) {
    return absl::InternalError(
        absl::StrCat("a finding could not be kept:\n", worker->child->tail()));
  }
  if (code == 2 && !ran && !in_program) {
    return absl::InvalidArgumentError(
        absl::StrCat("the fuzz target refused:\n", worker->child->tail()));
  }
  if (code == 0 && options_.stop_on_first && !in_program) {
    worker->done = true;
    return absl::OkStatus();
  }
  if (in_program) {
    if (absl::Status s = KeepDeath(worker, wait_status); !s.ok()) return s;
  }
  if (ran || in_program) {
    worker->idle_deaths = 0;
  } else if (++worker->idle_deaths >= kMaxIdleDeaths) {
    return absl::InternalError(absl::StrCat("the fuzz target ", options_.worker,
                                            " ends without running anything:\n",
                                            worker->child->tail()));
  }
  if (winding_down_since_ >= 0 || (options_.stop_on_first && !result_.findings.empty())) {
    worker->done = true;
    return absl::OkStatus();
  }
  return StartWorker(worker);
}

void Campaign::CountUp() {
  CampaignNumbers& n = result_.numbers;
  n.programs = n.operations = n.effective = n.unsupported = n.left_out = n.sightings = n.outcomes =
      0;
  for (const auto& worker : workers_) {
    const StatsPage& page = worker->stats.page();
    n.programs += page.programs.load(std::memory_order_relaxed);
    n.operations += page.operations.load(std::memory_order_relaxed);
    n.effective += page.effective.load(std::memory_order_relaxed);
    n.unsupported += page.unsupported.load(std::memory_order_relaxed);
    n.left_out += page.left_out.load(std::memory_order_relaxed);
    n.sightings += page.sightings.load(std::memory_order_relaxed);
    n.outcomes = std::max(n.outcomes, page.outcomes.load(std::memory_order_relaxed));
  }
  if (winding_down_since_ < 0) n.seconds = Now();
  n.seconds_left = std::max(0.0, options_.seconds - Now());
}

bool Campaign::BudgetSpent() const {
  return campaign_interrupted.load() || Now() >= options_.seconds ||
         (options_.operations != 0 && result_.numbers.operations >= options_.operations) ||
         (options_.stop_on_first && !result_.findings.empty());
}

bool Campaign::WindDown() {
  const double passed = Now() - winding_down_since_;
  bool alive = !tasks_.empty();
  for (auto& worker : workers_) {
    if (worker->done) continue;
    const WorkerPhase phase = worker->stats.page().phase.load();
    // A worker that keeps a finding may finish; the others end at once.
    if (phase != WorkerPhase::kKeeping) worker->child->Signal(passed < 2 ? SIGTERM : SIGKILL);
    if (passed > options_.minimise_seconds + kKeepGrace) worker->child->Signal(SIGKILL);
    alive = true;
  }
  if (passed > 2 * options_.minimise_seconds + 2 * kKeepGrace) tasks_.clear();
  return alive;
}

absl::StatusOr<bool> Campaign::Step(int wait_ms) {
  std::vector<pollfd> fds;
  for (const auto& worker : workers_) {
    if (!worker->done && worker->child->fd() >= 0) fds.push_back({worker->child->fd(), POLLIN, 0});
  }
  poll(fds.data(), fds.size(), wait_ms);
  for (auto& worker : workers_) {
    if (worker->done) continue;
    ReadOutput(worker.get());
    if (const std::optional<int> status = worker->child->Poll()) {
      if (winding_down_since_ >= 0 && WIFSIGNALED(*status) && !worker->hung &&
          (WTERMSIG(*status) == SIGTERM || WTERMSIG(*status) == SIGKILL)) {
        ReadOutput(worker.get());
        worker->done = true;
      } else if (absl::Status s = OnEnd(worker.get(), *status); !s.ok()) {
        return s;
      }
    } else {
      WatchForHang(worker.get());
    }
  }
  if (absl::Status s = WatchDeathTasks(); !s.ok()) return s;
  CountUp();
  printer_->Update(result_.numbers);
  if (winding_down_since_ < 0 && BudgetSpent()) {
    winding_down_since_ = Now();
    result_.interrupted = campaign_interrupted.load();
  }
  return winding_down_since_ < 0 || WindDown();
}

absl::StatusOr<CampaignResult> RunCampaign(const CampaignOptions& options,
                                           ProgressPrinter* printer) {
  absl::StatusOr<std::unique_ptr<Campaign>> campaign = Campaign::Start(options, printer);
  if (!campaign.ok()) return campaign.status();
  for (;;) {
    absl::StatusOr<bool> more = (*campaign)->Step(100);
    if (!more.ok()) {
      printer->Finish();
      return more.status();
    }
    if (!*more) break;
  }
  printer->Finish();
  return (*campaign)->result();
}

}  // namespace mmdiff
