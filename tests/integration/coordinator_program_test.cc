// SPDX-License-Identifier: Apache-2.0
//
// The real larr_coordinator on a free port, over real gRPC, with real child
// processes (see tests/testing/fake_stage.cc for what they do).
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "common/base/files.h"
#include "common/config/text_proto.h"
#include "tests/integration/coordinator_fixture.h"

namespace larr {
namespace {

using config::v1::CoordinatorConfig;
using config::v1::CtrArchitecture;
using config::v1::ServingBundle;
using coordinator::v1::CoordinatorService;
using coordinator::v1::CreateTrainingRunRequest;
using coordinator::v1::ListAliasMovesRequest;
using coordinator::v1::ListAliasMovesResponse;
using coordinator::v1::ListModelVersionsRequest;
using coordinator::v1::ListModelVersionsResponse;
using coordinator::v1::ListTrainingRunsRequest;
using coordinator::v1::ListTrainingRunsResponse;
using coordinator::v1::Model;
using coordinator::v1::PromoteModelVersionRequest;
using coordinator::v1::RollbackAliasRequest;
using coordinator::v1::StageRun;
using coordinator::v1::StreamStageLogRequest;
using coordinator::v1::StreamStageLogResponse;
using coordinator::v1::TrainingRun;
using coordinator::v1::WatchTrainingRunRequest;
using testing::Eventually;

// An orphan's zombie does not count: whether init reaps it is not our matter.
bool Alive(int pid) {
  const char state = testing::ProcessState(pid);
  return state != 0 && state != 'Z';
}

CoordinatorConfig Config() {
  CoordinatorConfig config;
  config.set_stage_program(FAKE_STAGE);
  config.set_max_stage_restarts(2);
  return config;
}

class CoordinatorProgramTest : public testing::CoordinatorFixture {
 public:
  CoordinatorProgramTest() : CoordinatorFixture(COORDINATOR, Config()) {
    std::filesystem::create_directories(path("model"));
    std::ofstream(path("dataset.textproto"))
        << "name: \"city\" tabular_features { name: \"hour\" }\n";
  }

 protected:
  // What the stages of later processes do; see fake_stage.cc.
  void Behave(const std::string& lines) {
    std::ofstream(path("behaviour")) << lines;
  }

  grpc::Status Create(const std::string& id, TrainingRun* run,
                      uint64_t seed = 1) {
    CreateTrainingRunRequest request;
    request.set_training_run_id(id);
    auto& spec = *request.mutable_training_run()->mutable_spec();
    spec.set_dataset(path("dataset.textproto"));
    spec.set_base_model(path("model"));
    spec.mutable_contrast()->set_max_tokens(64);
    spec.set_seed(seed);
    for (const char* name : {"ple", "larr"}) {
      auto& align = *spec.add_align();
      align.set_name(name);
      align.mutable_architecture()->set_kind(CtrArchitecture::PLE);
    }
    grpc::ClientContext context;
    return runs_->CreateTrainingRun(&context, request, run);
  }

  template <typename Request>
  grpc::Status Call(grpc::Status (CoordinatorService::Stub::*method)(
                        grpc::ClientContext*, const Request&, TrainingRun*),
                    const std::string& id, TrainingRun* run) {
    Request request;
    request.set_name("trainingRuns/" + id);
    grpc::ClientContext context;
    return (runs_.get()->*method)(&context, request, run);
  }

  static const StageRun& Stage(const TrainingRun& run, const std::string& id) {
    const auto it = std::find_if(run.stages().begin(), run.stages().end(),
                                 [&](const auto& s) { return s.id() == id; });
    REQUIRE(it != run.stages().end());
    return *it;
  }

  void WaitForStage(const std::string& id, const std::string& stage) {
    INFO(coordinator_->log());
    REQUIRE(Eventually([&] { return !Starts(id, stage).empty(); }));
  }

