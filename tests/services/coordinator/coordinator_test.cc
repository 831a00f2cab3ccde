// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/coordinator.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <thread>

#include "common/base/artifact_folder.h"
#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "common/rpc/resource_requests.h"
#include "services/coordinator/training_plan.h"
#include "tests/testing/metrics_text.h"
#include "tests/testing/temp_dir.h"

namespace larr {
namespace {

using config::v1::CtrArchitecture;
using config::v1::PublishDecision;
using config::v1::StageConfig;
using config::v1::TrainingSpec;
using coordinator::v1::StageRun;
using coordinator::v1::TrainingRun;

// Processes that end when the test says so.
class FakeExecutor : public Executor {
 public:
  absl::Status Start(const StageLaunch& launch) override {
    if (!start_status.ok()) return start_status;
    started.push_back(launch);
    return absl::OkStatus();
  }
  void Stop(const StageKey& key) override { stopped.push_back(key); }
  std::vector<StageExit> Poll() override { return exits; }
  void Acknowledge(const StageKey& key) override {
    std::erase_if(exits, [&](const auto& exit) { return exit.key == key; });
  }

  absl::Status start_status;
  std::vector<StageLaunch> started;
  std::vector<StageKey> stopped;
  std::vector<StageExit> exits;
};

class CoordinatorTest {
 public:
  CoordinatorTest() {
    std::ofstream(dir_.path() / "dataset.textproto")
        << R"(name: "city" tabular_features { name: "id" }
              scene_features: "sky" poi_embedding_features: "id")";
    spec_.set_dataset(dir_.path() / "dataset.textproto");
    spec_.set_base_model(dir_.path());
    spec_.mutable_contrast()->set_max_tokens(64);
    auto& align = *spec_.add_align();
    align.set_name("larr");
    align.mutable_architecture()->set_kind(CtrArchitecture::LARR);
    Open();
  }

 protected:
  // A coordinator of a new process, on the same database.
  void Open() {
    coordinator_.reset();
    executor_ = {};
    coordinator_ =
        *Coordinator::Open({.artifact_root = dir_.path()},
                           {*store_, registry_, executor_, metrics_});
    coordinator_->Step();
  }

  // Ends the stage that was started last, leaving an artifact if it succeeds.
  void End(StageOutcome outcome, const std::string& message = "because") {
    const StageLaunch launch = executor_.started.back();
    StageExit exit{launch.key, outcome, message, launch.config.output()};
    if (outcome == StageOutcome::kSucceeded) WriteArtifact(launch.config);
    executor_.exits.push_back(exit);
    coordinator_->Step();
    CHECK(executor_.exits.empty());
  }

  void WriteArtifact(const StageConfig& config) {
    auto writer = ArtifactWriter::Create(config.output());
    REQUIRE(writer.ok());
    if (config.stage() == StageConfig::PUBLISH) {
      PublishDecision decision;
      decision.set_accepted(true);
      decision.set_model_path("/model");
      decision.set_snapshot_path("/snapshot");
      decision.set_champion_fencing_token(config.champion_fencing_token());
      std::ofstream(writer->path() / "publish.textproto")
          << ToTextProto(decision);
    }
    REQUIRE(writer->Finish({}).ok());
  }

  // Lets every stage succeed up to, but not including, `stage`.
  void RunUntil(const std::string& stage) {
    while (executor_.started.back().key.stage != stage) {
      End(StageOutcome::kSucceeded);
    }
  }

