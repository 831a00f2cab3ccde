// SPDX-License-Identifier: Apache-2.0
//
// The coordinator: training runs in, published models out. All settings are in
// the config file, a larr.config.v1.CoordinatorConfig. Stages outlive this
// program: SIGTERM and even kill -9 leave them running, to be found again.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <thread>

#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "common/config/text_proto.h"
#include "common/rpc/grpc_server.h"
#include "common/rpc/shutdown_signal.h"
#include "common/telemetry/logging.h"
#include "services/coordinator/coordinator.h"
#include "services/coordinator/coordinator_service.h"
#include "services/coordinator/local_executor.h"
#include "services/coordinator/registry_service.h"
#include "services/coordinator/settings.h"

namespace larr {
namespace {

// How soon the end of a stage is noticed.
constexpr absl::Duration kStepInterval = absl::Milliseconds(50);

// The object graph in the order it is built. It is torn down in reverse.
absl::Status RunCoordinator(const std::string& path) {
  LARR_ASSIGN_OR_RETURN(const CoordinatorSettings settings,
                        LoadCoordinatorSettings(path));
  LARR_RETURN_IF_ERROR(CheckServerConfig(settings.server, ""));
  const auto prometheus = std::make_shared<prometheus::Registry>();
  CoordinatorMetrics metrics(*prometheus);
  LARR_ASSIGN_OR_RETURN(const auto store,
                        RunStore::Open(settings.state_dir / "db"));
  Registry registry(*store, settings.coordinator.artifact_root);
  LocalExecutor executor({.stage_program = settings.stage_program,
                          .process_folder = settings.state_dir / "processes"});
  LARR_ASSIGN_OR_RETURN(
      const auto coordinator,
      Coordinator::Open(settings.coordinator,
                        {*store, registry, executor, metrics}));
  coordinator->Step();  // Takes up what runs, before calls are answered.
  const std::jthread loop([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      coordinator->Step();
      coordinator->WaitForWork(kStepInterval);
    }
  });
  CoordinatorServiceImpl runs(*coordinator, metrics);
  RegistryServiceImpl models(registry, *store, metrics);
  return ServeUntilSignal(settings.server,
                          {.services = {&runs, &models},
                           .metrics = prometheus,
                           .on_drain = [&] { runs.EndStreams(); }});
}

}  // namespace
}  // namespace larr

int main(int argc, char** argv) {
  larr::CatchShutdownSignals();
  CLI::App app("Runs training runs and keeps the model registry.");
  std::string path;
  app.add_option("--config", path, "Path of a CoordinatorConfig text proto.")
      ->required();
  CLI11_PARSE(app, argc, argv);
  larr::InitLogging("coordinator");
  const absl::Status status = larr::RunCoordinator(path);
  if (status.ok()) return EXIT_SUCCESS;
  std::fprintf(stderr, "error: %s\n", std::string(status.message()).c_str());
  return EXIT_FAILURE;
}
