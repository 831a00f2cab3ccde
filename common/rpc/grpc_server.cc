// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/grpc_server.h"

#include <fmt/format.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>
#include <spdlog/spdlog.h>

#include <mutex>
#include <thread>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/rpc/address.h"
#include "common/rpc/server_credentials.h"
#include "common/rpc/server_limits.h"
#include "common/rpc/shutdown_signal.h"
#include "common/rpc/tls_files.h"

namespace larr {
namespace {

constexpr int kLongestPauseMs = 600'000;

// The address that a client of this machine dials.
std::string Bound(const std::string& listen, int port) {
  return fmt::format("{}:{}", listen.substr(0, listen.rfind(':')), port);
}

// Reads the names of a server's services. The health service must be told
// them: by itself it knows the empty name alone.
class ServiceNames : public grpc::ServerBuilderPlugin,
                     public grpc::ServerBuilderOption {
 public:
  explicit ServiceNames(std::vector<std::string>& names) : names_(names) {}

  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>*
                         plugins) override {
    plugins->push_back(std::make_unique<ServiceNames>(names_));
  }
  std::string name() override { return "service_names"; }
  void InitServer(grpc::ServerInitializer*) override {}
  void Finish(grpc::ServerInitializer* server) override {
    names_ = *server->GetServiceList();
  }
  void ChangeArguments(const std::string&, void*) override {}

 private:
  std::vector<std::string>& names_;
};

// Builds one server; `address` receives where it listens.
absl::StatusOr<std::unique_ptr<grpc::Server>> Build(
    const std::string& listen,
    const std::shared_ptr<grpc::ServerCredentials>& credentials,
    const std::vector<grpc::Service*>& services,
    const config::v1::ServerConfig& config, Readiness* readiness,
    std::string& address) {
  int port = 0;
  std::vector<std::string> names;
  grpc::ServerBuilder builder;
  // Without this option a second server could silently share the port.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(listen, credentials, &port);
  ApplyLimits(config, builder);
  builder.SetOption(std::make_unique<ServiceNames>(names));
  for (grpc::Service* service : services) builder.RegisterService(service);
  auto server = builder.BuildAndStart();
  if (server == nullptr || port == 0)
    return absl::UnavailableError(fmt::format(
        "cannot listen on {}: is the address in use or not of this machine?",
        listen));
  address = Bound(listen, port);
  auto* health = server->GetHealthCheckService();
  for (const std::string& name : names) health->SetServingStatus(name, true);
  if (readiness != nullptr) readiness->Attach(health);
  health->SetServingStatus(kLivenessName, true);
  return server;
}

absl::Status CheckPause(const config::v1::ServerConfig& config) {
  const int pause = config.shutdown_pause_ms();
  if (pause < 0 || pause > kLongestPauseMs) {
    return Invalid("server.shutdown_pause_ms is {}; set 0 to {}", pause,
                   kLongestPauseMs);
  }
  return absl::OkStatus();
}

absl::Status CheckNetwork(const config::v1::ServerConfig& config,
                          const std::string& admin_listen) {
  if (!admin_listen.empty() && !IsLoopback(admin_listen) &&
      !config.access().has_admin()) {
    return Invalid(
        "admin_listen is {}, where others than this machine may decide what is "
        "served; set it to 127.0.0.1:PORT, or say by server.access.admin who "
        "may use it",
        admin_listen);
  }
  return absl::OkStatus();
}

void WarnOfOpenPorts(const config::v1::ServerConfig& config) {
  if (IsLoopback(config.listen())) return;
  if (!config.has_access())
    spdlog::warn("open_to_all address={} missing=server.access",
                 config.listen());
  if (!config.has_tls())
    spdlog::warn("plain_text address={} missing=server.tls", config.listen());
}

void EnablePlugins() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

}  // namespace

