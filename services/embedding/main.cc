// SPDX-License-Identifier: Apache-2.0
//
// The embedding server: texts to vectors, and a dataset's texts to a snapshot.
// Settings: larr.config.v1.EmbeddingConfig.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <memory>
#include <string>

#include "common/base/status_macros.h"
#include "common/rpc/grpc_server.h"
#include "common/rpc/shutdown_signal.h"
#include "common/telemetry/logging.h"
#include "services/embedding/embedding_service.h"
#include "services/embedding/job_runner.h"
#include "services/embedding/open_encoder.h"
#include "services/embedding/settings.h"

namespace larr {
namespace {

// The object graph in the order it is built. It is torn down in reverse.
absl::Status RunEmbedding(const std::string& path) {
  LARR_ASSIGN_OR_RETURN(const auto config, LoadEmbeddingSettings(path));
  LARR_RETURN_IF_ERROR(CheckServerConfig(config.server(), ""));
  LARR_ASSIGN_OR_RETURN(
      const auto encoder,
      OpenTextEncoder(config.checkpoint(), config.embed(), config.threads()));
  const auto metrics = std::make_shared<prometheus::Registry>();
  std::atomic<bool> broken = false;
  JobRunner::Observer observer = RefreshMetrics(*metrics);
  observer.broken = [&] {
    broken = true;
    RequestShutdown();
  };
  LARR_ASSIGN_OR_RETURN(const auto runner,
                        JobRunner::Start(config, *encoder, observer));
  EmbeddingService service(*runner, *encoder, *metrics);
  GrpcServerOptions options;
  options.services = {&service};
  options.metrics = metrics;
  for (const char* method : {"EmbedTexts", "BatchGetEmbeddings", "SearchPois"})
    options.score_methods.push_back(
        fmt::format("/larr.embedding.v1.EmbeddingService/{}", method));
  options.on_drain = [&] { runner->Stop(); };
  LARR_RETURN_IF_ERROR(ServeUntilSignal(config.server(), std::move(options)));
  if (!broken) return absl::OkStatus();
  return absl::UnavailableError(
      fmt::format("jobs cannot be stored in {}: make its disk take writes, and "
                  "start again",
                  config.state_dir()));
}

}  // namespace
}  // namespace larr

int main(int argc, char** argv) {
  larr::CatchShutdownSignals();
  CLI::App app("Serves embeddings of texts, and refreshes snapshots.");
  std::string path;
  app.add_option("--config", path, "Path of an EmbeddingConfig text proto.")
      ->required();
  CLI11_PARSE(app, argc, argv);
  larr::InitLogging("embedding");
  const absl::Status status = larr::RunEmbedding(path);
  if (status.ok()) return EXIT_SUCCESS;
  spdlog::critical("embedding stopped: {}", status.ToString());
  return EXIT_FAILURE;
}
