// SPDX-License-Identifier: Apache-2.0
//
// A gRPC server as every program of ours runs it: health service, reflection,
// size limits, metrics on a port of their own, a drain on SIGTERM, and, as the
// settings say, TLS and roles.
//
// Health:     the empty name and each service's own say whether calls are
//             taken; kLivenessName says SERVING from start to drain.
// Ownership:  services are the caller's and must outlive the server.
// Threads:    Start and the destructor from one thread; the rest is safe.
#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <prometheus/registry.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rpc/access.h"
#include "common/rpc/guard_metrics.h"
#include "common/rpc/readiness.h"
#include "common/telemetry/metrics.h"
#include "larr/config/v1/server.pb.h"

namespace larr {

// What a supervisor asks the health service for: a server that is not ready
// should be waited for, one that is not alive be started again.
inline constexpr char kLivenessName[] = "liveness";

struct GrpcServerOptions {
  std::vector<grpc::Service*> services;
  // When `services` take calls; null: from the start. Outlives the server.
  Readiness* readiness = nullptr;
  // Served on a port of their own, where `admin_listen` is not empty.
  std::vector<grpc::Service*> admin_services;
  std::string admin_listen;
  // What callers of the role `score` may call; see common/rpc/access.h.
  std::vector<std::string> score_methods;
  // Exposed at the config's `metrics_listen`. Shared with the services.
  std::shared_ptr<prometheus::Registry> metrics;
  // Called once when a drain begins, after the pause: ends streams that would
  // last for ever. May be empty.
  std::function<void()> on_drain;
};

// What `Start` would say of settings and of files of TLS and tokens, without
// serving: before work that takes long.
absl::Status CheckServerConfig(const config::v1::ServerConfig& config,
                               const std::string& admin_listen);

class GrpcServer {
 public:
  // Binds the ports and serves. Writes `port_file`, if set, once it does: the
  // bound address, and on a second line that of the admin port if there is one.
  // Errors: kInvalidArgument  `listen` is empty, a number is out of range, or
  //                           others than this machine reach an admin port for
  //                           which `access.admin` names nobody
  //         kUnavailable      a port cannot be bound
  //         others            of files of TLS and tokens
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(
      const config::v1::ServerConfig& config, GrpcServerOptions options);

  // Drains if that was not done.
  ~GrpcServer();

  // Bound addresses, host:port.
  const std::string& address() const { return address_; }
  const std::string& admin_address() const { return admin_address_; }

  // Health says NOT_SERVING; after the config's `shutdown_pause_ms` new calls
  // are refused, and calls in flight have `drain_seconds` to end; the rest is
  // cancelled.
  void Drain();

 private:
  GrpcServer() = default;
  absl::Status Listen(const config::v1::ServerConfig& config);
  absl::Status Expose(const config::v1::ServerConfig& config);

  GrpcServerOptions options_;
  std::chrono::seconds drain_time_{0};
  std::chrono::milliseconds pause_{0};
  std::string address_, admin_address_;
  std::unique_ptr<GuardMetrics> guard_metrics_;
  std::unique_ptr<Access> access_;  // null: whoever reaches a port may use it
  std::shared_ptr<grpc::ServerCredentials> credentials_, admin_credentials_;
  std::unique_ptr<MetricsExposer> exposer_;
  std::unique_ptr<grpc::Server> server_, admin_server_;
};

// Start, wait for SIGTERM or SIGINT, drain; also for a signal that came before.
// REQUIRES: main began with CatchShutdownSignals (shutdown_signal.h).
absl::Status ServeUntilSignal(const config::v1::ServerConfig& config,
                              GrpcServerOptions options);

}  // namespace larr