  testing::TempDir dir_;
  TrainingSpec spec_;
  std::unique_ptr<RunStore> store_ = *RunStore::Open(dir_.path() / "db");
  Registry registry_{*store_, dir_.path()};
  prometheus::Registry prometheus_;
  CoordinatorMetrics metrics_{prometheus_};
  FakeExecutor executor_;
  std::unique_ptr<Coordinator> coordinator_;
};

TEST_CASE_METHOD(CoordinatorTest, "A run's stages start one after the other",
                 "[coordinator]") {
  REQUIRE(coordinator_->CreateRun("a", spec_).ok());
  CHECK(executor_.started.empty());  // A caller's thread starts nothing.
  coordinator_->Step();
  REQUIRE(executor_.started.size() == 1);
  CHECK(executor_.started[0].key.stage == "corpus");
  CHECK(store_->GetRun("trainingRuns/a")->stages(0).state() ==
        StageRun::RUNNING);
  RunUntil("publish");
  const StageConfig& publish = executor_.started.back().config;
  CHECK_FALSE(publish.inputs().contains("champion_model"));
  CHECK(publish.inputs().at("align/larr") ==
        StageFolder(dir_.path(), "trainingRuns/a", "align/larr"));
  End(StageOutcome::kSucceeded);
  const auto run = coordinator_->GetRun("trainingRuns/a");
  CHECK(run->state() == TrainingRun::SUCCEEDED);
  CHECK(run->model_version() == "models/city/versions/1");
  CHECK(
      std::filesystem::exists(registry_.AliasFile("models/city", "champion")));

  // The next run's gate compares with this one.
  REQUIRE(coordinator_->CreateRun("b", spec_).ok());
  coordinator_->Step();
  RunUntil("publish");
  const auto& inputs = executor_.started.back().config.inputs();
  CHECK(inputs.at("champion_model") == "/model");
  CHECK(inputs.at("champion_snapshot") == "/snapshot");
  CHECK(executor_.started.back().config.champion_fencing_token() == 1);
}

TEST_CASE_METHOD(CoordinatorTest,
                 "A decision about an older champion is retaken",
                 "[coordinator]") {
  REQUIRE(coordinator_->CreateRun("a", spec_).ok());
  coordinator_->Step();
  RunUntil("publish");
  End(StageOutcome::kSucceeded);
  REQUIRE(coordinator_->CreateRun("b", spec_).ok());
  coordinator_->Step();
  RunUntil("publish");
  // Someone moves the alias while the gate of b decides.
  coordinator::v1::AliasMove move = store_->ListAliases("models/city")->front();
  move.set_fencing_token(2);
  REQUIRE(store_->Commit({.move = move}).ok());
  End(StageOutcome::kSucceeded);
  CHECK_FALSE(std::filesystem::exists(
      StageFolder(dir_.path(), "trainingRuns/b", "publish")));
  CHECK(executor_.started.back().key.stage == "publish");
  CHECK(executor_.started.back().attempt == 2);
  CHECK(executor_.started.back().config.champion_fencing_token() == 2);
  End(StageOutcome::kSucceeded);
  CHECK(coordinator_->GetRun("trainingRuns/b")->model_version() ==
        "models/city/versions/2");
}

TEST_CASE_METHOD(CoordinatorTest, "A new process finds what the old one left",
                 "[coordinator]") {
  REQUIRE(coordinator_->CreateRun("a", spec_).ok());
  Open();  // Died before it started the stage.
  REQUIRE(executor_.started.size() == 1);
  CHECK(executor_.started[0].attempt == 1);
  RunUntil("embed");
  REQUIRE(coordinator_->CancelRun("trainingRuns/a").ok());
  CHECK(absl::IsFailedPrecondition(
      coordinator_->ResumeRun("trainingRuns/a").status()));
  Open();  // Died before it stopped the stage.
  CHECK(executor_.started.back().key.stage == "embed");
  CHECK(executor_.stopped ==
        std::vector<StageKey>{{"trainingRuns/a", "embed"}});
  End(StageOutcome::kKilled);
  CHECK(coordinator_->GetRun("trainingRuns/a")->state() ==
        TrainingRun::CANCELLED);
  Open();
  CHECK(executor_.started.empty());
}

TEST_CASE_METHOD(CoordinatorTest, "A new process exports the last successes",
                 "[coordinator]") {
  REQUIRE(coordinator_->CreateRun("a", spec_).ok());
  coordinator_->Step();
  RunUntil("pretrain");
  coordinator_.reset();
  prometheus::Registry fresh;
  CoordinatorMetrics metrics(fresh);
  REQUIRE(Coordinator::Open({.artifact_root = dir_.path()},
                            {*store_, registry_, executor_, metrics})
              .ok());
  CHECK_THAT(
      testing::MetricsText(fresh),
      Catch::Contains("last_success_timestamp_seconds{stage=\"corpus\"}"));
}

TEST_CASE_METHOD(CoordinatorTest, "Creating is idempotent and checked",
                 "[coordinator]") {
  REQUIRE(coordinator_->CreateRun("a", spec_).ok());
  CHECK(coordinator_->CreateRun("a", spec_)->name() == "trainingRuns/a");
  TrainingSpec other = spec_;
  other.set_seed(7);
  CHECK(absl::IsAlreadyExists(coordinator_->CreateRun("a", other).status()));
  CHECK(
      absl::IsInvalidArgument(coordinator_->CreateRun("A b", spec_).status()));
  other.clear_align();
  CHECK(absl::IsInvalidArgument(coordinator_->CreateRun("b", other).status()));
  CHECK(absl::IsNotFound(coordinator_->GetRun("trainingRuns/b").status()));
  CHECK(absl::IsInvalidArgument(coordinator_->GetRun("a").status()));
  CHECK(absl::IsNotFound(coordinator_->CancelRun("trainingRuns/b").status()));
  CHECK(absl::IsNotFound(coordinator_->ResumeRun("trainingRuns/b").status()));
  // Of a run that this database does not know.
  std::filesystem::create_directories(dir_.path() / "runs/lost");
  CHECK(absl::IsAlreadyExists(coordinator_->CreateRun("lost", spec_).status()));
  const auto unnamed = coordinator_->CreateRun("", spec_);
  REQUIRE(unnamed.ok());
  CHECK(CheckId("id", unnamed->name().substr(13)).ok());
  CHECK(coordinator_->ListRuns(10, "")->items.size() == 2);
}

TEST_CASE_METHOD(CoordinatorTest,
                 "Runs without an id are as many as were asked for",
                 "[coordinator]") {
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i)
    clients.emplace_back([&] {
      for (int n = 0; n < 5; ++n)
        static_cast<void>(coordinator_->CreateRun("", spec_));
    });
  for (std::thread& client : clients) client.join();
  CHECK(coordinator_->ListRuns(100, "")->items.size() == 40);
}

