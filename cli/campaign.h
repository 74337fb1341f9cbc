// Campaign: worker processes of a fuzz target, supervised until the budget is spent.
//
// Workers share one working corpus and count into stats pages; a worker that dies or hangs is
// restarted, its program kept at once and minimised in a process of the same build. The supervisor
// runs no program itself, so nothing that an implementation does can take it down. Costs one poll
// every tenth of a second.
#ifndef MMDIFF_CLI_CAMPAIGN_H_
#define MMDIFF_CLI_CAMPAIGN_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/child_program.h"
#include "cli/progress.h"
#include "targets/finding_keeper.h"
#include "targets/stats_page.h"

namespace mmdiff {

struct CampaignOptions {
  std::string worker;  // path of the fuzz target
  std::string specs = "reference,model";
  std::string work_dir;  // corpus/, pages, deaths/; must be writable
  std::string findings_dir;
  std::vector<std::string> corpus;  // directories of text programs
  uint64_t jobs = 1;
  double seconds = 60;
  uint64_t operations = 0;  // 0: only the time counts
  uint64_t seed = 1;
  uint64_t max_ops = 128;
  uint64_t full_every = 64;
  double hang_seconds = 5;
  double minimise_seconds = 30;
  bool stop_on_first = false;
  bool resume = false;
};

struct CampaignFinding {
  std::string signature, kind, message, path;
  uint64_t ops = 0;
  uint64_t original_ops = 0;
  uint64_t times = 1;      // workers that kept it
  double found_after = 0;  // seconds
  uint64_t found_operations = 0;
  bool is_new = false;
  Repeats repeats;  // how often it came again
};

struct CampaignResult {
  CampaignNumbers numbers;
  uint64_t seeds = 0;
  uint64_t deaths = 0;
  bool interrupted = false;
  std::vector<CampaignFinding> findings;  // in the order found
  std::vector<std::string> warnings;
};

// Set by the caller's signal handler to end campaigns cleanly.
extern std::atomic<bool> campaign_interrupted;

// One campaign, to be stepped; several may run side by side in one thread.
class Campaign {
 public:
  // Makes the working corpus and starts the workers. Errors name the directory or the program that
  // is missing and the remedy.
  static absl::StatusOr<std::unique_ptr<Campaign>> Start(const CampaignOptions& options,
                                                         ProgressPrinter* printer);
  ~Campaign();

  // Looks after the workers; `wait_ms` is how long to wait for output first. True as long as there
  // is something to do. An error ends the campaign: a worker that cannot run, or a finding that
  // cannot be kept.
  absl::StatusOr<bool> Step(int wait_ms);
  // Valid at all times.
  const CampaignResult& result() const { return result_; }

 private:
  struct Worker;
  struct DeathTask;

  Campaign(CampaignOptions options, ProgressPrinter* printer);
  double Now() const;  // seconds since the start
  absl::Status Prepare();
  absl::Status StartWorker(Worker* worker);
  std::vector<std::pair<std::string, std::string>> WorkerEnvironment(const Worker* worker) const;
  void ReadOutput(Worker* worker);
  void ReadStatusLine(const std::string& line);
  void AddFinding(const std::string& json);
  void WatchForHang(Worker* worker);
  absl::Status OnEnd(Worker* worker, int wait_status);
  absl::Status KeepDeath(Worker* worker, int wait_status);
  absl::Status StartDeathTask(const std::string& directory);
  absl::Status WatchDeathTasks();
  void Quarantine(const StatsPage& page);
  void CountUp();
  bool BudgetSpent() const;
  bool WindDown();

  CampaignOptions options_;
  ProgressPrinter* printer_;
  CampaignResult result_;
  std::vector<std::string> leaders_;
  bool kernels_ = false;  // a leader is one
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<DeathTask>> tasks_;
  std::map<std::string, size_t> by_signature_;
  std::map<std::string, uint64_t> deaths_seen_;
  double started_ = 0;
  double winding_down_since_ = -1;
  uint64_t death_number_ = 0;
  int lock_fd_ = -1;
};

// Runs a campaign to its end.
absl::StatusOr<CampaignResult> RunCampaign(const CampaignOptions& options,
                                           ProgressPrinter* printer);

}  // namespace mmdiff

#endif  // MMDIFF_CLI_CAMPAIGN_H_
