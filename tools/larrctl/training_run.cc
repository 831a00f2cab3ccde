// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/training_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include "common/base/status_macros.h"
#include "larr/coordinator/v1/coordinator_service.grpc.pb.h"
#include "tools/larrctl/progress_view.h"
#include "tools/larrctl/service_client.h"
#include "tools/programs/interrupts.h"

namespace larr::ctl {
namespace {

using namespace coordinator::v1;  // NOLINT: one service's messages
using Stub = CoordinatorService::Stub;

constexpr auto kPoll = std::chrono::milliseconds(300);
constexpr auto kRestart = std::chrono::seconds(30);

bool IsOver(const TrainingRun& run) {
  return run.state() != TrainingRun::QUEUED &&
         run.state() != TrainingRun::RUNNING;
}

class Follower {
 public:
  explicit Follower(const Session& session)
      : client_(session), shows_(!session.json) {}

  // Creates the run, or takes up the one of an earlier call.
  absl::StatusOr<TrainingRun> Begin(const std::string& id,
                                    const config::v1::TrainingSpec& spec);
  // Until it is over.
  absl::StatusOr<TrainingRun> Watch(TrainingRun run);

 private:
  // Stops the stages and waits for their end: only a run that is over can be
  // resumed.
  absl::Status Cancel(TrainingRun run);
  // A call about a run, e.g. Ask<GetTrainingRunRequest>(&Stub::..., run).
  template <typename Request, typename Method>
  absl::StatusOr<TrainingRun> Ask(Method method, const TrainingRun& run) {
    Request request;
    request.set_name(run.name());
    return client_.Call(method, request);
  }
  // The run as it is a little later. A server that does not answer is asked
  // again for a while, as it may be restarting: the stages go on without it.
  absl::StatusOr<TrainingRun> Later(const TrainingRun& run) {
    const auto deadline = std::chrono::steady_clock::now() + kRestart;
    while (true) {
      std::this_thread::sleep_for(kPoll);
      auto later = Ask<GetTrainingRunRequest>(&Stub::GetTrainingRun, run);
      if (!absl::IsUnavailable(later.status()) &&
          !absl::IsDeadlineExceeded(later.status()))
        return later;
      if (programs::Interrupted() ||
          std::chrono::steady_clock::now() > deadline)
        return later;
    }
  }

  const ServiceClient<CoordinatorService, Server::kCoordinator> client_;
  const bool shows_;
};

absl::StatusOr<TrainingRun> Follower::Begin(
    const std::string& id, const config::v1::TrainingSpec& spec) {
  CreateTrainingRunRequest create;
  create.set_training_run_id(id);
  *create.mutable_training_run()->mutable_spec() = spec;
  LARR_ASSIGN_OR_RETURN(TrainingRun run,
                        client_.Call(&Stub::CreateTrainingRun, create));
  // The earlier one was killed while it stopped the stages.
  while (run.cancel_requested() && !IsOver(run)) {
    LARR_RETURN_IF_ERROR(programs::CheckInterrupt());
    LARR_ASSIGN_OR_RETURN(run, Later(run));
  }
  if (run.state() != TrainingRun::FAILED &&
      run.state() != TrainingRun::CANCELLED)
    return run;
  return Ask<ResumeTrainingRunRequest>(&Stub::ResumeTrainingRun, run);
}

absl::Status Follower::Cancel(TrainingRun run) {
  fmt::print("interrupted: waiting for the stage to stop\n");
  std::fflush(stdout);
  LARR_ASSIGN_OR_RETURN(
      run, Ask<CancelTrainingRunRequest>(&Stub::CancelTrainingRun, run));
  while (!IsOver(run)) {
    LARR_ASSIGN_OR_RETURN(run, Later(run));
  }
  return programs::CheckInterrupt();
}

absl::StatusOr<TrainingRun> Follower::Watch(TrainingRun run) {
  ProgressView view(stdout, isatty(STDOUT_FILENO));
  while (true) {
    if (shows_) view.Update(ToProgress(run));
    if (IsOver(run)) return run;
    if (programs::Interrupted()) return Cancel(std::move(run));
    LARR_ASSIGN_OR_RETURN(run, Later(run));
  }
}

}  // namespace

absl::StatusOr<TrainingRun> FinishTrainingRun(
    const Session& session, const std::string& id,
    const config::v1::TrainingSpec& spec) {
  Follower follower(session);
  LARR_ASSIGN_OR_RETURN(TrainingRun run, follower.Begin(id, spec));
  LARR_ASSIGN_OR_RETURN(run, follower.Watch(std::move(run)));
  if (run.state() == TrainingRun::SUCCEEDED) return run;
  return absl::AbortedError(
      fmt::format("{} {}", run.name(),
                  run.state() == TrainingRun::CANCELLED
                      ? "was cancelled by someone else"
                      : "failed: " + run.error_message()));
}

std::filesystem::path ArtifactOf(const TrainingRun& run,
                                 const std::string& stage) {
  for (const StageRun& candidate : run.stages())
    if (candidate.id() == stage) return candidate.artifact_path();
  return {};
}

}  // namespace larr::ctl
