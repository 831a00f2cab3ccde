// SPDX-License-Identifier: Apache-2.0
//
// CoordinatorService over gRPC: each call is checked, handed to the
// Coordinator, counted and translated. See the proto for what each one does.
//
// Ownership:  the coordinator and the metrics must outlive the service.
// Threads:    safe; a stream holds one of gRPC's threads for as long as it
// runs.
#pragma once

#include <atomic>
#include <string>

#include "larr/coordinator/v1/coordinator_service.grpc.pb.h"
#include "services/coordinator/coordinator.h"
#include "services/coordinator/coordinator_metrics.h"

namespace larr {

class CoordinatorServiceImpl final
    : public coordinator::v1::CoordinatorService::Service {
 public:
  CoordinatorServiceImpl(Coordinator& coordinator, CoordinatorMetrics& metrics);

  // Ends the streams, with `UNAVAILABLE`: a client watches again.
  void EndStreams() { ending_ = true; }

  grpc::Status CreateTrainingRun(
      grpc::ServerContext* context,
      const coordinator::v1::CreateTrainingRunRequest* request,
      coordinator::v1::TrainingRun* response) override;
  grpc::Status GetTrainingRun(
      grpc::ServerContext* context,
      const coordinator::v1::GetTrainingRunRequest* request,
      coordinator::v1::TrainingRun* response) override;
  grpc::Status ListTrainingRuns(
      grpc::ServerContext* context,
      const coordinator::v1::ListTrainingRunsRequest* request,
      coordinator::v1::ListTrainingRunsResponse* response) override;
  grpc::Status CancelTrainingRun(
      grpc::ServerContext* context,
      const coordinator::v1::CancelTrainingRunRequest* request,
      coordinator::v1::TrainingRun* response) override;
  grpc::Status ResumeTrainingRun(
      grpc::ServerContext* context,
      const coordinator::v1::ResumeTrainingRunRequest* request,
      coordinator::v1::TrainingRun* response) override;
  grpc::Status WatchTrainingRun(
      grpc::ServerContext* context,
      const coordinator::v1::WatchTrainingRunRequest* request,
      grpc::ServerWriter<coordinator::v1::TrainingRun>* writer) override;
  grpc::Status StreamStageLog(
      grpc::ServerContext* context,
      const coordinator::v1::StreamStageLogRequest* request,
      grpc::ServerWriter<coordinator::v1::StreamStageLogResponse>* writer)
      override;

 private:
  // OK while a stream may go on.
  absl::Status StreamStatus(const grpc::ServerContext& context) const;
  absl::Status WatchRun(
      const grpc::ServerContext& context, const std::string& name,
      grpc::ServerWriter<coordinator::v1::TrainingRun>& writer);
  absl::Status StreamLog(
      const grpc::ServerContext& context,
      const coordinator::v1::StreamStageLogRequest& request,
      grpc::ServerWriter<coordinator::v1::StreamStageLogResponse>& writer);

  Coordinator& coordinator_;
  CoordinatorMetrics& metrics_;
  std::atomic<bool> ending_ = false;
};

}  // namespace larr
