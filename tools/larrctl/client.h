// SPDX-License-Identifier: Apache-2.0
//
// One server as larrctl sees it: a channel, deadlines, and errors that say
// what to do next.
//
// Threads: one.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/larrctl/commands.h"

namespace larr::ctl {

// The servers that larrctl talks to.
enum class Server { kCoordinator, kEmbedding, kScoring, kScoringAdmin };

// A channel to one server. The stub is made from channel().
class Client {
 public:
  Client(const Session& session, Server server);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Makes `call` with the deadline of a single call.
  // Errors: the server's, one that tells how to start the server, or what is
  // wrong with the TLS files or the token.
  absl::Status Call(
      const std::function<grpc::Status(grpc::ClientContext*)>& call) const;

  // Opens a stream with `stream`, which reads it to its end and sets its
  // second argument once anything came. A server that was reached and then
  // went away is tried again for 30 s: it may be restarting, and streams of
  // ours can be opened again at any time.
  absl::Status Stream(
      const std::function<grpc::Status(grpc::ClientContext*, bool& reached)>&
          stream) const;

 private:
  absl::Status Explain(const grpc::Status& status) const;

  const Server server_;
  const std::string address_;
  const double deadline_seconds_;
  const absl::StatusOr<std::shared_ptr<grpc::Channel>> dialled_;
  const std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace larr::ctl
