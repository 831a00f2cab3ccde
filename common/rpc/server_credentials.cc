// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/server_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpcpp/security/auth_metadata_processor.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "common/rpc/tls_files.h"

namespace larr {
namespace {

std::string_view View(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)),
          GRPC_SLICE_LENGTH(slice)};
}

void AddNames(const grpc_auth_context* context, const char* property,
              std::vector<std::string_view>& names) {
  auto values = grpc_auth_context_find_properties_by_name(context, property);
  while (const auto* value = grpc_auth_property_iterator_next(&values)) {
    names.emplace_back(value->value, value->value_length);
  }
}

// Whose calls are let in.
struct CallGuard {
  const Access* access;
  GuardMetrics& metrics;
};

// What new connections get.
struct Certificates {
  std::unique_ptr<TlsFileWatch> files;  // null: plain text
  GuardMetrics& metrics;
};

// Called by gRPC for each call, once its headers are there.
void CheckCall(void* state, grpc_auth_context* context,
               const grpc_metadata* headers, size_t count,
               grpc_process_auth_metadata_done_cb done, void* user_data) {
  std::string_view method;
  Caller caller;
  for (size_t i = 0; i < count; ++i) {
    const std::string_view key = View(headers[i].key);
    if (key == ":path") method = View(headers[i].value);
    if (key == "authorization") caller.authorization = View(headers[i].value);
  }
  AddNames(context, GRPC_X509_CN_PROPERTY_NAME, caller.names);
  AddNames(context, GRPC_X509_SAN_PROPERTY_NAME, caller.names);
  const auto& guard = *static_cast<const CallGuard*>(state);
  const absl::Status status = guard.access->Check(method, caller);
  if (!status.ok()) guard.metrics.CountRefused(status);
  done(user_data, nullptr, 0, nullptr, 0,
       static_cast<grpc_status_code>(status.code()),
       status.ok() ? nullptr : std::string(status.message()).c_str());
}

// Called by gRPC for each connection.
grpc_ssl_certificate_config_reload_status FetchCertificates(
    void* state, grpc_ssl_server_certificate_config** config) {
  const auto& certificates = *static_cast<const Certificates*>(state);
  const auto files = certificates.files->Next();
  if (!files) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  certificates.metrics.SetCertificateEnd(files->end);
  const grpc_ssl_pem_key_cert_pair pair = {files->private_key.c_str(),
                                           files->certificate_chain.c_str()};
  // gRPC wants CAs where clients are not asked for certificates, too.
  const std::string& cas =
      files->client_cas.empty() ? files->certificate_chain : files->client_cas;
  *config = grpc_ssl_server_certificate_config_create(cas.c_str(), &pair, 1);
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

// gRPC's C++ credentials read certificates once, and check roles of TLS ports
// only; its C interface does both.
class GuardedCredentials : public grpc::ServerCredentials {
 public:
  GuardedCredentials(std::unique_ptr<TlsFileWatch> files, bool asks_clients,
                     const Access* access, GuardMetrics& metrics)
      : certificates_{std::move(files), metrics}, guard_{access, metrics} {
    credentials_ = certificates_.files == nullptr
                       ? grpc_insecure_server_credentials_create()
                       : Ssl(asks_clients);
    if (access != nullptr && !access->is_open()) {
      grpc_server_credentials_set_auth_metadata_processor(
          credentials_, {CheckCall, nullptr, &guard_});
    }
  }
  ~GuardedCredentials() override {
    grpc_server_credentials_release(credentials_);
  }
  GuardedCredentials(const GuardedCredentials&) = delete;
  GuardedCredentials& operator=(const GuardedCredentials&) = delete;

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  grpc_server_credentials* Ssl(bool asks_clients) {
    return grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            asks_clients
                ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
            FetchCertificates, &certificates_));
  }
  int AddPortToServer(const std::string& address,
                      grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  Certificates certificates_;
  CallGuard guard_;
  grpc_server_credentials* credentials_ = nullptr;
};

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const config::v1::ServerConfig& config, const Access* access,
    GuardMetrics& metrics) {
  std::unique_ptr<TlsFileWatch> files;
  if (config.has_tls()) {
    LARR_ASSIGN_OR_RETURN(files, TlsFileWatch::Open(config.tls()));
    metrics.SetCertificateEnd(files->end());
  }
  return std::make_shared<GuardedCredentials>(
      std::move(files), !config.tls().client_ca_file().empty(), access,
      metrics);
}

}  // namespace larr