absl::Status CheckServerConfig(const config::v1::ServerConfig& config,
                               const std::string& admin_listen) {
  if (config.listen().empty())
    return absl::InvalidArgumentError(
        "server.listen is empty; set it to host:port, e.g. 127.0.0.1:7010");
  LARR_RETURN_IF_ERROR(CheckLimits(config));
  LARR_RETURN_IF_ERROR(CheckPause(config));
  LARR_RETURN_IF_ERROR(CheckNetwork(config, admin_listen));
  if (config.has_access())
    LARR_RETURN_IF_ERROR(Access::Create(config, {}).status());
  if (config.has_tls())
    LARR_RETURN_IF_ERROR(LoadTlsFiles(config.tls()).status());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const config::v1::ServerConfig& config, GrpcServerOptions options) {
  LARR_RETURN_IF_ERROR(CheckServerConfig(config, options.admin_listen));
  WarnOfOpenPorts(config);
  EnablePlugins();
  std::unique_ptr<GrpcServer> self(new GrpcServer);
  self->options_ = std::move(options);
  self->drain_time_ = DrainTime(config);
  self->pause_ = std::chrono::milliseconds(config.shutdown_pause_ms());
  if (self->options_.metrics == nullptr)
    self->options_.metrics = std::make_shared<prometheus::Registry>();
  self->guard_metrics_ =
      std::make_unique<GuardMetrics>(*self->options_.metrics);
  if (config.has_access()) {
    LARR_ASSIGN_OR_RETURN(self->access_,
                          Access::Create(config, self->options_.score_methods));
  }
  LARR_RETURN_IF_ERROR(self->Expose(config));
  LARR_RETURN_IF_ERROR(self->Listen(config));
  std::string addresses = self->address_ + "\n";
  if (self->admin_server_ != nullptr) addresses += self->admin_address_ + "\n";
  if (!config.port_file().empty())
    LARR_RETURN_IF_ERROR(WriteFileAtomically(config.port_file(), addresses));
  spdlog::info("serving address={} admin={} metrics={}", self->address_,
               self->admin_address_, config.metrics_listen());
  return self;
}

absl::Status GrpcServer::Expose(const config::v1::ServerConfig& config) {
  if (config.metrics_listen().empty()) return absl::OkStatus();
  MetricsExposer::TokenCheck check;
  if (access_ != nullptr && !access_->MayReadMetrics(""))
    check = [this](const std::string& token) {
      return access_->MayReadMetrics(token);
    };
  LARR_ASSIGN_OR_RETURN(
      exposer_,
      MetricsExposer::Start(config.metrics_listen(), options_.metrics, check));
  return absl::OkStatus();
}

absl::Status GrpcServer::Listen(const config::v1::ServerConfig& config) {
  LARR_ASSIGN_OR_RETURN(
      credentials_,
      MakeServerCredentials(config, access_.get(), *guard_metrics_));
  LARR_ASSIGN_OR_RETURN(
      server_, Build(config.listen(), credentials_, options_.services, config,
                     options_.readiness, address_));
  if (options_.admin_listen.empty()) return absl::OkStatus();
  LARR_ASSIGN_OR_RETURN(
      admin_credentials_,
      MakeServerCredentials(config, access_.get(), *guard_metrics_));
  LARR_ASSIGN_OR_RETURN(
      admin_server_,
      Build(options_.admin_listen, admin_credentials_, options_.admin_services,
            config, nullptr, admin_address_));
  return absl::OkStatus();
}

GrpcServer::~GrpcServer() { Drain(); }

void GrpcServer::Drain() {
  if (server_ == nullptr) return;
  for (grpc::Server* server : {server_.get(), admin_server_.get()})
    if (server != nullptr) server->GetHealthCheckService()->Shutdown();
  std::this_thread::sleep_for(pause_);
  if (options_.on_drain) options_.on_drain();
  const auto deadline = std::chrono::system_clock::now() + drain_time_;
  server_->Shutdown(deadline);
  if (admin_server_ != nullptr) admin_server_->Shutdown(deadline);
  if (options_.readiness != nullptr) options_.readiness->Attach(nullptr);
  server_.reset();
  admin_server_.reset();
}

absl::Status ServeUntilSignal(const config::v1::ServerConfig& config,
                              GrpcServerOptions options) {
  LARR_ASSIGN_OR_RETURN(const auto server,
                        GrpcServer::Start(config, std::move(options)));
  WaitForShutdownSignal();
  spdlog::info("draining address={}", server->address());
  server->Drain();
  spdlog::info("stopped address={}", server->address());
  return absl::OkStatus();
}

}  // namespace larr