  // The process numbers that a stage had, one for each start.
  std::vector<int> Starts(const std::string& id, std::string stage) {
    std::replace(stage.begin(), stage.end(), '/', '-');
    std::ifstream in(
        path("artifacts/runs/" + id + "/" + stage + ".work/starts"));
    std::vector<int> pids;
    for (std::string line; std::getline(in, line);) {
      pids.push_back(std::stoi(line));
    }
    return pids;
  }
};

TEST_CASE_METHOD(CoordinatorProgramTest, "A run goes through and is published",
                 "[integration]") {
  Behave("align-larr slow\n");
  TrainingRun run;
  REQUIRE(Create("first", &run).ok());
  CHECK(run.model() == "models/city");
  // Repeating the call returns the run; other contents under its id do not.
  TrainingRun again;
  REQUIRE(Create("first", &again).ok());
  CHECK(again.name() == run.name());
  CHECK(Create("first", &again, /*seed=*/2).error_code() ==
        grpc::StatusCode::ALREADY_EXISTS);

  run = FinishRun("first");
  INFO(run.DebugString());
  CHECK(run.state() == TrainingRun::SUCCEEDED);
  CHECK(run.model_version() == "models/city/versions/1");
  CHECK(run.publish_reasons_size() == 8);
  CHECK(updates_ > 8);
  for (const StageRun& stage : run.stages()) {
    CHECK(stage.state() == StageRun::SUCCEEDED);
    CHECK(Starts("first", stage.id()).size() == 1);
    CHECK(std::filesystem::exists(stage.artifact_path()));
  }
  CHECK(Stage(run, "align/larr").progress().step() == 40);
  CHECK(Stage(run, "align/larr").progress().throughput_unit() == "steps/s");

  const auto bundle = LoadTextProto<ServingBundle>(
      path("artifacts/aliases/city/champion.textproto"));
  REQUIRE(bundle.ok());
  CHECK(bundle->model_path() == path("artifacts/runs/first/align-larr"));
  CHECK(bundle->snapshot_path() == path("artifacts/runs/first/embed"));

  StreamStageLogRequest log;
  log.set_name(run.name());
  log.set_stage_id("align/larr");
  log.set_follow(true);
  grpc::ClientContext context;
  const auto reader = runs_->StreamStageLog(&context, log);
  StreamStageLogResponse chunk;
  std::string text;
  while (reader->Read(&chunk)) text += chunk.content();
  CHECK(reader->Finish().ok());
  CHECK(text == fmt::format("working on {}\n", bundle->model_path()));
}

TEST_CASE_METHOD(CoordinatorProgramTest,
                 "kill -9 of the coordinator loses nothing and repeats nothing",
                 "[integration]") {
  Behave("pretrain held\nalign-larr slow\n");
  TrainingRun run;
  REQUIRE(Create("kept", &run).ok());
  REQUIRE(Create("queued", &run).ok());
  WaitForStage("kept", "pretrain");
  RestartCoordinator();
  CHECK(Stage(GetRun("kept"), "pretrain").state() == StageRun::RUNNING);
  CHECK(GetRun("queued").state() == TrainingRun::QUEUED);

  // A stage that ends while nobody looks is known to have ended.
  coordinator_->program().Kill();
  REQUIRE(WriteFileAtomically(path("go"), "").ok());
  REQUIRE(Eventually([&] {
    return std::filesystem::exists(path("artifacts/runs/kept/pretrain"));
  }));
  RestartCoordinator();
  WaitForStage("kept", "align/larr");
  RestartCoordinator();
  for (const char* id : {"kept", "queued"}) {
    run = FinishRun(id);
    INFO(run.DebugString());
    CHECK(run.state() == TrainingRun::SUCCEEDED);
    for (const StageRun& stage : run.stages()) {
      CHECK(Starts(id, stage.id()).size() == 1);
      CHECK(stage.restarts() == 0);
    }
  }
}

TEST_CASE_METHOD(CoordinatorProgramTest,
                 "A coordinator killed at any moment comes back",
                 "[integration]") {
  TrainingRun run;
  REQUIRE(Create("often", &run).ok());
  // 15 lives of 10 to 150 ms: some die between storing and starting.
  for (int life = 1; life <= 15; ++life) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10 * life));
    RestartCoordinator();
  }
  run = FinishRun("often");
  INFO(run.DebugString());
  CHECK(run.state() == TrainingRun::SUCCEEDED);
  CHECK(run.model_version() == "models/city/versions/1");
  for (const StageRun& stage : run.stages()) {
    CHECK(Starts("often", stage.id()).size() == 1);
  }
}

