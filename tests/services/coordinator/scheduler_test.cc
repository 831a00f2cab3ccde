// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>

namespace larr {
namespace {

using config::v1::StageConfig;
using coordinator::v1::StageProgress;
using coordinator::v1::StageRun;
using coordinator::v1::TrainingRun;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

TrainingRun MakeRun(const std::string& name, int second = 0) {
  TrainingRun run;
  run.set_name(name);
  *run.mutable_create_time() = ToTimestamp(kNow + absl::Seconds(second));
  const auto add = [&](const char* id, StageConfig::Stage stage) {
    run.add_stages()->set_id(id);
    run.mutable_stages(run.stages_size() - 1)->set_stage(stage);
  };
  add("corpus", StageConfig::CORPUS);
  add("pretrain", StageConfig::PRETRAIN);
  add("align/larr", StageConfig::ALIGN);
  return run;
}

StageExit Exit(const StageKey& key, StageOutcome outcome) {
  return {key, outcome, "because", "/artifacts/" + key.stage};
}

TEST_CASE("A run goes through its stages in order", "[coordinator]") {
  Scheduler scheduler({});
  Decisions d = scheduler.Add(MakeRun("a"), kNow);
  REQUIRE(d.starts == std::vector<StageKey>{{"a", "corpus"}});
  REQUIRE(d.changed.size() == 1);
  CHECK(d.changed[0].state() == TrainingRun::RUNNING);
  CHECK(d.changed[0].stages(0).attempts() == 1);

  d = scheduler.OnStageExit(Exit(d.starts[0], StageOutcome::kSucceeded), kNow);
  REQUIRE(d.starts == std::vector<StageKey>{{"a", "pretrain"}});
  CHECK(d.changed[0].stages(0).artifact_path() == "/artifacts/corpus");
  d = scheduler.OnStageExit(Exit(d.starts[0], StageOutcome::kSucceeded), kNow);
  d = scheduler.OnStageExit(Exit(d.starts[0], StageOutcome::kSucceeded), kNow);
  CHECK(d.starts.empty());
  CHECK(d.changed[0].state() == TrainingRun::SUCCEEDED);
  CHECK(d.changed[0].has_end_time());
  CHECK(scheduler.live_runs().empty());
  CHECK(scheduler.slots().free_cpu_slots() == 1);
}

TEST_CASE("A stage tells whose artifact it shares", "[coordinator]") {
  Scheduler scheduler({});
  Decisions d = scheduler.Add(MakeRun("b"), kNow);
  StageExit shared = Exit(d.starts[0], StageOutcome::kSucceeded);
  shared.shared_from = "trainingRuns/a";
  d = scheduler.OnStageExit(shared, kNow);
  CHECK(d.changed[0].stages(0).shared_from() == "trainingRuns/a");
  d = scheduler.OnStageExit(Exit(d.starts[0], StageOutcome::kSucceeded), kNow);
  CHECK(d.changed[0].stages(1).shared_from().empty());
}

TEST_CASE("Older runs choose first, and a waiting run is QUEUED",
          "[coordinator]") {
  Scheduler scheduler({});
  scheduler.Add(MakeRun("a"), kNow);
  const Decisions b = scheduler.Add(MakeRun("b"), kNow);
  CHECK(b.starts.empty());
  CHECK(b.changed[0].state() == TrainingRun::QUEUED);
  const Decisions d = scheduler.OnStageExit(
      Exit({"a", "corpus"}, StageOutcome::kSucceeded), kNow);
  CHECK(d.starts == std::vector<StageKey>{{"a", "pretrain"}});
}

TEST_CASE("A resumed run is as old as before", "[coordinator]") {
  Scheduler scheduler({});
  scheduler.Add(MakeRun("a", 0), kNow);
  scheduler.Add(MakeRun("b", 1), kNow);
  scheduler.Add(MakeRun("c", 2), kNow);
  const Decisions failed =
      scheduler.OnStageExit(Exit({"a", "corpus"}, StageOutcome::kFailed), kNow);
  REQUIRE(failed.starts == std::vector<StageKey>{{"b", "corpus"}});
  scheduler.Resume(failed.changed[0], kNow);
  // Behind c it would wait for both, until a restart sorted them again.
  const Decisions d = scheduler.OnStageExit(
      Exit({"b", "corpus"}, StageOutcome::kSucceeded), kNow);
  CHECK(d.starts == std::vector<StageKey>{{"a", "corpus"}});
  CHECK(scheduler.live_runs()[1].name() == "b");
  CHECK(scheduler.live_runs()[2].name() == "c");
}

TEST_CASE("Only stages of the language model take a GPU", "[coordinator]") {
  Scheduler scheduler({.cpu_slots = 1, .gpus = {5}});
  scheduler.Add(MakeRun("a"), kNow);
  scheduler.Add(MakeRun("b"), kNow);
  // a leaves the CPU slot for the GPU, so b gets the slot.
  const Decisions d = scheduler.OnStageExit(
      Exit({"a", "corpus"}, StageOutcome::kSucceeded), kNow);
  CHECK(d.starts == std::vector<StageKey>{{"a", "pretrain"}, {"b", "corpus"}});
  CHECK(scheduler.Find("a")->stages(1).gpu() == 5);
  CHECK_FALSE(scheduler.Find("b")->stages(0).has_gpu());
}

TEST_CASE("A killed stage starts again, but not for ever", "[coordinator]") {
  Scheduler scheduler({.max_stage_restarts = 2});
  scheduler.Add(MakeRun("a"), kNow);
  for (int restart = 1; restart <= 2; ++restart) {
    const Decisions d = scheduler.OnStageExit(
        Exit({"a", "corpus"}, StageOutcome::kKilled), kNow);
    REQUIRE(d.starts.size() == 1);
    CHECK(d.changed[0].stages(0).restarts() == restart);
    CHECK(d.changed[0].stages(0).attempts() == restart + 1);
  }
  // A restart of the coordinator's container is no fault of the stage.
  const Decisions lost =
      scheduler.OnStageExit(Exit({"a", "corpus"}, StageOutcome::kLost), kNow);
  REQUIRE(lost.starts.size() == 1);
  CHECK(lost.changed[0].stages(0).restarts() == 2);
  CHECK(lost.changed[0].stages(0).losses() == 1);
  const Decisions d =
      scheduler.OnStageExit(Exit({"a", "corpus"}, StageOutcome::kKilled), kNow);
  CHECK(d.starts.empty());
  CHECK(d.changed[0].state() == TrainingRun::FAILED);
  CHECK(d.changed[0].error_message() ==
        "stage corpus failed: it died 3 times, the last time: because; remove "
        "the cause, then resume the run");
}

TEST_CASE("A stage that takes the coordinator with it each time fails, too",
          "[coordinator]") {
  Scheduler scheduler({});
  scheduler.Add(MakeRun("a"), kNow);
  const StageExit lost = Exit({"a", "corpus"}, StageOutcome::kLost);
  for (int i = 0; i < kMostLosses; ++i)
    REQUIRE(scheduler.OnStageExit(lost, kNow).starts.size() == 1);
  const Decisions d = scheduler.OnStageExit(lost, kNow);
  CHECK(d.starts.empty());
  CHECK(d.changed[0].state() == TrainingRun::FAILED);
  const Decisions again = scheduler.Resume(d.changed[0], kNow);
  CHECK(again.starts.size() == 1);
  CHECK(again.changed[0].stages(0).losses() == 0);
}

TEST_CASE("A failed run resumes at its first unfinished stage",
          "[coordinator]") {
  Scheduler scheduler({});
  scheduler.Add(MakeRun("a"), kNow);
  scheduler.OnStageExit(Exit({"a", "corpus"}, StageOutcome::kSucceeded), kNow);
  Decisions d = scheduler.OnStageExit(
      Exit({"a", "pretrain"}, StageOutcome::kFailed), kNow);
  const TrainingRun failed = d.changed[0];
  CHECK(failed.stages(1).error_message() == "because");
  CHECK(failed.stages(2).state() == StageRun::PENDING);

  d = scheduler.Resume(failed, kNow);
  CHECK(d.starts == std::vector<StageKey>{{"a", "pretrain"}});
  CHECK(d.changed[0].error_message().empty());
  CHECK(d.changed[0].stages(1).attempts() == 2);
  CHECK(scheduler.Resume(failed, kNow).changed.empty());
}

TEST_CASE("What a stage said is stored as UTF-8", "[coordinator]") {
  Scheduler scheduler({});
  scheduler.Add(MakeRun("a"), kNow);
  StageExit exit = Exit({"a", "corpus"}, StageOutcome::kFailed);
  exit.message = "no column 'gr\xf6\xdf'";
  const Decisions d = scheduler.OnStageExit(exit, kNow);
  TrainingRun read;
  REQUIRE(read.ParseFromString(d.changed[0].SerializeAsString()));
  CHECK(read.stages(0).error_message() ==
        "no column 'gr\xef\xbf\xbd\xef\xbf\xbd'");
}

TEST_CASE("Cancel waits for the process to be gone", "[coordinator]") {
  Scheduler scheduler({});
  scheduler.Add(MakeRun("a"), kNow);
  scheduler.Add(MakeRun("b"), kNow);
  Decisions d = scheduler.Cancel("b", kNow);
  CHECK(d.changed[0].state() == TrainingRun::CANCELLED);
  CHECK(d.stops.empty());

  d = scheduler.Cancel("a", kNow);
  CHECK(d.stops == std::vector<StageKey>{{"a", "corpus"}});
  CHECK(d.changed[0].state() == TrainingRun::RUNNING);
  CHECK(d.changed[0].cancel_requested());
  CHECK(scheduler.slots().free_cpu_slots() == 0);
  CHECK(scheduler.Cancel("a", kNow).changed.empty());

  // It may even have finished its artifact before the signal came.
  d = scheduler.OnStageExit(Exit({"a", "corpus"}, StageOutcome::kSucceeded),
                            kNow);
  CHECK(d.starts.empty());
  CHECK(d.changed[0].state() == TrainingRun::CANCELLED);
  CHECK(d.changed[0].stages(0).state() == StageRun::CANCELLED);
  CHECK_FALSE(d.changed[0].cancel_requested());
  CHECK(scheduler.slots().free_cpu_slots() == 1);
}

TEST_CASE("Restore finds running stages again and keeps their slots",
          "[coordinator]") {
  Scheduler before({.cpu_slots = 2, .gpus = {0}});
  before.Add(MakeRun("late", 2), kNow);
  before.Add(MakeRun("early", 1), kNow);
  before.Add(MakeRun("waiting", 3), kNow);
  before.Cancel("late", kNow);

  Scheduler after({.cpu_slots = 2, .gpus = {0}});
  const Decisions d = after.Restore(before.live_runs(), kNow);
  CHECK(d.starts ==
        std::vector<StageKey>{{"early", "corpus"}, {"late", "corpus"}});
  CHECK(d.stops == std::vector<StageKey>{{"late", "corpus"}});
  CHECK(d.changed.empty());
  CHECK(after.slots().free_cpu_slots() == 0);
  CHECK(after.Find("early")->stages(0).attempts() == 1);
}

TEST_CASE("Progress is news once", "[coordinator]") {
  Scheduler scheduler({});
  scheduler.Add(MakeRun("a"), kNow);
  StageProgress progress;
  progress.set_step(3);
  CHECK(scheduler.SetProgress({"a", "corpus"}, progress));
  CHECK_FALSE(scheduler.SetProgress({"a", "corpus"}, progress));
  CHECK_FALSE(scheduler.SetProgress({"a", "pretrain"}, progress));
  CHECK_FALSE(scheduler.SetProgress({"b", "corpus"}, progress));
}

// A model of the world outside: which processes live, and what is on disk.
// Random events, among them the death of the coordinator between storing and
// acting, must keep the scheduler's invariants, and every run must come to its
// end once the turmoil is over.
class World {
 public:
  explicit World(uint32_t seed) : random_(seed), scheduler_(options_) {}