TEST_CASE_METHOD(CoordinatorTest,
                 "A stage that cannot be started fails its run",
                 "[coordinator]") {
  executor_.start_status = absl::UnavailableError("no more processes");
  REQUIRE(coordinator_->CreateRun("a", spec_).ok());
  coordinator_->Step();
  coordinator_->Step();
  const auto run = coordinator_->GetRun("trainingRuns/a");
  CHECK(run->state() == TrainingRun::FAILED);
  CHECK(run->error_message().find("no more processes") != std::string::npos);
}

TEST_CASE_METHOD(CoordinatorTest, "Resuming does lost artifacts again",
                 "[coordinator]") {
  REQUIRE(coordinator_->CreateRun("a", spec_).ok());
  coordinator_->Step();
  RunUntil("embed");
  End(StageOutcome::kFailed, "disk full");
  std::filesystem::remove_all(
      StageFolder(dir_.path(), "trainingRuns/a", "pretrain"));
  REQUIRE(coordinator_->ResumeRun("trainingRuns/a").ok());
  coordinator_->Step();
  CHECK(executor_.started.back().key.stage == "pretrain");
  // Resuming a live run changes nothing.
  CHECK(coordinator_->ResumeRun("trainingRuns/a")->state() ==
        TrainingRun::RUNNING);
}

TEST_CASE_METHOD(CoordinatorTest,
                 "A run that ends with its metrics moves no alias",
                 "[coordinator]") {
  spec_.set_evaluate_only(true);
  REQUIRE(coordinator_->CreateRun("a", spec_).ok());
  coordinator_->Step();
  RunUntil("evaluate");
  End(StageOutcome::kSucceeded);
  const auto run = coordinator_->GetRun("trainingRuns/a");
  CHECK(run->state() == TrainingRun::SUCCEEDED);
  CHECK(run->model_version().empty());
  CHECK(run->stages(run->stages_size() - 1).id() == "evaluate");
  CHECK(store_->ListAliases("models/city")->empty());
}