TEST_CASE_METHOD(CoordinatorProgramTest, "A killed stage starts again",
                 "[integration]") {
  Behave("corpus slow\nembed die\n");
  TrainingRun run;
  REQUIRE(Create("killed", &run).ok());
  WaitForStage("killed", "corpus");
  kill(Starts("killed", "corpus")[0], SIGKILL);
  run = FinishRun("killed");
  INFO(run.DebugString());
  CHECK(run.state() == TrainingRun::SUCCEEDED);
  CHECK(Stage(run, "corpus").restarts() == 1);
  CHECK(Stage(run, "embed").restarts() == 1);
  CHECK(Starts("killed", "corpus").size() == 2);
  CHECK(Starts("killed", "evaluate").size() == 1);
}

TEST_CASE_METHOD(CoordinatorProgramTest,
                 "A failing stage fails the run, and resuming goes on there",
                 "[integration]") {
  Behave("contrast fail\nembed die-always\n");
  TrainingRun run;
  REQUIRE(Create("failing", &run).ok());
  run = FinishRun("failing");
  CHECK(run.state() == TrainingRun::FAILED);
  CHECK(run.error_message() ==
        "stage contrast failed: told to fail; remove the cause, then resume "
        "the run");
  Behave("embed die-always\n");
  REQUIRE(
      Call(&CoordinatorService::Stub::ResumeTrainingRun, "failing", &run).ok());
  run = FinishRun("failing");
  CHECK(run.state() == TrainingRun::FAILED);
  CHECK(run.error_message().find("stage embed failed: it died 3 times") == 0);
  CHECK(Starts("failing", "embed").size() == 3);
  Behave("");
  REQUIRE(
      Call(&CoordinatorService::Stub::ResumeTrainingRun, "failing", &run).ok());
  CHECK(FinishRun("failing").state() == TrainingRun::SUCCEEDED);
  CHECK(Starts("failing", "corpus").size() == 1);
  CHECK(Starts("failing", "contrast").size() == 2);
  CHECK(Call(&CoordinatorService::Stub::ResumeTrainingRun, "failing", &run)
            .error_code() == grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_CASE_METHOD(CoordinatorProgramTest,
                 "Cancel ends the process, resume goes on", "[integration]") {
  Behave("pretrain slow\n");
  TrainingRun run;
  REQUIRE(Create("cancelled", &run).ok());
  WaitForStage("cancelled", "pretrain");
  const int pid = Starts("cancelled", "pretrain")[0];
  REQUIRE(Call(&CoordinatorService::Stub::CancelTrainingRun, "cancelled", &run)
              .ok());
  CHECK(run.cancel_requested());
  // Even a coordinator that dies now remembers.
  RestartCoordinator();
  run = FinishRun("cancelled");
  CHECK(run.state() == TrainingRun::CANCELLED);
  CHECK(Stage(run, "pretrain").state() == StageRun::CANCELLED);
  CHECK_FALSE(Alive(pid));
  Behave("");
  REQUIRE(Call(&CoordinatorService::Stub::ResumeTrainingRun, "cancelled", &run)
              .ok());
  CHECK(FinishRun("cancelled").state() == TrainingRun::SUCCEEDED);
  CHECK(Starts("cancelled", "corpus").size() == 1);
  // Cancelling a finished run changes nothing.
  REQUIRE(Call(&CoordinatorService::Stub::CancelTrainingRun, "cancelled", &run)
              .ok());
  CHECK(run.state() == TrainingRun::SUCCEEDED);
}

TEST_CASE_METHOD(CoordinatorProgramTest,
                 "SIGTERM drains and leaves stages running", "[integration]") {
  Behave("corpus held\n");
  TrainingRun run;
  REQUIRE(Create("drained", &run).ok());
  WaitForStage("drained", "corpus");
  WatchTrainingRunRequest request;
  request.set_name("trainingRuns/drained");
  grpc::ClientContext context;
  const auto reader = runs_->WatchTrainingRun(&context, request);
  REQUIRE(reader->Read(&run));
  const auto begin = std::chrono::steady_clock::now();
  kill(coordinator_->program().pid(), SIGTERM);
  while (reader->Read(&run)) {
  }
  CHECK(reader->Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK(coordinator_->program().Wait() == 0);
  // Streams end at once: calls in flight would have ten seconds.
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(8));
  CHECK(Alive(Starts("drained", "corpus")[0]));
  RestartCoordinator();
  std::ofstream(path("go")) << "";
  CHECK(FinishRun("drained").state() == TrainingRun::SUCCEEDED);
  CHECK(Starts("drained", "corpus").size() == 1);
}

TEST_CASE("SIGTERM during the coordinator's start stops it in order",
          "[integration]") {
  const testing::TempDir dir;
  CoordinatorConfig config = Config();
  config.mutable_server()->set_listen("127.0.0.1:0");
  config.set_state_dir(dir.path() / "state");
  config.set_artifact_root(dir.path() / "artifacts");
  CHECK(testing::TerminateAtStart(COORDINATOR, ToTextProto(config),
                                  dir.path()) == 0);
}

TEST_CASE_METHOD(CoordinatorProgramTest,
                 "Versions are promoted and rolled back, and nothing is forgot",
                 "[integration]") {
  TrainingRun run;
  REQUIRE(Create("one", &run).ok());
  FinishRun("one");
  REQUIRE(Create("two", &run).ok());
  CHECK(FinishRun("two").model_version() == "models/city/versions/2");

  const auto champion = [&] {
    const auto bundle = LoadTextProto<ServingBundle>(
        path("artifacts/aliases/city/champion.textproto"));
    return bundle.ok() ? bundle->model_version() : "";
  };
  CHECK(champion() == "models/city/versions/2");
  Model model;
  {
    RollbackAliasRequest request;
    request.set_model("models/city");
    request.set_actor("ada");
    grpc::ClientContext context;
    REQUIRE(models_->RollbackAlias(&context, request, &model).ok());
    CHECK(champion() == "models/city/versions/1");
  }
  {
    PromoteModelVersionRequest request;
    request.set_name("models/city/versions/2");
    request.set_alias("canary");
    request.set_actor("bob");
    grpc::ClientContext context;
    REQUIRE(models_->PromoteModelVersion(&context, request, &model).ok());
    CHECK(model.aliases().at("canary") == "models/city/versions/2");
    CHECK(model.aliases().at("champion") == "models/city/versions/1");
  }
  coordinator_->program().Kill();
  std::filesystem::remove_all(path("artifacts/aliases"));
  RestartCoordinator();
  CHECK(champion() == "models/city/versions/1");
  {
    ListAliasMovesRequest request;
    request.set_parent("models/city");
    request.set_page_size(3);
    ListAliasMovesResponse moves;
    grpc::ClientContext context;
    REQUIRE(models_->ListAliasMoves(&context, request, &moves).ok());
    REQUIRE(moves.alias_moves_size() == 3);
    CHECK(moves.alias_moves(0).actor() == "bob");
    CHECK(moves.alias_moves(1).rollback());
    CHECK(moves.alias_moves(2).actor() == "trainingRuns/two");
    CHECK_FALSE(moves.next_page_token().empty());
  }
  {
    ListModelVersionsRequest request;
    request.set_parent("models/-");
    ListModelVersionsResponse versions;
    grpc::ClientContext context;
    REQUIRE(models_->ListModelVersions(&context, request, &versions).ok());
    REQUIRE(versions.model_versions_size() == 2);
    CHECK(versions.model_versions(0).training_run() == "trainingRuns/two");
    CHECK(versions.model_versions(0).validation_ctr_auc() == 0.7);
  }
  {
    ListTrainingRunsRequest request;
    request.set_page_size(1);
    ListTrainingRunsResponse page;
    grpc::ClientContext context;
    REQUIRE(runs_->ListTrainingRuns(&context, request, &page).ok());
    REQUIRE(page.training_runs_size() == 1);
    CHECK(page.training_runs(0).name() == "trainingRuns/two");
  }
}

TEST_CASE_METHOD(CoordinatorProgramTest,
                 "A second coordinator on the same state is refused",
                 "[integration]") {
  testing::Program second(coordinator_->command(), path("second.log"));
  CHECK(second.Wait() == 1);
  CHECK(ReadFile(path("second.log"))->find("error: opening the run database") !=
        std::string::npos);
}

}  // namespace
}  // namespace larr
