// SPDX-License-Identifier: Apache-2.0
//
// How a client of ours proves who it is, and knows its server: TLS files and a
// bearer token. All empty: plain text without a token.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace larr {

struct ClientSecurity {
  std::string ca_file;           // PEM of the CAs of servers; makes it TLS
  std::string certificate_file;  // PEM of the client's own chain; optional
  std::string key_file;          // and of its key
  std::string server_name;       // in the server's certificate; empty: its host
  std::string token_file;        // whose first line is a token; optional

  // LARR_TLS_CA, LARR_TLS_CERT, LARR_TLS_KEY, LARR_TLS_NAME, LARR_TOKEN_FILE.
  static ClientSecurity FromEnvironment();
};

// A channel whose every call carries the token. The files are read now.
// Errors: kInvalidArgument  files that do not go together; a token that plain
//                           text would show to a network
//         else              as common/base/files.h has it
absl::StatusOr<std::shared_ptr<grpc::Channel>> Dial(
    const std::string& address, const ClientSecurity& security,
    grpc::ChannelArguments arguments = {});

}  // namespace larr
