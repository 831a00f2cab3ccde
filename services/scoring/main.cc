// SPDX-License-Identifier: Apache-2.0
//
// The scoring server: a model and a snapshot in, probabilities out. All
// settings are in the config file; see deploy/config/scoring.textproto.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/rpc/grpc_server.h"
#include "common/rpc/shutdown_signal.h"
#include "common/telemetry/logging.h"
#include "services/scoring/bundle_manager.h"
#include "services/scoring/bundle_router.h"
#include "services/scoring/scoring_admin_service.h"
#include "services/scoring/scoring_service.h"

namespace larr {
namespace {

using config::v1::ScoringConfig;

absl::Status CheckConfig(const ScoringConfig& config) {
  const bool by_path =
      !config.model_path().empty() || !config.snapshot_path().empty();
  if (by_path && !config.alias_file().empty()) {
    return absl::InvalidArgumentError(
        "set either alias_file, or model_path and snapshot_path");
  }
  if (!by_path && config.alias_file().empty() &&
      config.admin_listen().empty()) {
    return absl::InvalidArgumentError(
        "nothing to serve: set alias_file, or model_path and snapshot_path, or "
        "admin_listen to switch to a bundle later");
  }
  if (config.max_candidates() < 0 || config.threads() < 0 ||
      config.poi_cache_bytes() < 0) {
    return absl::InvalidArgumentError(
        "max_candidates, threads and poi_cache_bytes must not be negative");
  }
  return absl::OkStatus();
}

// The object graph in the order it is built; torn down in reverse.
absl::Status RunScoring(const std::string& path) {
  LARR_ASSIGN_OR_RETURN(const auto config, LoadTextProto<ScoringConfig>(path));
  LARR_RETURN_IF_ERROR(CheckConfig(config));
  const auto registry =  // shared with the exposer
      std::make_shared<prometheus::Registry>();
  ScoringMetrics metrics(*registry);
  Readiness readiness;
  BundleOptions bundle;
  if (config.poi_cache_bytes() > 0) {
    bundle.poi_cache_bytes = config.poi_cache_bytes() / 2;
  }
  BundleManager bundles(config.alias_file(), metrics, {}, bundle);
  if (!config.model_path().empty() || !config.snapshot_path().empty()) {
    LARR_RETURN_IF_ERROR(
        bundles.Switch(config.model_path(), config.snapshot_path()).status());
  }
  BundleRouter router({.arms_file = config.arms_file(),
                       .bundle = bundle,
                       .on_ready = [&] { readiness.Set(); }},
                      bundles, *registry);
  ScoringOptions options;
  if (config.max_candidates() > 0) {
    options.max_candidates = config.max_candidates();
  }
  if (config.threads() > 0) options.threads = config.threads();
  ScoringService service(options, bundles, metrics);
  ScoringAdminService admin(bundles, router);
  GrpcServerOptions server;
  server.services = {&service};
  server.readiness = &readiness;
  server.admin_services = {&admin};
  server.admin_listen = config.admin_listen();
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
  const absl::Status status = larr::RunScoring(path);
  if (!status.ok()) spdlog::critical("{}", status.ToString());
  return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
