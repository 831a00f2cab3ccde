// SPDX-License-Identifier: Apache-2.0
//
// The real coordinator in a folder of its own, for test classes to derive from.
#pragma once

#include <grpcpp/create_channel.h>
#include <signal.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "larr/config/v1/server.pb.h"
#include "larr/config/v1/training.pb.h"
#include "larr/coordinator/v1/coordinator_service.grpc.pb.h"
#include "tests/testing/server_program.h"
#include "tests/testing/temp_dir.h"

namespace larr::testing {

class CoordinatorFixture {
 public:
  // Starts `program`. `config` says what matters to the test; its address and
  // its folders are filled in.
  CoordinatorFixture(const std::string& program,
                     config::v1::CoordinatorConfig config) {
    config.set_state_dir(path("state"));
    config.set_artifact_root(path("artifacts"));
    coordinator_ =
        std::make_unique<ServerProgram>(program, config, path("coordinator"));
    Connect();
  }
  // Stages outlive the coordinator; they must not outlive the test.
  ~CoordinatorFixture() {
    coordinator_.reset();
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(path("state"))) {
      if (const int pid = PidIn(entry.path()); pid > 0) kill(-pid, SIGKILL);
    }
  }

 protected:
  std::string path(const std::string& name) const { return dir_.path() / name; }

  // Kills the present one, if it lives.
  void RestartCoordinator() {
    coordinator_->Restart();
    Connect();
  }

  void Connect() {
    const auto channel = grpc::CreateChannel(
        coordinator_->address(), grpc::InsecureChannelCredentials());
    runs_ = coordinator::v1::CoordinatorService::NewStub(channel);
    models_ = coordinator::v1::ModelRegistryService::NewStub(channel);
  }

  coordinator::v1::TrainingRun StartRun(const std::string& id,
                                        const config::v1::TrainingSpec& spec) {
    coordinator::v1::CreateTrainingRunRequest request;
    request.set_training_run_id(id);
    *request.mutable_training_run()->mutable_spec() = spec;
    coordinator::v1::TrainingRun run;
    grpc::ClientContext context;
    const auto status = runs_->CreateTrainingRun(&context, request, &run);
    INFO(status.error_message());
    REQUIRE(status.ok());
    return run;
  }
  coordinator::v1::TrainingRun GetRun(const std::string& id) {
    coordinator::v1::GetTrainingRunRequest request;
    request.set_name("trainingRuns/" + id);
    coordinator::v1::TrainingRun run;
    grpc::ClientContext context;
    REQUIRE(runs_->GetTrainingRun(&context, request, &run).ok());
    return run;
  }
  // Waits until the run is finished, as a client that watches does.
  coordinator::v1::TrainingRun FinishRun(const std::string& id) {
    coordinator::v1::WatchTrainingRunRequest request;
    request.set_name("trainingRuns/" + id);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::minutes(3));
    const auto reader = runs_->WatchTrainingRun(&context, request);
    coordinator::v1::TrainingRun run;
    while (reader->Read(&run)) ++updates_;
    const grpc::Status status = reader->Finish();
    INFO(status.error_message() << coordinator_->log());
    REQUIRE(status.ok());
    return run;
  }

  // The process that a process file names; 0 for another file.
  static int PidIn(const std::filesystem::path& file) {
    int attempt = 0, pid = 0;
    if (file.string().find("/processes/") == std::string::npos) return 0;
    return std::ifstream(file) >> attempt >> pid ? pid : 0;
  }

  const TempDir dir_;
  std::unique_ptr<ServerProgram> coordinator_;
  std::unique_ptr<coordinator::v1::CoordinatorService::Stub> runs_;
  std::unique_ptr<coordinator::v1::ModelRegistryService::Stub> models_;
  int updates_ = 0;  // that FinishRun() read
};

}  // namespace larr::testing