TEST_CASE_METHOD(CoordinatorTest,
                 "A stage that shares an artifact says whose it is",
                 "[coordinator]") {
  REQUIRE(coordinator_->CreateRun("b", spec_).ok());
  coordinator_->Step();
  const StageConfig corpus = executor_.started.back().config;
  CHECK(corpus.known_artifacts() == dir_.path() / "known");
  std::filesystem::create_directories(corpus.work());
  std::ofstream(std::filesystem::path(corpus.work()) / "shared_from")
      << StageFolder(dir_.path(), "trainingRuns/a", "corpus").string();
  End(StageOutcome::kSucceeded);
  CHECK(coordinator_->GetRun("trainingRuns/b")->stages(0).shared_from() ==
        "trainingRuns/a");
  End(StageOutcome::kFailed);
  CHECK(coordinator_->GetRun("trainingRuns/b")->stages(1).shared_from() == "");
  // Made again, it is its own unless it says so again.
  std::filesystem::remove_all(corpus.output());
  std::filesystem::remove_all(corpus.work());
  CHECK(coordinator_->ResumeRun("trainingRuns/b")->stages(0).shared_from() ==
        "");
}

TEST_CASE_METHOD(CoordinatorTest, "A publish artifact without a decision fails",
                 "[coordinator]") {
  REQUIRE(coordinator_->CreateRun("a", spec_).ok());
  coordinator_->Step();
  RunUntil("publish");
  const StageLaunch launch = executor_.started.back();
  executor_.exits.push_back(
      {launch.key, StageOutcome::kSucceeded, "", "/nowhere"});
  coordinator_->Step();
  const auto run = coordinator_->GetRun("trainingRuns/a");
  CHECK(run->state() == TrainingRun::FAILED);
  CHECK(run->error_message().find("/nowhere/publish.textproto") !=
        std::string::npos);
}

TEST_CASE_METHOD(CoordinatorTest, "Progress reaches a run that is watched",
                 "[coordinator]") {
  REQUIRE(coordinator_->CreateRun("a", spec_).ok());
  coordinator_->Step();
  const int64_t seen = coordinator_->WaitForChange(0, absl::Seconds(1));
  CHECK(coordinator_->WaitForChange(seen, absl::Milliseconds(20)) == seen);
  const auto work = StageWorkFolder(dir_.path(), "trainingRuns/a", "corpus");
  std::filesystem::create_directories(work);
  std::ofstream(work / "progress.jsonl") << R"({"step":2,"total":9})"
                                         << "\n";
  std::this_thread::sleep_for(std::chrono::milliseconds(350));
  coordinator_->Step();
  CHECK(coordinator_->WaitForChange(seen, absl::Seconds(1)) > seen);
  CHECK(coordinator_->GetRun("trainingRuns/a")
            ->stages(0)
            .progress()
            .total_steps() == 9);
}

TEST_CASE("Progress is the last whole line", "[coordinator]") {
  const testing::TempDir dir;
  CHECK(ReadStageProgress(dir.path()).step() == 0);
  std::ofstream(dir.path() / "progress.jsonl")
      << R"({"step":1,"total":4,"loss":0.5,"throughput":8.5,"unit":"rows/s",)"
      << R"("elapsed":3.5})"
      << "\n"
      << R"({"step":2,"tot)";
  const auto progress = ReadStageProgress(dir.path());
  CHECK(progress.step() == 1);
  CHECK(progress.total_steps() == 4);
  CHECK(progress.loss() == 0.5);
  CHECK(progress.throughput() == 8.5);
  CHECK(progress.throughput_unit() == "rows/s");
  CHECK(progress.elapsed_seconds() == 3.5);
}

}  // namespace
}  // namespace larr