  void Step() {
    const std::string name = fmt::format("run{}", Random(6));
    switch (Random(12)) {
      case 0:
      case 1:
        if (!disk_.contains(name))
          Apply([&](Scheduler& s) {
            return s.Add(MakeRun(name, static_cast<int>(disk_.size())), kNow);
          });
        break;
      case 2:
        Apply([&](Scheduler& s) { return s.Cancel(name, kNow); });
        break;
      case 3:
        if (disk_.contains(name))
          Apply([&](Scheduler& s) { return s.Resume(disk_.at(name), kNow); });
        break;
      case 4:
        Restart();
        break;
      default:
        EndOneProcess();
    }
    CheckInvariants();
  }

  void Settle() {
    for (int i = 0; i < 1000 && !scheduler_.live_runs().empty(); ++i) {
      EndOneProcess();
      CheckInvariants();
    }
    CHECK(scheduler_.live_runs().empty());
    CHECK(processes_.empty());
    CHECK(scheduler_.slots().free_cpu_slots() == options_.cpu_slots);
    CHECK(scheduler_.slots().free_gpus() == 2);
    for (const auto& [name, run] : disk_) CHECK(IsFinished(run));
  }

 private:
  int Random(int bound) {
    return std::uniform_int_distribution<int>(0, bound - 1)(random_);
  }

