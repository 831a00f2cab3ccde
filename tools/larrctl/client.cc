// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/client.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "common/base/status_macros.h"
#include "common/rpc/client_security.h"
#include "common/rpc/grpc_status.h"

namespace larr::ctl {
namespace {

constexpr double kCallSeconds = 30;
constexpr int kReconnects = 30;
constexpr int kMaxMessageBytes = 256 << 20;

struct ServerWords {
  const char* name;     // what it is
  const char* flag;     // how to name another address
  const char* program;  // how to start it
};

ServerWords Words(Server server) {
  switch (server) {
    case Server::kCoordinator:
      return {"coordinator", "coordinator", "coordinator"};
    case Server::kEmbedding:
      return {"embedding service", "embedding", "embedding"};
    case Server::kScoring:
      return {"scoring service", "scoring", "scoring"};
    case Server::kScoringAdmin:
      return {"scoring service's admin port", "scoring-admin", "scoring"};
  }
  return {"server", "server", "server"};
}

const std::string& Address(const Session& session, Server server) {
  switch (server) {
    case Server::kCoordinator:
      return session.coordinator;
    case Server::kEmbedding:
      return session.embedding;
    case Server::kScoring:
      return session.scoring;
    case Server::kScoringAdmin:
      return session.scoring_admin;
  }
  return session.coordinator;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(
    const std::string& address, const ClientSecurity& security) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  return Dial(address, security, arguments);
}

// On which no call is made.
std::shared_ptr<grpc::Channel> LameChannel() {
  return grpc::CreateChannel("", grpc::InsecureChannelCredentials());
}

void SetDeadline(double seconds, grpc::ClientContext& context) {
  context.set_deadline(
      std::chrono::system_clock::now() +
      std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000)));
}

}  // namespace

Client::Client(const Session& session, Server server)
    : server_(server),
      address_(Address(session, server)),
      deadline_seconds_(session.deadline_seconds),
      dialled_(Connect(address_, session.security)),
      channel_(dialled_.ok() ? *dialled_ : LameChannel()) {}

absl::Status Client::Call(
    const std::function<grpc::Status(grpc::ClientContext*)>& call) const {
  LARR_RETURN_IF_ERROR(dialled_.status());
  grpc::ClientContext context;
  SetDeadline(deadline_seconds_ > 0 ? deadline_seconds_ : kCallSeconds,
              context);
  return Explain(call(&context));
}

absl::Status Client::Stream(
    const std::function<grpc::Status(grpc::ClientContext*, bool&)>& stream)
    const {
  LARR_RETURN_IF_ERROR(dialled_.status());
  bool ever_reached = false;
  for (int attempt = 0;; ++attempt) {
    grpc::ClientContext context;
    if (deadline_seconds_ > 0) SetDeadline(deadline_seconds_, context);
    bool reached = false;
    const grpc::Status status = stream(&context, reached);
    ever_reached |= reached;
    if (reached) attempt = 0;
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE || !ever_reached ||
        attempt == kReconnects) {
      return Explain(status);
    }
    if (attempt == 0) {
      fmt::print(stderr, "larrctl: lost the {}; trying again for {} s\n",
                 Words(server_).name, kReconnects);
    }
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

absl::Status Client::Explain(const grpc::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  const ServerWords words = Words(server_);
  const std::string other =
      fmt::format("name another address with --{}", words.flag);
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
      channel_->GetState(false) != GRPC_CHANNEL_READY) {
    return absl::UnavailableError(fmt::format(
        "the {} at {} does not answer. Is it running? Start it with "
        "`larr_{} --config deploy/config/{}.textproto`, or {}. ({})",
        words.name, address_, words.program, words.program, other,
        status.error_message()));
  }
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return absl::UnimplementedError(
        fmt::format("what listens at {} is not a {} of this version: {}",
                    address_, words.name, other));
  }
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return absl::DeadlineExceededError(fmt::format(
        "the {} at {} did not answer in time: give it longer with --deadline "
        "SECONDS",
        words.name, address_));
  }
  const absl::Status answer = FromGrpc(status);
  if (absl::IsUnauthenticated(answer)) {
    return absl::UnauthenticatedError(fmt::format(
        "{} (name the file of a token with --token-file, or your certificate "
        "with --tls-cert and --tls-key)",
        status.error_message()));
  }
  return answer;
}

}  // namespace larr::ctl
