// SPDX-License-Identifier: Apache-2.0
#include "common/rpc/client_security.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/client_interceptor.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "common/base/files.h"
#include "common/base/invalid_argument.h"
#include "common/base/status_macros.h"
#include "common/rpc/address.h"
#include "common/rpc/token_files.h"

namespace larr {
namespace {

namespace ge = grpc::experimental;

// Adds a header to each call; also without TLS, where gRPC's own credentials
// of calls are refused.
class AddToken : public ge::Interceptor {
 public:
  explicit AddToken(const std::string& header) : header_(header) {}
  void Intercept(ge::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            ge::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization", header_);
    }
    methods->Proceed();
  }

 private:
  const std::string& header_;
};

class AddTokenFactory : public ge::ClientInterceptorFactoryInterface {
 public:
  explicit AddTokenFactory(const std::string& token)
      : header_("Bearer " + token) {}
  ge::Interceptor* CreateClientInterceptor(ge::ClientRpcInfo*) override {
    return new AddToken(header_);
  }

 private:
  const std::string header_;
};

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(
    const ClientSecurity& security) {
  if (security.certificate_file.empty() != security.key_file.empty()) {
    return absl::InvalidArgumentError(
        "a client's certificate and its key go together: set both of "
        "LARR_TLS_CERT and LARR_TLS_KEY, or neither");
  }
  if (security.ca_file.empty()) {
    if (security.certificate_file.empty() && security.server_name.empty()) {
      return grpc::InsecureChannelCredentials();
    }
    return absl::InvalidArgumentError(
        "TLS needs the CA that signed the server's certificate: set "
        "LARR_TLS_CA to its PEM file");
  }
  grpc::SslCredentialsOptions options;
  LARR_ASSIGN_OR_RETURN(options.pem_root_certs, ReadFile(security.ca_file));
  if (!security.certificate_file.empty()) {
    LARR_ASSIGN_OR_RETURN(options.pem_cert_chain,
                          ReadFile(security.certificate_file));
    LARR_ASSIGN_OR_RETURN(options.pem_private_key, ReadFile(security.key_file));
  }
  return grpc::SslCredentials(options);
}

}  // namespace

ClientSecurity ClientSecurity::FromEnvironment() {
  return {.ca_file = Variable("LARR_TLS_CA"),
          .certificate_file = Variable("LARR_TLS_CERT"),
          .key_file = Variable("LARR_TLS_KEY"),
          .server_name = Variable("LARR_TLS_NAME"),
          .token_file = Variable("LARR_TOKEN_FILE")};
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Dial(
    const std::string& address, const ClientSecurity& security,
    grpc::ChannelArguments arguments) {
  LARR_ASSIGN_OR_RETURN(const auto credentials, Credentials(security));
  if (!security.server_name.empty()) {
    arguments.SetSslTargetNameOverride(security.server_name);
  }
  if (security.token_file.empty()) {
    return grpc::CreateCustomChannel(address, credentials, arguments);
  }
  if (security.ca_file.empty() && !IsLoopback(address)) {
    return Invalid(
        "plain text would show the token of {} to the network before {}: set "
        "LARR_TLS_CA, or leave the token out",
        security.token_file, address);
  }
  LARR_ASSIGN_OR_RETURN(const std::string text, ReadFile(security.token_file));
  const std::string token = text.substr(0, text.find('\n'));
  if (!IsToken(token)) {  // gRPC ends a process that sends such a header
    return Invalid(
        "{}: its first line is no token; write the one of the server's token "
        "file, visible characters without spaces and with a plain line end",
        security.token_file);
  }
  std::vector<std::unique_ptr<ge::ClientInterceptorFactoryInterface>> creators;
  creators.push_back(std::make_unique<AddTokenFactory>(token));
  return ge::CreateCustomChannelWithInterceptors(
      address, credentials, arguments, std::move(creators));
}

}  // namespace larr