  template <typename Event>
  void Apply(const Event& event) {
    Scheduler next = scheduler_;
    const Decisions decisions = event(next);
    if (Random(20) == 0) return;  // The disk refused: nothing happened.
    for (const TrainingRun& run : decisions.changed) disk_[run.name()] = run;
    scheduler_ = next;
    if (Random(20) == 0) return Restart();  // Died before acting.
    Act(decisions);
  }

  void Act(const Decisions& decisions) {
    for (const StageKey& key : decisions.starts) {
      const int attempt = Attempt(key);
      if (!attempts_.insert({key, attempt}).second) continue;  // Found again.
      REQUIRE(processes_.insert(key).second);  // Never a second copy.
    }
  }

  int Attempt(const StageKey& key) const {
    for (const StageRun& stage : disk_.at(key.run).stages()) {
      if (stage.id() == key.stage) return stage.attempts();
    }
    return 0;
  }

  void Restart() {
    std::vector<TrainingRun> live;
    for (const auto& [name, run] : disk_) {
      if (!IsFinished(run)) live.push_back(run);
    }
    Scheduler fresh(options_);
    const Decisions decisions = fresh.Restore(std::move(live), kNow);
    for (const TrainingRun& run : decisions.changed) disk_[run.name()] = run;
    scheduler_ = fresh;
    Act(decisions);
  }

