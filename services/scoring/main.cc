// SPDX-License-Identifier: Apache-2.0
//
// The scoring server: a model and a snapshot in, probabilities out. All
// settings are in the config file; see deploy/config/scoring.textproto.
#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/rpc/grpc_server.h"
#include "common/rpc/server_limits.h"
#include "common/rpc/shutdown_signal.h"
#include "common/telemetry/logging.h"
#include "services/scoring/admission_metrics.h"
#include "services/scoring/bundle_manager.h"
#include "services/scoring/bundle_router.h"
#include "services/scoring/request_log.h"
#include "services/scoring/score_drift.h"
#include "services/scoring/scoring_admin_service.h"
#include "services/scoring/scoring_service.h"
#include "services/scoring/shadow_runner.h"

namespace larr {
namespace {

using config::v1::ScoringConfig;

constexpr int kLongestWaitMs = 10'000;
constexpr int kLongestDeadlineMs = 600'000;

absl::Status CheckConfig(const ScoringConfig& config) {
  const bool by_path =
      !config.model_path().empty() || !config.snapshot_path().empty();
  if (by_path && !config.alias_file().empty()) {
    return absl::InvalidArgumentError(
        "set either alias_file, or model_path and snapshot_path");
  }
  if (!by_path && config.alias_file().empty() &&
      config.admin_listen().empty() && config.arms_file().empty()) {
    return absl::InvalidArgumentError(
        "nothing to serve: set alias_file, or model_path and snapshot_path, or "
        "arms_file, or admin_listen to switch to a bundle later");
  }
  if (config.max_candidates() < 0 || config.threads() < 0 ||
      config.poi_cache_bytes() < 0) {
    return absl::InvalidArgumentError(
        "max_candidates, threads and poi_cache_bytes must not be negative");
  }
  const int wait = config.admission().target_wait_ms();
  if (wait < 0 || wait > kLongestWaitMs) {
    return absl::InvalidArgumentError(fmt::format(
        "admission.target_wait_ms is {}; set 0 to {}", wait, kLongestWaitMs));
  }
  const int deadline = config.admission().default_deadline_ms();
  if (deadline < 0 || deadline > kLongestDeadlineMs) {
    return absl::InvalidArgumentError(
        fmt::format("admission.default_deadline_ms is {}; set 0 to {}",
                    deadline, kLongestDeadlineMs));
  }
  const int most = MaxMessageBytes(config.server());
  if (config.max_request_bytes() < 0 || config.max_request_bytes() >= most) {
    return absl::InvalidArgumentError(fmt::format(
        "max_request_bytes is {}; set it to less than the {} bytes of "
        "server.max_message_bytes, or raise those",
        config.max_request_bytes(), most));
  }
  return absl::OkStatus();
}

ScoringOptions Options(const ScoringConfig& config) {
  ScoringOptions options;
  if (config.max_candidates() > 0) {
    options.max_candidates = config.max_candidates();
  }
  // Less than what gRPC reads, so that what is refused is told why.
  options.max_request_bytes = std::min<size_t>(
      options.max_request_bytes,
      static_cast<size_t>(MaxMessageBytes(config.server())) / 2);
  if (config.max_request_bytes() > 0) {
    options.max_request_bytes = static_cast<size_t>(config.max_request_bytes());
  }
  if (config.threads() > 0) options.admission.threads = config.threads();
  const config::v1::AdmissionConfig& admission = config.admission();
  if (admission.target_wait_ms() > 0) {
    options.admission.target_wait =
        std::chrono::milliseconds(admission.target_wait_ms());
  }
  if (admission.default_deadline_ms() > 0) {
    options.default_deadline =
        std::chrono::milliseconds(admission.default_deadline_ms());
  }
  return options;
}

// The object graph in the order it is built; torn down in reverse.
absl::Status RunScoring(const std::string& path) {
  LARR_ASSIGN_OR_RETURN(const auto config, LoadTextProto<ScoringConfig>(path));
  LARR_RETURN_IF_ERROR(CheckConfig(config));
  LARR_RETURN_IF_ERROR(
      CheckServerConfig(config.server(), config.admin_listen()));
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
  ShadowRunner shadows(router, *registry);
  ScoreDrift drift(*registry);
  std::unique_ptr<RequestLog> log;
  if (config.has_request_log()) {
    LARR_ASSIGN_OR_RETURN(log,
                          RequestLog::Create(config.request_log(), *registry));
  }
  std::vector<ScoreObserver*> observers = {&shadows, &drift};
  if (log != nullptr) observers.push_back(log.get());
  AdmissionMetrics admission_metrics(*registry);
  ScoringService service(Options(config), router, observers, metrics,
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
