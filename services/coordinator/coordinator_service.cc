// SPDX-License-Identifier: Apache-2.0
#include "services/coordinator/coordinator_service.h"

#include <fmt/format.h>

#include <fstream>
#include <utility>

#include "absl/time/clock.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/config/stage_files.h"
#include "common/rpc/grpc_status.h"
#include "common/rpc/resource_requests.h"
#include "services/coordinator/training_plan.h"

namespace larr {
namespace {

using coordinator::v1::CancelTrainingRunRequest;
using coordinator::v1::CreateTrainingRunRequest;
using coordinator::v1::GetTrainingRunRequest;
using coordinator::v1::ListTrainingRunsRequest;
using coordinator::v1::ListTrainingRunsResponse;
using coordinator::v1::ResumeTrainingRunRequest;
using coordinator::v1::StageRun;
using coordinator::v1::StreamStageLogRequest;
using coordinator::v1::StreamStageLogResponse;
using coordinator::v1::TrainingRun;
using coordinator::v1::WatchTrainingRunRequest;

constexpr size_t kLogChunk = 64 << 10;
// How soon a stream notices that its client is gone.
constexpr absl::Duration kStreamPoll = absl::Milliseconds(200);

absl::StatusOr<StageRun> FindStage(const TrainingRun& run,
                                   const std::string& id) {
  std::string known;
  for (const StageRun& stage : run.stages()) {
    if (stage.id() == id) return stage;
    known += " " + stage.id();
  }
  return absl::NotFoundError(
      fmt::format("{} has no stage `{}`; it has{}", run.name(), id, known));
}

// Whether a process may still write to the stage's log.
bool MayWrite(const TrainingRun& run, const StageRun& stage) {
  return !IsFinished(run) && (stage.state() == StageRun::PENDING ||
                              stage.state() == StageRun::RUNNING);
}

}  // namespace

CoordinatorServiceImpl::CoordinatorServiceImpl(Coordinator& coordinator,
                                               CoordinatorMetrics& metrics)
    : coordinator_(coordinator), metrics_(metrics) {}

grpc::Status CoordinatorServiceImpl::CreateTrainingRun(
    grpc::ServerContext*, const CreateTrainingRunRequest* request,
    TrainingRun* response) {
  return metrics_.Answer(
      "CreateTrainingRun",
      Fill(coordinator_.CreateRun(request->training_run_id(),
                                  request->training_run().spec()),
           response));
}

grpc::Status CoordinatorServiceImpl::GetTrainingRun(
    grpc::ServerContext*, const GetTrainingRunRequest* request,
    TrainingRun* response) {
  return metrics_.Answer("GetTrainingRun",
                         Fill(coordinator_.GetRun(request->name()), response));
}

grpc::Status CoordinatorServiceImpl::ListTrainingRuns(
    grpc::ServerContext*, const ListTrainingRunsRequest* request,
    ListTrainingRunsResponse* response) {
  const auto list = [&]() -> absl::Status {
    LARR_ASSIGN_OR_RETURN(const int size, PageSize(request->page_size()));
    LARR_ASSIGN_OR_RETURN(auto page,
                          coordinator_.ListRuns(size, request->page_token()));
    for (TrainingRun& run : page.items) {
      *response->add_training_runs() = std::move(run);
    }
    response->set_next_page_token(page.next_token);
    return absl::OkStatus();
  };
  return metrics_.Answer("ListTrainingRuns", list());
}

grpc::Status CoordinatorServiceImpl::CancelTrainingRun(
    grpc::ServerContext*, const CancelTrainingRunRequest* request,
    TrainingRun* response) {
  return metrics_.Answer(
      "CancelTrainingRun",
      Fill(coordinator_.CancelRun(request->name()), response));
}

grpc::Status CoordinatorServiceImpl::ResumeTrainingRun(
    grpc::ServerContext*, const ResumeTrainingRunRequest* request,
    TrainingRun* response) {
  return metrics_.Answer(
      "ResumeTrainingRun",
      Fill(coordinator_.ResumeRun(request->name()), response));
}

grpc::Status CoordinatorServiceImpl::WatchTrainingRun(
    grpc::ServerContext* context, const WatchTrainingRunRequest* request,
    grpc::ServerWriter<TrainingRun>* writer) {
  return metrics_.Answer("WatchTrainingRun",
                         WatchRun(*context, request->name(), *writer));
}

grpc::Status CoordinatorServiceImpl::StreamStageLog(
    grpc::ServerContext* context, const StreamStageLogRequest* request,
    grpc::ServerWriter<StreamStageLogResponse>* writer) {
  return metrics_.Answer("StreamStageLog",
                         StreamLog(*context, *request, *writer));
}

absl::Status CoordinatorServiceImpl::StreamStatus(
    const grpc::ServerContext& context) const {
  if (context.IsCancelled()) return absl::CancelledError("the client left");
  if (ending_) {
    return absl::UnavailableError(
        "the coordinator is stopping; runs go on, watch again later");
  }
  return absl::OkStatus();
}

absl::Status CoordinatorServiceImpl::WatchRun(
    const grpc::ServerContext& context, const std::string& name,
    grpc::ServerWriter<TrainingRun>& writer) {
  std::string sent;
  int64_t seen = 0;
  while (true) {
    LARR_ASSIGN_OR_RETURN(const TrainingRun run, coordinator_.GetRun(name));
    if (std::string bytes = run.SerializeAsString(); bytes != sent) {
      if (!writer.Write(run)) return absl::CancelledError("the client left");
      sent = std::move(bytes);
    }
    if (IsFinished(run)) return absl::OkStatus();
    LARR_RETURN_IF_ERROR(StreamStatus(context));
    seen = coordinator_.WaitForChange(seen, kStreamPoll);
  }
}

absl::Status CoordinatorServiceImpl::StreamLog(
    const grpc::ServerContext& context, const StreamStageLogRequest& request,
    grpc::ServerWriter<StreamStageLogResponse>& writer) {
  if (request.offset() < 0) {
    return Invalid("`offset` is {}; it must not be negative", request.offset());
  }
  int64_t offset = request.offset();
  StreamStageLogResponse chunk;
  while (true) {
    // Looked up before the file is read, so that its last words are sent.
    LARR_ASSIGN_OR_RETURN(const TrainingRun run,
                          coordinator_.GetRun(request.name()));
    LARR_ASSIGN_OR_RETURN(const StageRun stage,
                          FindStage(run, request.stage_id()));
    std::ifstream in(
        StageWorkFolder(coordinator_.artifact_root(), run.name(), stage.id()) /
            kLogFile,
        std::ios::binary);
    in.seekg(offset);
    while (in) {
      std::string& bytes = *chunk.mutable_content();
      bytes.resize(kLogChunk);
      in.read(bytes.data(), static_cast<std::streamsize>(kLogChunk));
      bytes.resize(static_cast<size_t>(in.gcount()));
      if (bytes.empty()) break;
      offset += in.gcount();
      if (!writer.Write(chunk)) return absl::CancelledError("the client left");
    }
    if (!request.follow() || !MayWrite(run, stage)) return absl::OkStatus();
    LARR_RETURN_IF_ERROR(StreamStatus(context));
    absl::SleepFor(kStreamPoll);
  }
}

}  // namespace larr