  void EndOneProcess() {
    if (processes_.empty()) return;
    auto it = processes_.begin();
    std::advance(it, Random(static_cast<int>(processes_.size())));
    const StageKey key = *it;
    const auto outcome = static_cast<StageOutcome>(Random(4));
    // An exit is reported until it is stored; and may be reported twice.
    processes_.erase(it);
    const int reports = 1 + Random(2);
    for (int i = 0; i < reports;) {
      const Scheduler before = scheduler_;
      const StageRun* running =
          before.Find(key.run) ? RunningStage(*before.Find(key.run)) : nullptr;
      if (running == nullptr || running->id() != key.stage ||
          processes_.contains(key)) {
        break;
      }
      Scheduler next = scheduler_;
      const Decisions d = next.OnStageExit(Exit(key, outcome), kNow);
      if (Random(10) == 0) continue;
      for (const TrainingRun& run : d.changed) disk_[run.name()] = run;
      scheduler_ = next;
      Act(d);
      ++i;
    }
  }

  void CheckInvariants() {
    int cpu = 0;
    std::set<int> gpus;
    std::set<StageKey> running_stages;
    for (const TrainingRun& run : scheduler_.live_runs()) {
      REQUIRE_FALSE(IsFinished(run));
      int running = 0;
      bool unfinished = false;
      for (const StageRun& stage : run.stages()) {
        if (stage.state() == StageRun::RUNNING) {
          ++running;
          REQUIRE_FALSE(unfinished);
          running_stages.insert({run.name(), stage.id()});
          if (stage.has_gpu()) {
            REQUIRE(gpus.insert(stage.gpu()).second);
          } else {
            ++cpu;
          }
        }
        unfinished |= stage.state() != StageRun::SUCCEEDED;
      }
      REQUIRE(running <= 1);
    }
    REQUIRE(processes_ == running_stages);
    REQUIRE(cpu + scheduler_.slots().free_cpu_slots() == options_.cpu_slots);
    REQUIRE(static_cast<int>(gpus.size()) + scheduler_.slots().free_gpus() ==
            2);
    const bool waiting = std::any_of(
        scheduler_.live_runs().begin(), scheduler_.live_runs().end(),
        [](const TrainingRun& run) { return RunningStage(run) == nullptr; });
    if (waiting) {
      REQUIRE((scheduler_.slots().free_cpu_slots() == 0 ||
               scheduler_.slots().free_gpus() == 0));
    }
  }

  std::mt19937 random_;
  const SchedulerOptions options_{
      .cpu_slots = 2, .gpus = {0, 1}, .max_stage_restarts = 2};
  Scheduler scheduler_;
  std::map<std::string, TrainingRun> disk_;
  std::set<StageKey> processes_;
  std::set<std::pair<StageKey, int>> attempts_;
};

TEST_CASE("Any order of events keeps the invariants and ends every run",
          "[coordinator]") {
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    World world(seed);
    for (int i = 0; i < 60; ++i) world.Step();
    world.Settle();
  }
}

}  // namespace
}  // namespace larr
