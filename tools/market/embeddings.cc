// SPDX-License-Identifier: Apache-2.0
#include "tools/market/embeddings.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <thread>
#include <utility>

#include "common/base/artifact_folder.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/rpc/grpc_status.h"
#include "larr/config/v1/server.pb.h"
#include "larr/config/v1/training.pb.h"
#include "tools/programs/interrupts.h"

namespace larr::market {
namespace {

namespace fs = std::filesystem;
using embedding::v1::EmbeddingService;
using embedding::v1::RefreshJob;

constexpr int kAttempts = 3;  // Jobs of a day.
constexpr auto kPoll = std::chrono::milliseconds(100);
constexpr std::chrono::seconds kCallTime(30);

bool IsOver(const RefreshJob& job) {
  return job.state() == RefreshJob::SUCCEEDED ||
         job.state() == RefreshJob::FAILED ||
         job.state() == RefreshJob::CANCELLED;
}

}  // namespace

Embeddings::Embeddings(programs::Server server)
    : server_(std::move(server)),
      stub_(EmbeddingService::NewStub(grpc::CreateChannel(
          server_.address(), grpc::InsecureChannelCredentials()))) {}

absl::StatusOr<Embeddings> Embeddings::Start(const Market& market,
                                             const fs::path& folder) {
  // Texts are encoded as those of the snapshot were.
  LARR_ASSIGN_OR_RETURN(const auto manifest,
                        ReadArtifact(market.options().snapshot));
  LARR_ASSIGN_OR_RETURN(
      auto embed, ParseTextProto<config::v1::EmbedConfig>(manifest.config()));
  config::v1::EmbeddingConfig config;
  config.set_state_dir((folder / "embedding").string());
  config.set_snapshot_dir((folder / "snapshots").string());
  config.set_checkpoint(market.options().embedder.string());
  config.set_dataset((folder / "dataset/dataset.textproto").string());
  config.set_base_snapshot(market.options().snapshot.string());
  *config.mutable_embed() = std::move(embed);
  LARR_ASSIGN_OR_RETURN(programs::Server server,
                        programs::Server::Start("larr_embedding", config,
                                                folder / "embedding.textproto",
                                                folder / "embedding.log"));
  return Embeddings(std::move(server));
}

absl::StatusOr<RefreshJob> Embeddings::Refresh(const std::string& date) {
  RefreshJob job;
  int failures = 0;  // Of this call: those of an earlier one are over at once.
  for (int number = 1; failures < kAttempts; ++number) {
    embedding::v1::CreateRefreshJobRequest request;
    request.set_refresh_job_id(fmt::format("market-{}-{}", date, number));
    request.mutable_refresh_job()->set_as_of_date(date);
    bool waited = false;
    do {
      LARR_RETURN_IF_ERROR(programs::CheckInterrupt());
      LARR_RETURN_IF_ERROR(server_.Check());
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + kCallTime);
      context.set_wait_for_ready(true);
      // The same job each time: the call is a look at it.
      LARR_RETURN_IF_ERROR(
          FromGrpc(stub_->CreateRefreshJob(&context, request, &job)));
      if (!IsOver(job)) {
        waited = true;
        std::this_thread::sleep_for(kPoll);
      }
    } while (!IsOver(job));
    if (job.state() == RefreshJob::SUCCEEDED) return job;
    failures += waited ? 1 : 0;
  }
  return absl::AbortedError(fmt::format("{}: {} refreshes failed: {}", date,
                                        kAttempts, job.error_message()));
}

}  // namespace larr::market
