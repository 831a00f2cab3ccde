// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/training_run.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <signal.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "larr/coordinator/v1/coordinator_service.grpc.pb.h"
#include "tools/programs/interrupts.h"

namespace larr::ctl {
namespace {

using namespace coordinator::v1;  // NOLINT: one service's messages

// Has one run, and answers each call with the run's next state.
class FakeCoordinator final : public CoordinatorService::Service {
 public:
  explicit FakeCoordinator(std::vector<TrainingRun::State> states)
      : states_(std::move(states)) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    session.coordinator = "127.0.0.1:" + std::to_string(port);
    session.json = true;
  }

  absl::StatusOr<TrainingRun> Finish() const {
    return FinishTrainingRun(session, "city", {});
  }

  Session session;
  std::string calls;
  bool stopping = false;  // The run that an earlier call left.

 private:
  grpc::Status Answer(const char* call, TrainingRun* run) {
    calls += call;
    run->set_name("trainingRuns/city");
    run->set_state(states_.at(at_++));
    run->set_error_message("no room");
    run->set_cancel_requested(stopping && run->state() == TrainingRun::RUNNING);
    return grpc::Status::OK;
  }
  grpc::Status CreateTrainingRun(grpc::ServerContext*,
                                 const CreateTrainingRunRequest* request,
                                 TrainingRun* run) override {
    return request->training_run_id() == "city"
               ? Answer("create ", run)
               : grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "id");
  }
  grpc::Status GetTrainingRun(grpc::ServerContext*,
                              const GetTrainingRunRequest*,
                              TrainingRun* run) override {
    return Answer("get ", run);
  }
  grpc::Status CancelTrainingRun(grpc::ServerContext*,
                                 const CancelTrainingRunRequest*,
                                 TrainingRun* run) override {
    return Answer("cancel ", run);
  }
  grpc::Status ResumeTrainingRun(grpc::ServerContext*,
                                 const ResumeTrainingRunRequest*,
                                 TrainingRun* run) override {
    stopping = false;
    return Answer("resume ", run);
  }

  const std::vector<TrainingRun::State> states_;
  size_t at_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST_CASE("A run is followed to its end", "[larrctl]") {
  FakeCoordinator coordinator(
      {TrainingRun::QUEUED, TrainingRun::RUNNING, TrainingRun::SUCCEEDED});
  const auto run = coordinator.Finish();
  INFO(run.status().ToString());
  REQUIRE(run.ok());
  CHECK(run->name() == "trainingRuns/city");
  CHECK(coordinator.calls == "create get get ");
}

TEST_CASE("A run that an earlier call stopped is taken up when it has ended",
          "[larrctl]") {
  FakeCoordinator coordinator({TrainingRun::RUNNING, TrainingRun::CANCELLED,
                               TrainingRun::QUEUED, TrainingRun::SUCCEEDED});
  coordinator.stopping = true;
  CHECK(coordinator.Finish().ok());
  CHECK(coordinator.calls == "create get resume get ");
}

TEST_CASE("A run that fails says why", "[larrctl]") {
  FakeCoordinator coordinator({TrainingRun::QUEUED, TrainingRun::FAILED});
  const auto run = coordinator.Finish();
  CHECK(absl::IsAborted(run.status()));
  CHECK(run.status().message() == "trainingRuns/city failed: no room");
}

TEST_CASE("An interrupt stops a run, and waits for its end", "[larrctl]") {
  FakeCoordinator coordinator({TrainingRun::RUNNING, TrainingRun::RUNNING,
                               TrainingRun::RUNNING, TrainingRun::CANCELLED});
  programs::CatchInterrupts();
  raise(SIGINT);
  CHECK(absl::IsCancelled(coordinator.Finish().status()));
  CHECK(coordinator.calls == "create cancel get get ");
  programs::ForgetInterrupt();
}

TEST_CASE("A stage's artifact is found by the stage", "[larrctl]") {
  TrainingRun run;
  StageRun& stage = *run.add_stages();
  stage.set_id("align/larr");
  stage.set_artifact_path("/runs/city/align-larr");
  CHECK(ArtifactOf(run, "align/larr") == "/runs/city/align-larr");
  CHECK(ArtifactOf(run, "embed").empty());
}

}  // namespace
}  // namespace larr::ctl
