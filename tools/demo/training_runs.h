// SPDX-License-Identifier: Apache-2.0
//
// A coordinator of our own, and training runs on it, each to its end.
//
// Threads:    one.
// Errors:     those of the coordinator; kCancelled after an interrupt
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "larr/config/v1/server.pb.h"
#include "larr/config/v1/training.pb.h"
#include "larr/coordinator/v1/coordinator_service.grpc.pb.h"
#include "tools/demo/child_process.h"

namespace larr::demo {

// Where a coordinator is and writes.
struct CoordinatorPlaces {
  std::filesystem::path programs;   // Folder of larr_coordinator, larr_stage.
  std::filesystem::path state;      // Its `state_dir`.
  std::filesystem::path artifacts;  // Its `artifact_root`.
  std::filesystem::path settings;   // A file; its port file is beside it.
  std::filesystem::path log;
};

class TrainingRuns {
 public:
  // Starts the coordinator, on a free port.
  static absl::StatusOr<TrainingRuns> Start(const CoordinatorPlaces& places);

  // Runs `spec` to its end and shows its progress. A run of that id from an
  // earlier call is taken up where it was; an interrupt stops its stages, and
  // their checkpoints stay.
  // Errors: kAborted  it failed
  absl::StatusOr<coordinator::v1::TrainingRun> Finish(
      const std::string& id, const config::v1::TrainingSpec& spec);

 private:
  using Service = coordinator::v1::CoordinatorService;
  using TrainingRun = coordinator::v1::TrainingRun;

  explicit TrainingRuns(Server server);

  template <typename Method, typename Request>
  absl::StatusOr<TrainingRun> Call(Method method, const Request& request);
  absl::StatusOr<TrainingRun> Get(const std::string& name);
  absl::StatusOr<TrainingRun> Begin(const std::string& id,
                                    const config::v1::TrainingSpec& spec);
  absl::Status Cancel(const std::string& name);
  absl::StatusOr<TrainingRun> Watch(TrainingRun run);

  Server server_;
  std::unique_ptr<Service::Stub> stub_;
};

// The folder of a stage's artifact; empty if the run has no such stage.
// REQUIRES: the run succeeded.
std::filesystem::path ArtifactOf(const coordinator::v1::TrainingRun& run,
                                 const std::string& stage);

}  // namespace larr::demo
