// SPDX-License-Identifier: Apache-2.0
//
// The scoring server: a model and a snapshot in, probabilities out. All
// settings are in the config file; see deploy/config/scoring.textproto.
#include <google/protobuf/stubs/logging.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "common/base/status_macros.h"
#include "common/rpc/grpc_server.h"
#include "common/rpc/shutdown_signal.h"
#include "common/telemetry/logging.h"
#include "services/scoring/admission_metrics.h"
#include "services/scoring/bundle_manager.h"
#include "services/scoring/bundle_router.h"
#include "services/scoring/request_log.h"
#include "services/scoring/score_drift.h"
#include "services/scoring/scoring_admin_service.h"
#include "services/scoring/scoring_service.h"
#include "services/scoring/settings.h"
#include "services/scoring/shadow_runner.h"

namespace larr {
namespace {

// The object graph in the order it is built; torn down in reverse.
absl::Status RunScoring(const std::string& path) {
  LARR_ASSIGN_OR_RETURN(const auto settings, LoadScoringSettings(path));
  const config::v1::ScoringConfig& config = settings.config;
  LARR_RETURN_IF_ERROR(
      CheckServerConfig(config.server(), config.admin_listen()));
  const auto registry =  // shared with the exposer
      std::make_shared<prometheus::Registry>();
  std::unique_ptr<RequestLog> log;
  if (config.has_request_log()) {
    LARR_ASSIGN_OR_RETURN(log,
                          RequestLog::Create(config.request_log(), *registry));
  }
  ScoringMetrics metrics(*registry);
  Readiness readiness;
  BundleOptions bundle = settings.bundle;
  bundle.stop = ShutdownSignalCame;
  BundleManager bundles(config.alias_file(), metrics, bundle);
  if (!config.model_path().empty() || !config.snapshot_path().empty()) {
    const absl::Status loaded =
        bundles.Switch(config.model_path(), config.snapshot_path()).status();
    if (ShutdownSignalCame()) {
      spdlog::info("stopped before serving");
      return absl::OkStatus();
    }
    LARR_RETURN_IF_ERROR(loaded);
  }
  BundleRouter router({.arms_file = config.arms_file(),
                       .bundle = bundle,
                       .on_ready = [&] { readiness.Set(); }},
                      bundles, *registry);
  ShadowRunner shadows(router, *registry);
  ScoreDrift drift(*registry);
  std::vector<ScoreObserver*> observers = {&shadows, &drift};
  if (log != nullptr) observers.push_back(log.get());
  AdmissionMetrics admission_metrics(*registry);
  ScoringService service(settings.service, router, observers, metrics,
                         admission_metrics);
  ScoringAdminService admin(bundles, router, metrics);
  GrpcServerOptions server;
  server.services = {&service};
  server.readiness = &readiness;
  server.admin_services = {&admin};
  server.admin_listen = config.admin_listen();
  server.score_methods = {"/larr.scoring.v1.ScoringService/"};
  server.metrics = registry;
  return ServeUntilSignal(config.server(), std::move(server));
}

}  // namespace
}  // namespace larr

int main(int argc, char** argv) {
  larr::CatchShutdownSignals();
  CLI::App app("Scores candidates with a model and a snapshot.");
  std::string path;
  app.add_option("--config", path, "Path of a ScoringConfig text proto.")
      ->required();
  CLI11_PARSE(app, argc, argv);
  larr::InitLogging("scoring");
  // Malformed requests are told so; a line for each would fill the log.
  google::protobuf::SetLogHandler(nullptr);
  const absl::Status status = larr::RunScoring(path);
  if (!status.ok()) spdlog::critical("{}", status.ToString());
  return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
